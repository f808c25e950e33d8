"""The SCAN task: values against NumPy and by hand, and trivial answers and the validation set on the real data."""

import collections
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.data import DataDirs, load
from gru_research.data.scan import ACTIONS, COMMANDS
from gru_research.metrics import Additive
from gru_research.tasks.scan import (
    BEGIN,
    END,
    FREQUENT,
    HALVES,
    NEAREST,
    SPLITS,
    WORDS,
    drawn,
    encode,
    exact_match,
    scan,
    sequences,
    token_accuracy,
    token_loss,
)
from gru_research.types import Batch
from tests.data.test_scan import meaning
from tests.tasks.scan_trivial import nearest, trivial_answers

NAMES: Any = tuple(SPLITS)


class Answers(NamedTuple):
    """The fields of `decoding.Answers` that the task reads."""

    tokens: Any
    lengths: Any


def arrays(commands: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns commands with their actions in the stored format."""
    found: dict[str, Any] = {}
    pairs = [(command.split(), meaning(command.split())) for command in commands]
    for name, words, column, width in (("command", COMMANDS, 0, 9), ("actions", ACTIONS, 1, 48)):
        rows = [[words.index(word) for word in pair[column]] for pair in pairs]
        found[name] = np.array([row + [0] * (width - len(row)) for row in rows], np.uint8)
        found[f"{name}_length"] = np.array([len(row) for row in rows], np.int32)
    return found


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Returns the model's batch of three commands with 3, 4 and 1 actions."""
    return scan().prepare(
        {k: jnp.asarray(a) for k, a in arrays(["walk twice and jump", "look left twice", "run"]).items()}
    )


def test_a_batch_holds_tokens_that_end_with_the_end() -> None:
    task = scan("length")
    stored = arrays(["jump left after look", "run"])
    stored["actions"] = stored["actions"][:, :22]
    batch = jax.jit(task.prepare)(stored)
    assert {name: a.dtype for name, a in batch.items()} == dict.fromkeys(batch, jnp.int32)
    assert [COMMANDS[n] for n in batch["inputs"][0, :4]] == ["jump", "left", "after", "look"]
    assert batch["lengths"].tolist() == [4, 1] and batch["target_lengths"].tolist() == [4, 2]
    targets = [[WORDS[token] for token in row] for row in batch["targets"].tolist()]
    assert targets[0] == ["I_LOOK", "I_TURN_LEFT", "I_JUMP", *["<end>"] * 20]
    assert targets[1] == ["I_RUN", *["<end>"] * 22]
    assert {name: (a.shape[1:], a.dtype) for name, a in batch.items()} == {
        name: (a.shape, a.dtype) for name, a in task.spec.example.items()
    }


def test_the_spec_says_what_a_model_may_know() -> None:
    for name, longest in zip(NAMES, (48, 22, 48), strict=True):
        spec = scan(name).spec
        assert spec.generation is not None
        assert (spec.generation.begin, spec.generation.end, spec.generation.longest) == (BEGIN, END, 49)
        assert (spec.vocabulary, spec.output_size, spec.output_shape()) == (13, 8, (longest + 1, 8))
    assert scan().vocabularies == {"inputs": COMMANDS, "targets": (*ACTIONS, "<end>", "<begin>")}


def measured(name: str, outputs: Any, batch: Batch) -> np.ndarray:
    """Returns a metric of the task over one batch as the whole set."""
    metric = scan().metrics[name]
    assert isinstance(metric, Additive)
    return metric.finish({part: np.sum(np.asarray(a)) for part, a in metric.statistics(outputs, batch).items()})


def test_loss_and_token_accuracy_are_means_over_real_tokens(batch: Batch) -> None:
    lengths, targets = np.asarray(batch["target_lengths"]), np.asarray(batch["targets"])
    assert lengths.tolist() == [4, 5, 2]
    logits = np.random.RandomState(0).normal(size=(3, 49, 8)).astype(np.float32)
    logits[1, 2] = 5 * np.eye(8)[targets[1, 2]]  # one token that is right
    wide = logits.astype(np.float64)
    nll = np.log(np.exp(wide).sum(-1)) - np.take_along_axis(wide, targets[..., None], -1)[..., 0]
    right = wide.argmax(-1) == targets
    for function, of_token in ((token_loss, nll), (token_accuracy, right)):
        values, weights = function(jnp.asarray(logits), batch)
        expected = [of_token[n, :length].mean() for n, length in enumerate(lengths)]
        np.testing.assert_allclose(values, expected, rtol=1e-6)
        assert weights.tolist() == [4, 5, 2]
    total = sum(right[n, :length].sum() for n, length in enumerate(lengths))
    np.testing.assert_allclose(measured("token_accuracy", jnp.asarray(logits), batch), total / 11, rtol=1e-6)


def test_logits_behind_an_answers_end_count_for_nothing(batch: Batch) -> None:
    logits = jnp.asarray(np.random.RandomState(1).normal(size=(3, 49, 8)), jnp.float32)
    behind = (jnp.arange(49) >= batch["target_lengths"][:, None])[..., None]
    for function in (token_loss, token_accuracy):
        np.testing.assert_array_equal(function(logits, batch), function(jnp.where(behind, 1e4, logits), batch))


def generated(rows: Sequence[Sequence[int]], longest: int) -> Answers:
    """Returns answers as from a decoder, filled with end tokens. Answers without an end have `longest` tokens."""
    lengths = [row.index(END) + 1 if END in row else longest for row in map(list, rows)]
    return Answers(jnp.array([[*row, *[END] * (longest - len(row))] for row in rows]), jnp.array(lengths))


@pytest.mark.parametrize("longest", [6, 49, 60])
def test_an_answer_is_right_from_its_first_token_to_its_end(batch: Batch, longest: int) -> None:
    batch = {name: a[:1] for name, a in batch.items()}
    jump, walk = ACTIONS.index("I_JUMP"), ACTIONS.index("I_WALK")
    assert batch["targets"][0, :5].tolist() == [walk, walk, jump, END, END]
    for row, right in (
        ([walk, walk, jump, END], 1.0),
        ([walk, walk, walk, END], 0.0),
        ([walk, walk, END], 0.0),  # too short
        ([walk, walk, jump, jump, END], 0.0),  # too long
        ([END], 0.0),
        ([walk, walk, jump] + [walk] * (longest - 3), 0.0),  # without an end
    ):
        values, weights = exact_match(generated([row], longest), batch)
        assert (values.tolist(), weights.tolist()) == ([right], [1.0]), row


def test_an_answer_cut_short_of_the_target_is_wrong(batch: Batch) -> None:
    jump, walk = ACTIONS.index("I_JUMP"), ACTIONS.index("I_WALK")
    values, _ = exact_match(
        Answers(jnp.array([[walk, walk, jump]]), jnp.array([3])), {k: a[:1] for k, a in batch.items()}
    )
    assert values.tolist() == [0.0]


def test_exact_match_counts_commands_alike(batch: Batch) -> None:
    task = scan()
    assert task.metrics["exact_match"].of == "answers" and task.generates
    assert task.metric == task.validation_metric == "exact_match"
    answers = Answers(batch["targets"].at[1, 0].set(BEGIN), batch["target_lengths"])
    np.testing.assert_allclose(measured("exact_match", answers, batch), 2 / 3, rtol=1e-6)


def test_a_command_is_encoded_and_an_answer_decoded() -> None:
    example = encode(" walk twice  and jump left")
    assert [COMMANDS[n] for n in example["inputs"][:5]] == ["walk", "twice", "and", "jump", "left"]
    assert example["inputs"][5:].tolist() == [0] * 4 and example["lengths"] == 5
    spec = scan().spec.example
    assert {name: (a.shape, a.dtype) for name, a in example.items()} == {
        name: (spec[name].shape, spec[name].dtype) for name in ("inputs", "lengths")
    }
    jump, walk, decode = ACTIONS.index("I_JUMP"), ACTIONS.index("I_WALK"), scan().decode
    assert decode(Answers(np.array([walk, walk, jump, END, END]), 4)) == "I_WALK I_WALK I_JUMP"
    assert decode(Answers(np.array([END, END]), 1)) == ""
    assert decode(Answers(np.array([walk, BEGIN]), 2)) == "I_WALK <begin>"  # without an end


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        (
            "hop twice",
            ValueError,
            "word='hop' is unknown; choose from after, and, around, jump, left, look, opposite, right, run, thrice, "
            "turn, twice, walk",
        ),
        ("Walk", ValueError, "word='Walk' is unknown; did you mean 'walk'?; choose from after, and, around"),
        ("", ValueError, "'' has 0 words and must have 1 to 9"),
        ("walk and " * 5, ValueError, "has 10 words and must have 1 to 9"),
        (3, TypeError, "command=3 must be a text, such as 'walk twice and jump left'"),
    ],
)
def test_a_command_that_is_none_is_refused(command: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        encode(command)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split": "jumps"}, "split='jumps' is unknown; did you mean 'jump'?; choose from simple, length, jump"),
        ({"validation_size": 0}, "validation_size=0 must be from 1 to 16727"),
        ({"validation_size": 13_203, "split": "jump"}, "validation_size=13203 must be from 1 to 13202"),
        ({"threshold": 1.5}, "threshold=1.5 must be above 0 and at most 1"),
    ],
)
def test_options_out_of_range_are_named(options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        scan(**options)


def test_only_the_split_whose_validation_set_is_like_its_test_set_has_a_goal() -> None:
    assert [scan(name).threshold for name in NAMES] == [0.99, None, None]
    assert scan("jump", threshold=0.5).threshold == 0.5


def pairs(found: dict[str, np.ndarray]) -> list[tuple[Any, Any]]:
    return list(zip(sequences(found, "command"), sequences(found, "actions"), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_validation_set_is_drawn_from_training(name: Any, scan_data_dir: str) -> None:
    dirs = DataDirs(scan_data_dir)
    stored, sets = load(f"scan_{name}", dirs), scan(name, validation_size=700).data.load(dirs)
    train, validation = pairs(sets["train"]), pairs(sets["validation"])
    assert collections.Counter(train + validation) == collections.Counter(pairs(stored["train"]))
    assert len(validation) == len(set(validation)) == 700 and not set(validation) & set(train)
    counts = collections.Counter(pairs(stored["train"]))
    assert sum(count == 1 for count in counts.values()) == SPLITS[name].commands
    assert pairs(sets["test"]) == pairs(stored["test"])
    assert [sets[split]["actions"].shape[1] for split in sets] == [SPLITS[name].longest] * 2 + [48]


def test_jump_alone_stays_in_training(scan_data_dir: str) -> None:
    train = scan("jump", validation_size=13_202).data.load(DataDirs(scan_data_dir))["train"]
    jump = ((COMMANDS.index("jump"),), (ACTIONS.index("I_JUMP"),))
    assert collections.Counter(pairs(train))[jump] == len(train["command"]) - 1 == 1_467


def test_the_validation_set_is_always_the_same_and_no_block_of_the_file() -> None:
    verbs, ways, turns = ("walk", "run", "look", "jump"), ("opposite", "around"), ("left", "right")
    once = [f"{verb} {way} {turn}" for verb in verbs for way in ways for turn in turns]
    train = arrays([*once, *["jump"] * 30])
    chosen = np.flatnonzero(drawn(train, 5))
    assert chosen.tolist() == np.flatnonzero(drawn(train, 5)).tolist()
    assert len(chosen) == 5 < np.ptp(chosen) + 1 and max(chosen) < len(once) == 16
    assert set(chosen) < set(np.flatnonzero(drawn(train, 9)))


@pytest.mark.parametrize("name", NAMES)
def test_trivial_answers_of_the_real_data(name: Any, scan_data_dir: str) -> None:
    found = trivial_answers(load(f"scan_{name}", DataDirs(scan_data_dir)))
    assert scan(name).trivial == {way: round(share, 4) for way, share in found.items()}


def test_trivial_answers_by_hand() -> None:
    train = arrays(["run", "walk", "walk twice", "look left", "jump and walk", "walk"])
    test = arrays(["walk twice and run", "run after look left", "jump and run", "turn left", "walk and walk"])
    found = trivial_answers({"train": train, "test": test})
    # The nearest of "turn left" is "look left", of the third "jump and walk", of the last that too.
    assert found == {FREQUENT: 0.0, NEAREST: 0.0, HALVES: 0.6}
    again = trivial_answers({"train": train, "test": arrays(["walk", "run twice", "walk thrice", "jump and walk"])})
    assert again == {FREQUENT: 0.25, NEAREST: 0.5, HALVES: 0.0}


def test_nearest_agrees_with_the_plain_edit_distance() -> None:
    random = np.random.RandomState(0)
    asked, commands = (
        [tuple(random.randint(0, 4, random.randint(1, 8)).tolist()) for _ in range(count)] for count in (40, 30)
    )
    expected = [min(range(len(commands)), key=lambda n: edits(a, commands[n])) for a in asked]
    assert nearest(asked, commands) == expected


def edits(a: Sequence[int], b: Sequence[int]) -> int:
    if not a or not b:
        return len(a) + len(b)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
