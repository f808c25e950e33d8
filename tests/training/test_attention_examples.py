"""Attention examples of a run: the choice of examples, the answers and the weights."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research import records, report, run_files
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.metrics import mean
from gru_research.models import encoder_decoder
from gru_research.runs.comparison import run_comparison
from gru_research.spec import Generation, Spec
from gru_research.tasks import Generated, Stored, Task
from gru_research.tasks.scan import exact_match, token_loss
from gru_research.training import Plan, attention_examples, load_parameters, make_plan
from gru_research.training.attention_examples import (
    collect_attention,
    first_of_different_lengths,
    first_wrong,
    has_attention,
    lengths_of,
    right,
)
from gru_research.training.evaluation import generate
from gru_research.training.predictions import load_test
from gru_research.training.state import stream
from tests.training import toy

V, END, BEGIN, T = 5, 3, 4, 4
"""Words are 0 to 2; END ends an answer and BEGIN begins it. Inputs have at most T words."""
WORDS = ("red", "green", "blue", "<end>", "<begin>")


@dataclasses.dataclass(frozen=True)
class Copier:
    """A model that repeats its input word by word, with "w" rounded in place of the word 2. BEGIN's logit is "w"."""

    reads: str = "one"

    def init(self, key: Any, example: Any) -> dict[str, Any]:
        del example
        return {"w": jax.random.uniform(key)}

    def apply(self, params: Any, batch: Mapping[str, Any], key: Any = None) -> Any:
        del key
        state, first = self.start(params, batch)

        def advance(state: Any, tokens: Any) -> Any:
            return self.step(params, state, tokens)

        _, others = jax.lax.scan(advance, state, batch["targets"].T[:-1])
        return jnp.moveaxis(jnp.concatenate([first[None], others]), 0, 1)

    def start(self, params: Any, batch: Mapping[str, Any]) -> Any:
        at = jnp.zeros(batch["lengths"].shape, jnp.int32)
        return self.step(params, (batch["inputs"], batch["lengths"], at), None)

    def step(self, params: Any, state: Any, tokens: Any) -> Any:
        del tokens
        inputs, lengths, at = state
        word = jnp.take_along_axis(inputs, jnp.minimum(at, T - 1)[:, None], 1)[:, 0]
        said = jnp.where(at < lengths, jnp.where(word == 2, jnp.rint(params["w"]).astype(jnp.int32), word), END)
        return (inputs, lengths, at + 1), 9 * jax.nn.one_hot(said, V).at[:, BEGIN].set(params["w"] / 9)

    @property
    def no_attention(self) -> str | None:
        return "reads nothing" if self.reads == "nothing" else None

    def attend(self, params: Any, batch: Mapping[str, Any]) -> Any:
        """Puts half of the weight on the word, half on the target token's number, which identifies the answers."""
        del params
        steps, lengths = batch["targets"].shape[1], batch["lengths"]
        place = jnp.minimum(jnp.arange(steps), lengths[:, None] - 1)
        weights = jax.nn.one_hot(place, T) / 2 + jax.nn.one_hot(batch["targets"] % lengths[:, None], T) / 2
        weights *= (jnp.arange(steps) < batch["target_lengths"][:, None])[..., None]
        return weights if self.reads == "one" else weights[..., None]


def commands(rows: list[list[int]], sized: bool = True) -> dict[str, np.ndarray]:
    """Returns a batch whose targets repeat the words of its inputs."""
    inputs = np.array([row + [0] * (T - len(row)) for row in rows], np.int32)
    targets = np.array([row + [END] * (T + 1 - len(row)) for row in rows], np.int32)
    lengths = np.array([len(row) for row in rows], np.int32)
    found = {"inputs": inputs, "lengths": lengths, "targets": targets}
    return found | ({"target_lengths": lengths + 1} if sized else {})


TEST = [[0, 1], [1, 1], [0], [0, 1, 1], [0, 0], [1], [1, 0, 0, 1], [1], [0], [2, 1], [2]]


def make(key: Any, size: int) -> dict[str, Any]:
    """Returns the first `size` rows of TEST, for every key."""
    del key
    return {name: jnp.asarray(a[:size]) for name, a in commands(TEST).items()}


