"""Temporal order: classes recomputed from the sequences, and the published windows."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.tasks.base import Task
from gru_research.tasks.temporal_order import WINDOWS, temporal_order
from gru_research.types import Batch
from tests.tasks.measuring import baseline, measures

LETTERS = "EBabcdXY"
CLASSES = {
    2: dict(zip(("XX", "XY", "YX", "YY"), "QRSU", strict=True)),
    3: dict(zip(("XXX", "XXY", "XYX", "XYY", "YXX", "YXY", "YYX", "YYY"), "QRSUVABC", strict=True)),
}


def made(task: Task, seed: int, size: int) -> Batch:
    """Makes a batch of `size` examples inside jit, as in training."""
    return jax.jit(task.data.make, static_argnums=1)(jax.random.key(seed), size)


@pytest.mark.parametrize("symbols", [2, 3])
def test_every_sequence_is_as_published(symbols: int) -> None:
    task = temporal_order(symbols)
    batch = made(task, 1, 2000)
    inputs, targets, lengths = (np.asarray(batch[name]) for name in ("inputs", "targets", "lengths"))
    assert inputs.dtype == targets.dtype == lengths.dtype == np.int32
    assert inputs.shape == (2000, 110) == (2000, *task.spec.example["inputs"].shape)
    windows = {2: [(10, 20), (50, 60)], 3: [(10, 20), (33, 43), (66, 76)]}[symbols]
    places = []
    for tokens, target, length in zip(inputs.tolist(), targets.tolist(), lengths.tolist(), strict=True):
        word = "".join(LETTERS[token] for token in tokens)
        assert 100 <= length <= 110 and word[0] == "E" and word[length - 1] == "B"
        assert not set(word[1 : length - 1]) & set("EB")
        assert set(word[length:]) <= {"E"}, "the padding is the same whatever the class"
        relevant = [t for t in range(length) if word[t] in "XY"]
        assert len(relevant) == symbols
        assert all(low <= t <= high for t, (low, high) in zip(relevant, windows, strict=True))
        names = CLASSES[symbols]
        assert list(names.values())[target] == names["".join(word[t] for t in relevant)]
        places.append(relevant)
    for column, (low, high) in zip(np.array(places).T, windows, strict=True):
        # Each of 11 places has probability .091, with standard deviation .0064 over 2000.
        np.testing.assert_allclose(np.bincount(column - low, minlength=high - low + 1) / 2000, 1 / 11, atol=0.035)
    np.testing.assert_allclose(np.bincount(lengths - 100) / 2000, 1 / 11, atol=0.035)
    np.testing.assert_allclose(np.bincount(targets) / 2000, baseline(task), atol=0.05)
    distractors = np.bincount(inputs.ravel(), minlength=8)[2:6]
    np.testing.assert_allclose(distractors / distractors.sum(), 1 / 4, atol=0.01)


@pytest.mark.parametrize("symbols", [2, 3])
def test_windows_stay_apart_inside_the_sequence_at_every_length(symbols: int) -> None:
    for length in range(11, 400):
        shortest = 10 * length // 11
        ends = [end * shortest // 100 for window in WINDOWS[symbols] for end in window]
        assert ends[0] > 0 and ends[-1] < shortest - 1
        assert all(low <= high for low, high in zip(ends[::2], ends[1::2], strict=True))
        assert all(high < low for high, low in zip(ends[1:-1:2], ends[2::2], strict=True)), length


@pytest.mark.parametrize("symbols", [2, 3])
def test_the_shortest_sequences_keep_their_symbols(symbols: int) -> None:
    batch = made(temporal_order(symbols, length=11), 2, 300)
    inputs, lengths = np.asarray(batch["inputs"]), np.asarray(batch["lengths"])
    assert set(lengths) == {10, 11}
    for tokens, target, length in zip(inputs.tolist(), np.asarray(batch["targets"]), lengths, strict=True):
        word = "".join(LETTERS[token] for token in tokens)
        assert word[0] == "E" and word[length - 1] == "B" and word.count("B") == 1
        bits = [letter == "Y" for letter in word if letter in "XY"]
        assert len(bits) == symbols
        assert target == sum(bit << place for place, bit in enumerate(reversed(bits)))


def test_a_batch_is_a_function_of_its_key_compiled_or_not() -> None:
    task = temporal_order(3, length=11)
    batch, compiled = task.data.make(jax.random.key(0), 20), made(task, 0, 20)
    for name in batch:
        np.testing.assert_array_equal(batch[name], compiled[name])
    assert not np.array_equal(batch["inputs"], made(task, 1, 20)["inputs"])


@pytest.mark.parametrize("symbols", [2, 3])
def test_baseline_is_always_the_same_class_and_the_right_class_is_right(symbols: int) -> None:
    task = temporal_order(symbols, length=11)
    batch = made(task, 3, 4000)
    classes = 2**symbols
    assert task.spec.output_size == classes and baseline(task) == 1 / classes
    always = jax.jit(partial(measures, task))(jnp.tile(jax.nn.one_hot(1, classes), (4000, 1)), batch)
    assert float(always["accuracy"].mean()) == pytest.approx(baseline(task), abs=0.03)  # standard deviation .007
    perfect = jax.jit(partial(measures, task))(100 * jax.nn.one_hot(batch["targets"], classes), batch)
    assert (perfect["accuracy"] == 1).all() and float(perfect["loss"].max()) < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": 4}, r"^symbols=4 must be 2 or 3$"),
        ({"length": 10}, r"^length=10 must be at least 11"),
        ({"threshold": 0.0}, r"^threshold=0.0 must be above 0 and at most 1$"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        temporal_order(**options)
