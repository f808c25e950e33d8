"""Strings of digits, units, the loss and the error rates."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.config import FileError
from gru_research.data import DataDirs
from gru_research.data.fsdd import SPEAKERS
from gru_research.metrics import Additive
from gru_research.tasks import TASKS
from gru_research.tasks.speech import metrics
from gru_research.tasks.speech.answers import Decode, spoken_words
from gru_research.tasks.speech.strings import FEWEST, MOST, Recordings, strings
from gru_research.tasks.speech.task import check_fit
from gru_research.tasks.speech.trivial import EMPTY, FREQUENT, NEAREST
from gru_research.tasks.speech.utterances import Units, Utterance, least_steps

DIGITS = Units(tuple("0123456789"), words=True)
LETTERS = Units.learn(["A B", "GO"], words=False)


def recordings() -> Recordings:
    """Two recordings of each digit by two speakers, tones of a frequency each."""
    digit, speaker = (a.ravel() for a in np.meshgrid(np.repeat(np.arange(10), 2), [0, 1]))
    times = np.arange(1200) / 8000
    tones = [1000 * np.sin(2 * np.pi * (300 + 100 * d + 20 * s) * times) for d, s in zip(digit, speaker, strict=True)]
    return Recordings(np.array(tones).astype(np.int16), np.full(len(digit), 1200), digit, speaker)


def test_strings_are_of_one_speaker_and_say_what_was_joined() -> None:
    known = recordings()
    found = strings(known, [0, 1], 40, 0.15, 3)
    for n, one in enumerate(found):
        assert one.utterance.speaker == SPEAKERS[n % 2]
        assert set(known.speaker[list(one.rows)]) == {n % 2}
        assert one.utterance.transcript == " ".join(str(known.digit[row]) for row in one.rows)
        assert len(one.utterance.content) > 1200 / 1.15 * len(one.rows)
    assert {len(one.rows) for one in found} == set(range(FEWEST, MOST + 1))


def test_strings_depend_on_the_seed_alone() -> None:
    same, other = (strings(recordings(), [0], 4, 0.1, seed) for seed in (0, 1))
    again = strings(recordings(), [0], 4, 0.1, 0)
    assert all(np.array_equal(a.utterance.content, b.utterance.content) for a, b in zip(same, again, strict=True))
    assert [one.rows for one in same] != [one.rows for one in other]


def test_labels_and_texts_are_inverse() -> None:
    assert LETTERS.names == (" ", "A", "B", "G", "O") and LETTERS.size == 6
    assert LETTERS.text(LETTERS.labels("GO A B")) == "GO A B"
    assert LETTERS.text([1, 4, 5, 1, 1, 2, 1]) == "GO A"
    assert DIGITS.text(DIGITS.labels("7 0 7")) == "7 0 7"


@pytest.mark.parametrize(("labels", "steps"), [((), 0), ((1,), 1), ((1, 1), 3), ((1, 2, 2, 2), 6)])
def test_the_fewest_steps_are_those_of_the_shortest_path(labels: tuple[int, ...], steps: int) -> None:
    assert least_steps(labels) == steps
    found = next(
        count
        for count in range(9)
        for path in itertools.product(range(3), repeat=count)
        if tuple(label for label, _ in itertools.groupby(path) if label) == labels
    )
    assert found == steps


def test_a_transcript_that_cannot_fit_is_refused() -> None:
    one = Utterance("1 1", np.zeros(1), place="list.tsv:4")
    check_fit(one, [2, 2], 3)
    with pytest.raises(FileError, match=r"^list.tsv:4: the transcript '1 1' needs 3 steps, and the sound has 2$"):
        check_fit(one, [2, 2], 2)


def test_the_loss_is_the_sum_over_all_paths() -> None:
    logits = jax.random.normal(jax.random.key(0), (2, 5, 3))
    batch = {
        "targets": jnp.asarray([[1, 2, 0], [2, 2, 0]]), "target_lengths": jnp.asarray([2, 2]),
        "lengths": jnp.asarray([5, 4]),
    }  # fmt: skip
    values, weights = metrics.ctc_loss(logits, batch)
    logs = np.asarray(jax.nn.log_softmax(logits), np.float64)
    for row, (labels, length) in enumerate((((1, 2), 5), ((2, 2), 4))):
        total = sum(
            np.exp(sum(logs[row, t, label] for t, label in enumerate(path)))
            for path in itertools.product(range(3), repeat=length)
            if tuple(label for label, _ in itertools.groupby(path) if label) == labels
        )
        assert float(values[row]) == pytest.approx(-np.log(total) / 2, rel=1e-5)
    assert weights.tolist() == [2, 2]


def test_error_rates_are_pooled_over_the_set() -> None:
    # One error in 1 word and none in 3: pooled 1/4, the mean over utterances would be 1/2.
    assert metrics.error_rate("wer", ["B", "A B C"], ["A", "A B C"]) == 25
    assert metrics.error_rate("cer", ["AB", ""], ["AC", "AB"]) == 75


def test_the_metrics_of_perfect_and_of_empty_outputs() -> None:
    wanted = [DIGITS.labels(text) for text in ("1 2 3", "4 4 5 6")]
    path = np.zeros((2, 9), np.int32)
    path[0, :3], path[1, [0, 2, 3, 4]] = wanted[0], wanted[1]
    targets = np.zeros((2, 4), np.int32)
    targets[0, :3], targets[1] = wanted[0], wanted[1]
    beam = metrics.Beam(metrics.bigram(wanted, DIGITS.size), 4, 0.5, 6)
    found = metrics.metrics_of(DIGITS, beam, {"3": (3, 3), "7": (7, 7)}, "der")
    batch = {"targets": jnp.asarray(targets), "lengths": jnp.asarray([9, 9])}

    def values(logits: Any) -> dict[str, float]:
        return {
            name: metric.score({k: np.asarray(v) for k, v in metric.statistics(logits, batch).items()})
            for name, metric in found.items()
            if not isinstance(metric, Additive)
        }

    right = values(20 * jax.nn.one_hot(path, DIGITS.size))
    assert (right["der"], right["der_beam"], right["der_3"]) == (0, 0, 0) and np.isnan(right["der_7"])
    empty = values(20 * jax.nn.one_hot(np.zeros((2, 9), int), DIGITS.size))
    assert (empty["der"], empty["der_beam"]) == (100, 100)


def test_the_bigram_compares_with_equal_probabilities() -> None:
    found = np.asarray(metrics.bigram([[1, 2], [1]], 3))
    np.testing.assert_allclose(np.exp(found) / 3, [[1 / 5, 3 / 5, 1 / 5], [2 / 5, 1 / 5, 2 / 5], [2 / 4, 1 / 4, 1 / 4]],
                               rtol=1e-5)  # fmt: skip


def test_words_have_the_steps_of_their_labels() -> None:
    path = [0, *LETTERS.labels("GG"), *LETTERS.labels("O"), 0, *LETTERS.labels(" "), 0, *LETTERS.labels("AA")]
    assert spoken_words(LETTERS, path) == [("GO", [1, 2, 3]), ("A", [7, 8])]
    assert spoken_words(DIGITS, [0, 2, 2, 0, 2, 3]) == [("1", [1, 2]), ("1", [4]), ("2", [5])]
    output = {
        "tokens": np.array([2, 3, 0]), "count": 2, "path": np.array([0, 2, 2, 3, 0]),
        "probability": np.array([1, 0.5, 0.75, 0.875, 1]), "lengths": 4,
    }  # fmt: skip
    assert Decode(DIGITS, 0.03)(output) == {
        "transcript": "1 2",
        "greedy": "1 2",
        "words": [
            {"word": "1", "start": 0.03, "end": 0.09, "probability": 0.5},
            {"word": "2", "start": 0.09, "end": 0.12, "probability": 0.875},
        ],
    }


def test_digits_of_the_real_data(fsdd_data_dir: str) -> None:
    task = TASKS["speech"](strings=8, dirs=DataDirs(fsdd_data_dir))
    assert task.trivial[EMPTY] == 100 and task.trivial[FREQUENT] > 80
    assert 19 < task.trivial[NEAREST] < 46  # 1-NN answers 54 to 81 % of an unseen speaker's digits right
    sets = task.data.load(DataDirs(fsdd_data_dir))
    assert [len(sets[split]["lengths"]) for split in ("train", "validation", "test")] == [8, 300, 500]
    assert task.spec.output_shape() == (sets["train"]["inputs"].shape[1], 11)
    again = TASKS["speech"](strings=8, dirs=DataDirs(fsdd_data_dir), learned=task.learned)
    np.testing.assert_array_equal(again.data.load(DataDirs(fsdd_data_dir))["test"]["inputs"], sets["test"]["inputs"])


def test_an4_has_validation_speakers_of_its_own(an4_data_dir: str) -> None:
    task = TASKS["speech"](dataset="an4", dirs=DataDirs(an4_data_dir))
    sets = task.data.load(DataDirs(an4_data_dir))
    counts = {split: len(arrays["lengths"]) for split, arrays in sets.items()}
    assert counts["test"] == 130 and 100 <= counts["validation"] < 120 and sum(counts.values()) == 1078
    units = Units(tuple(task.learned["units"]), words=False)
    words = [units.text(row[row > 0].tolist()).split() for row in sets["test"]["targets"]]
    assert sum(map(len, words)) == 773
    assert task.trivial[EMPTY] == 100 and task.application is not None and len(task.application.published) == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"speaker": "nobody"}, "speaker='nobody' isn't one of|speaker"),
        ({"dataset": "none"}, "dataset"),
        ({"beams": 0}, "beams=0 must be at least 1"),
        ({"speed": 1.0}, "speed=1.0 must be 0 or more, and below 1"),
        ({"language_weight": -1.0}, "language_weight=-1.0 must be 0 or more, and finite"),
        ({"unit": "characters"}, "unit='characters' is for other transcripts than digits"),
        ({"validation": "x.tsv"}, "validation='x.tsv' needs train"),
        ({"train": "x.csv"}, "train='x.csv' must end with .tsv"),
        ({"seed": -1}, "seed=-1 must be 0 or more"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        TASKS["speech"](**options)
    assert "\n" not in str(caught.value)