def task(asked: bool = True, **fields: Any) -> Task:
    """Returns the copy task. `asked`: whether a metric reads answers."""
    tokens = jax.ShapeDtypeStruct((), jnp.int32)
    example = {"inputs": (T,), "lengths": (), "targets": (T + 1,), "target_lengths": ()}
    known: dict[str, Any] = {
        "name": "copy",
        "data": Generated(make, validation_size=3, test_size=len(TEST)),
        "spec": Spec(
            {name: tokens.update(shape=shape) for name, shape in example.items()},
            output_size=V,
            answers="generated",
            vocabulary=3,
            generation=Generation(BEGIN, END, T + 2),
        ),
        "loss": token_loss,
        "metrics": {"exact_match": mean(exact_match, "max", of="answers")} if asked else {},
        "metric": "exact_match" if asked else "loss",
        "vocabularies": {"inputs": WORDS[:3], "targets": WORDS},
    }
    return Task(**known | fields)


def answers(test: Mapping[str, Any], word: float = 0.0) -> dict[str, np.ndarray]:
    found = generate(Copier(), task(), {"w": jnp.float32(word)}, test)
    return {"tokens": np.asarray(found.tokens), "lengths": np.asarray(found.lengths)}


def test_the_first_of_different_lengths_are_chosen_whatever_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_examples, "PART", 4)  # the 4th length comes later
    for word in (0.0, 1.0, 2.0):
        test = commands([[2, 2], *TEST[1:]])
        found = collect_attention(Copier(), task(), {"w": jnp.float32(word)}, 7, test, answers(test, word))
        assert found.examples[:4].tolist() == [0, 1, 2, 3] and found.seed == 7
        assert found.lengths[:4].tolist() == [2, 2, 1, 3]
        assert found.wrong_one[:4].tolist() == [False] * 4
        # With 0 and 1 one of them is wrong already, with 2 none in the test set is.
        assert found.examples.tolist() == [0, 1, 2, 3] and found.right[0] == (word == 2.0)


@pytest.mark.parametrize("part", [4, 9, 500])
def test_where_all_of_these_are_right_the_first_wrong_one_comes_after_them(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention_examples, "PART", part)
    test = commands(TEST)
    found = collect_attention(Copier(), task(), {"w": jnp.float32(1.0)}, 0, test, answers(test, 1.0))
    assert found.examples.tolist() == ([0, 1, 2, 3, 9] if part == 4 else [0, 2, 3, 6, 9])
    assert found.right.tolist() == [True] * 4 + [False] and found.wrong_one.tolist() == [False] * 4 + [True]
    # [2, 1] was asked for, and it said [1, 1].
    assert found.inputs[4, :2].tolist() == [2, 1] and found.targets[4, :3].tolist() == [2, 1, END]
    assert found.answers[4, :3].tolist() == [1, 1, END] and found.answer_lengths[4] == found.target_lengths[4] == 3
    # The weights are those of its own answer: 1 is read at place 1, where its target, 2, would be at place 0.
    np.testing.assert_array_equal(found.weights[4, :3, :2], [[0.5, 0.5], [0, 1], [0, 1]])
    assert not found.weights[4, 3:].any() and not found.weights[4, :, 2:].any()
    longest = int(found.lengths.max())
    assert found.weights.shape == (5, longest + 1, longest) and found.answers.shape[1] == longest + 1


def test_without_a_wrong_answer_there_is_no_other_example() -> None:
    test = commands(TEST)
    found = collect_attention(Copier(), task(), {"w": jnp.float32(2.0)}, 0, test, answers(test, 2.0))
    assert found.examples.tolist() == [0, 2, 3, 6] and found.right.all() and not found.wrong_one.any()


def test_where_no_metric_reads_answers_the_model_is_asked() -> None:
    test = commands(TEST)
    asked = collect_attention(Copier(), task(), {"w": jnp.float32(1.0)}, 0, test, answers(test, 1.0))
    found = collect_attention(Copier(), task(asked=False), {"w": jnp.float32(1.0)}, 0, test, {})
    for field in dataclasses.fields(asked):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(asked, field.name))


