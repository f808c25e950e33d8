"""Noise-padded sequences: the nearest prototype solves the task from the signal, and is at chance on the padding."""

import itertools
from functools import partial
from math import erfc, sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.tasks.base import Task
from gru_research.tasks.noisy_padded import noisy_padded, prototypes
from gru_research.types import Batch
from tests.tasks.measuring import baseline, measures

SIZE = 4000


def made(task: Task, seed: int, size: int) -> Batch:
    """Makes a batch of `size` examples inside jit, as in training."""
    return jax.jit(task.data.make, static_argnums=1)(jax.random.key(seed), size)


def nearest(shown: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Returns the class of the nearest pattern: `[B, P, D]`, `[C, P, D]` -> `[B]`."""
    return np.square(shown[:, None] - patterns).sum((2, 3)).argmin(1)


@pytest.fixture(scope="module")
def batch() -> dict[str, np.ndarray]:
    """A batch with 20 steps, a signal of 8 x 8 and noise 1."""
    return {name: np.asarray(a) for name, a in made(noisy_padded(length=20), 1, SIZE).items()}


def test_the_nearest_prototype_is_the_class(batch: dict[str, np.ndarray]) -> None:
    task = noisy_padded(length=20)
    assert batch["inputs"].shape[1:] == task.spec.example["inputs"].shape == (20, 8)
    assert batch["inputs"].dtype == np.float32 and batch["targets"].dtype == np.int32
    answers = nearest(batch["inputs"][:, :8] * sqrt(2), prototypes(10, 8, 8))
    np.testing.assert_array_equal(answers, batch["targets"])
    perfect = jax.jit(partial(measures, task))(100 * jax.nn.one_hot(answers, 10), batch)
    assert (perfect["accuracy"] == 1).all() and float(perfect["loss"].max()) < 1e-6


def test_the_error_of_the_nearest_prototype_is_below_one_in_100_000() -> None:
    # The union bound: two patterns at a distance d are confused with probability Q(d / 2), Q the normal tail.
    patterns = prototypes(10, 8, 8).astype(float)
    confused = [0.5 * erfc(np.linalg.norm(a - b) / 2 / sqrt(2)) for a, b in itertools.permutations(patterns, 2)]
    assert sum(confused) / 10 < 1e-5


def test_noise_around_the_prototype_is_standard_and_independent_of_it(batch: dict[str, np.ndarray]) -> None:
    residue = batch["inputs"][:, :8] * sqrt(2) - prototypes(10, 8, 8)[batch["targets"]]
    assert residue.mean() == pytest.approx(0, abs=0.01) and residue.std() == pytest.approx(1, abs=0.01)
    by_class = np.stack([residue[batch["targets"] == c].mean(0) for c in range(10)])
    assert np.abs(by_class).max() < 0.3  # of 640 means of about 400, each with standard deviation .05


def test_the_padding_is_standard_noise_without_the_class(batch: dict[str, np.ndarray]) -> None:
    padding, targets = batch["inputs"][:, 8:].astype(float), batch["targets"]
    assert padding.mean() == pytest.approx(0, abs=0.01) and padding.std() == pytest.approx(1, abs=0.01)
    by_class = np.stack([padding[targets == c].mean(0) for c in range(10)])
    assert np.abs(by_class).max() < 0.3
    flat = padding.reshape(SIZE, -1)
    correlations = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(correlations).max() < 0.1, "steps and features are drawn independently, standard deviation .016"
    noise_before = (batch["inputs"][:, :8] * sqrt(2) - prototypes(10, 8, 8)[targets])[:, :4].reshape(SIZE, -1)
    assert np.abs(noise_before.T @ flat / SIZE).max() < 0.1
    # The same rule that is always right on the signal is at chance on any window of the padding.
    for start in (0, 4):
        answers = nearest(padding[:, start : start + 8] * sqrt(2), prototypes(10, 8, 8))
        assert np.mean(answers == targets) == pytest.approx(0.1, abs=0.025)  # standard deviation .005


def test_scale_does_not_tell_signal_from_padding(batch: dict[str, np.ndarray]) -> None:
    # Over classes and noise each number has mean 0 and variance 1; standard deviations .016 and .022.
    np.testing.assert_allclose(batch["inputs"].mean(0), 0, atol=0.08)
    np.testing.assert_allclose(batch["inputs"].var(0), 1, atol=0.11)


def test_classes_are_uniform_and_always_one_reaches_the_baseline(batch: dict[str, np.ndarray]) -> None:
    task = noisy_padded(length=20)
    np.testing.assert_allclose(np.bincount(batch["targets"]) / SIZE, 0.1, atol=0.025)
    always = jax.jit(partial(measures, task))(jnp.tile(jax.nn.one_hot(3, 10), (SIZE, 1)), batch)
    assert float(always["accuracy"].mean()) == pytest.approx(baseline(task), abs=0.025)
    assert baseline(task) == 0.1 and task.spec.output_size == 10


def test_prototypes_never_change() -> None:
    drawn = np.random.RandomState(0).standard_normal((3, 2, 2))
    mean, deviation = drawn.sum(0) / 3, np.sqrt(np.square(drawn - drawn.sum(0) / 3).sum(0) / 3)
    np.testing.assert_allclose(prototypes(3, 2, 2), (drawn - mean) / deviation, rtol=1e-5)


def test_without_noise_or_padding_the_input_is_the_prototype() -> None:
    batch = made(noisy_padded(length=2, signal=2, features=3, classes=2, noise=0.0), 0, 20)
    np.testing.assert_array_equal(batch["inputs"], prototypes(2, 2, 3)[np.asarray(batch["targets"])])
    np.testing.assert_allclose(np.abs(batch["inputs"]), 1, rtol=1e-6)


def test_a_batch_is_a_function_of_its_key_compiled_or_not() -> None:
    task = noisy_padded(length=5, signal=2, features=3)
    batch, compiled = task.data.make(jax.random.key(0), 20), made(task, 0, 20)
    np.testing.assert_array_equal(batch["targets"], compiled["targets"])
    # Multiplying and adding in one instruction rounds once where two round twice.
    np.testing.assert_allclose(batch["inputs"], compiled["inputs"], rtol=1e-5, atol=1e-6)
    assert not np.array_equal(batch["inputs"], made(task, 1, 20)["inputs"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 7}, r"^length=7 must be at least signal=8$"),
        ({"signal": 0}, r"^signal=0 must be at least 1$"),
        ({"features": 0}, r"^features=0 must be at least 1$"),
        ({"classes": 1}, r"^classes=1 must be at least 2$"),
        ({"noise": -1.0}, r"^noise=-1.0 must be at least 0 and finite$"),
        ({"noise": float("nan")}, r"^noise=nan must be at least 0 and finite$"),
        ({"threshold": 1.5}, r"^threshold=1.5 must be above 0 and at most 1$"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noisy_padded(**options)