def test_stored_examples_are_prepared() -> None:
    test = commands(TEST)

    def prepare(batch: Any) -> Any:
        return {name.removeprefix("raw "): a.astype(jnp.int32) for name, a in batch.items()}

    stored = task(data=Stored("copy", lambda splits: splits, prepare))
    raw = {f"raw {name}": a.astype(np.uint8) for name, a in test.items()}
    found = collect_attention(Copier(), stored, {"w": jnp.float32(1.0)}, 0, raw, answers(test, 1.0))
    assert found.examples.tolist() == [0, 2, 3, 6, 9] and found.inputs[4, :2].tolist() == [2, 1]


def test_examples_of_equal_lengths_are_the_first() -> None:
    lengths = np.array([5, 5, 2, 5, 2, 9])
    assert first_of_different_lengths({"lengths": lengths}, 4) == [0, 1, 2, 5]
    assert first_of_different_lengths({"lengths": lengths}, 2) == [0, 2]
    assert first_of_different_lengths({"lengths": lengths[:2]}, 4) == [0, 1]
    assert first_of_different_lengths({"inputs": np.zeros((6, 3))}, 4) == [0, 1, 2, 3]


def test_an_answer_is_right_where_the_metric_of_whole_answers_says_so() -> None:
    random = np.random.RandomState(0)
    batch = commands([random.randint(0, 2, random.randint(1, 3)).tolist() for _ in range(200)])
    rows = [random.randint(0, 2, random.randint(1, 3)).tolist() for _ in range(200)]
    for longest in (1, 2, 3, 9):
        cut = [[*row, *[END] * 9][:longest] for row in rows]
        lengths = np.array([min(len(row) + 1, longest) for row in rows])
        tokens = np.array(cut)
        given = type("Answers", (), {"tokens": jnp.asarray(tokens), "lengths": jnp.asarray(lengths)})
        expected = np.asarray(exact_match(given, {name: jnp.asarray(a) for name, a in batch.items()})[0])
        assert longest == 1 or 0 < expected.sum() < 200
        np.testing.assert_array_equal(right(tokens, lengths, batch, END), expected.astype(bool))


def test_targets_without_lengths_end_at_their_end() -> None:
    targets = np.array([[0, END, END], [1, 1, 1], [END, 0, END]])
    assert lengths_of({"targets": targets}, END).tolist() == [2, 3, 1]
    assert lengths_of({"targets": targets, "target_lengths": np.array([3, 3, 3])}, END).tolist() == [3, 3, 3]
    tokens = np.array([[0, END, 1], [1, 1, 1], [END, END, END]])
    assert right(tokens, np.array([2, 3, 1]), {"targets": targets}, END).all()
    assert not right(tokens, np.array([3, 2, 2]), {"targets": targets}, END).any()
    assert first_wrong(tokens, np.array([2, 2, 1]), lambda part: {"targets": targets[part]}, END) == 1


def of(model: Any, task: Task, **fields: Any) -> Plan:
    """Returns the plan of a run of `model` with two seeds and two updates."""
    config = toy.CONFIG | {"seeds": 2, "updates": 2, "eval_every": 2, "batch_size": 4} | fields
    plan = make_plan(experiment(config))
    return dataclasses.replace(plan, task=task, cells=tuple(dataclasses.replace(c, model=model) for c in plan.cells))


def test_a_run_keeps_what_its_models_own_answers_read(tmp_path: Path) -> None:
    model = encoder_decoder(task().spec, gr.GRU(3), attention="luong", embedding_size=0)
    run_comparison(of(model, task()), tmp_path, DataDirs())
    found, (seeds, kept) = run_files.load_attention(tmp_path, "toy"), load_test(tmp_path, "toy")
    assert found is not None and found.seed == seeds[0] == 0
    assert run_files.load_vocabularies(tmp_path) == {"inputs": WORDS[:3], "targets": WORDS}
    # One token after the other, by hand.
    params = jax.tree.map(lambda a: a[0], load_parameters(tmp_path, "toy")["params"])
    batch = {name: a[found.examples] for name, a in commands(TEST).items()}
    said: list[np.ndarray] = []
    state, logits = jax.jit(model.start)(params, batch)
    step = jax.jit(model.step)
    for _ in range(T + 2):
        said.append(np.asarray(logits).argmax(-1))
        state, logits = step(params, state, jnp.asarray(said[-1]))
    tokens = np.stack(said, 1)
    ends = tokens == END
    lengths = np.where(ends.any(1), ends.argmax(1) + 1, T + 2)
    assert found.answer_lengths.tolist() == lengths.tolist()
    assert lengths.tolist() == kept["predictions"]["lengths"][0, found.examples].tolist()
    weights = np.asarray(jax.jit(model.attend)(params, batch | {"targets": tokens, "target_lengths": lengths}))
    for i, length in enumerate(lengths):
        assert found.answers[i, :length].tolist() == tokens[i, :length].tolist()
        np.testing.assert_allclose(found.weights[i, :length], weights[i, :length, : found.lengths.max()], atol=1e-6)
        np.testing.assert_allclose(found.weights[i, :length, : found.lengths[i]].sum(-1), 1, atol=1e-6)
        assert not found.weights[i, length:].any()
    paths = report.write(tmp_path)
    page = paths.page.read_text()
    assert "<h2>Attention</h2>" in page and "red green &lt;end&gt;" in page
    assert {f"attention-toy-{n}.png" for n in found.examples} <= {path.name for path in paths.figures}


def test_a_model_without_attention_keeps_none(tmp_path: Path) -> None:
    model = encoder_decoder(task().spec, gr.GRU(3), attention="none")
    assert model.no_attention == "attention='none' gives no weights: choose from bahdanau, luong"
    assert (
        not has_attention(model, task())
        and not has_attention(toy.Counter(), task())
        and not has_attention(Copier(), toy.TASK)
    )
    assert has_attention(Copier(), task()) and not has_attention(Copier(reads="nothing"), task())
    run_comparison(of(Copier(reads="nothing"), task(vocabularies={})), tmp_path, DataDirs())
    assert [path.name for path in (tmp_path / "arrays").iterdir()] == ["test-toy.npz"]
    assert not (tmp_path / run_files.VOCABULARIES).exists()
    assert "Attention" not in report.write(tmp_path).page.read_text()


def losing(limit: float) -> Task:
    """Returns a task whose loss is NaN for models with "w" above the limit."""

    def loss(outputs: Any, batch: Any) -> Any:
        values, weights = token_loss(outputs, batch)
        return jnp.where(outputs[:, 0, BEGIN] > limit, jnp.nan, values), weights

    return task(loss=loss)


def test_the_first_seed_that_did_not_diverge_is_looked_at(tmp_path: Path) -> None:
    starts = [float(Copier().init(stream(jnp.uint32(seed), "init"), None)["w"]) for seed in range(10)]
    first = int(np.argmin(np.diff(starts)))
    assert starts[first] > starts[first + 1] + 0.1
    plan = of(Copier(), losing((starts[first] + starts[first + 1]) / 2), first_seed=first)
    run_comparison(plan, tmp_path / "one", DataDirs())
    results = records.read(tmp_path / "one" / records.FILE_NAME).results
    assert [result.diverged_at for result in results] == [1, None]
    found = run_files.load_attention(tmp_path / "one", "toy")
    assert found is not None and found.seed == first + 1
    run_comparison(of(Copier(), losing(-1.0)), tmp_path / "none", DataDirs())
    assert run_files.load_attention(tmp_path / "none", "toy") is None
    assert "Attention" not in report.write(tmp_path / "none").page.read_text()


def test_weights_of_another_shape_are_refused_before_training(tmp_path: Path) -> None:
    plan = of(Copier(reads="another"), task())
    with pytest.raises(UserError) as caught:
        run_comparison(plan, tmp_path / "run", DataDirs())
    says = "copy: the model's attend gives (2, 5, 4, 1), and must give weights [B, U, T]=(2, 5, 4)"
    assert str(caught.value) == says and not (tmp_path / "run").exists()
