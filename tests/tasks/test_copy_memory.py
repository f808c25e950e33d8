"""Copy memory: both published layouts step by step, and the metric of an answer without memory."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.tasks.base import Task
from gru_research.tasks.copy_memory import copy_memory
from gru_research.types import Batch
from tests.tasks.measuring import baseline, measures

LENGTH, SYMBOLS, CATEGORIES = 7, 3, 4
BLANK = {"arjovsky": 4, "bai": 0}


def made(task: Task, seed: int, size: int) -> Batch:
    """Makes a batch of `size` examples inside jit, as in training."""
    return jax.jit(task.data.make, static_argnums=1)(jax.random.key(seed), size)


@pytest.mark.parametrize("form", ["arjovsky", "bai"])
def test_every_sequence_is_laid_out_as_its_source_says(form: str) -> None:
    task = copy_memory(LENGTH, SYMBOLS, CATEGORIES, form)
    batch = made(task, 1, 300)
    blank, data = (4, {0, 1, 2, 3}) if form == "arjovsky" else (0, {1, 2, 3, 4})
    after = [5, 4, 4, 4] if form == "arjovsky" else [5, 5, 5, 5]
    inputs, targets = np.asarray(batch["inputs"]), np.asarray(batch["targets"])
    assert inputs.dtype == targets.dtype == np.int32
    assert inputs.shape == targets.shape == (300, 13) == (300, *task.spec.example["inputs"].shape)
    assert task.length == 13 and task.spec.vocabulary == task.spec.output_size == 6
    for x, y in zip(inputs.tolist(), targets.tolist(), strict=True):
        symbols = x[:3]
        assert set(symbols) <= data
        assert x == symbols + [blank] * 6 + after
        assert y == [blank] * 10 + symbols
    counts = np.bincount(inputs[:, :3].ravel(), minlength=6)[sorted(data)]
    np.testing.assert_allclose(counts / 900, 1 / 4, atol=0.08)  # standard deviation .014


def test_the_published_size_is_120_steps_of_10_tokens() -> None:
    task = copy_memory()
    assert task.length == 120 and task.spec.vocabulary == 10
    assert baseline(task) == pytest.approx(0.1733, abs=5e-5)  # 10 ln 8 / 120
    assert baseline(copy_memory(length=1000)) == pytest.approx(0.0204, abs=5e-5)
    assert task.threshold == pytest.approx(0.01733, abs=5e-6)


@pytest.mark.parametrize("form", ["arjovsky", "bai"])
def test_baseline_is_blank_and_then_a_uniform_guess(form: str) -> None:
    task = copy_memory(LENGTH, SYMBOLS, CATEGORIES, form, test_size=500)
    test = task.data.load(DataDirs())["test"]
    logits = np.full((500, 13, 6), -np.inf, np.float32)
    logits[:, :10, BLANK[form]] = 0
    first = 1 - BLANK[form] // CATEGORIES
    logits[:, 10:, first : first + CATEGORIES] = 0
    measured = jax.jit(partial(measures, task))(jnp.asarray(logits), test)
    np.testing.assert_allclose(measured["nll"], baseline(task), rtol=1e-5)
    assert baseline(task) == pytest.approx(3 * math.log(4) / 13)
    # argmax takes the first of equals: right in 1/4, with standard deviation .011 over 1500 symbols.
    assert float(measured["accuracy"].mean()) == pytest.approx(1 / 4, abs=0.05)


def test_a_perfect_answer_and_one_wrong_symbol() -> None:
    task = copy_memory(LENGTH, SYMBOLS, CATEGORIES)
    batch = made(task, 2, 4)
    sure = 100 * jax.nn.one_hot(batch["targets"], 6)
    measured = jax.jit(partial(measures, task))(sure, batch)
    assert float(measured["nll"].max()) < 1e-6 and (measured["accuracy"] == 1).all()
    np.testing.assert_array_equal(measured["loss"], measured["nll"])
    wrong = sure.at[0, -1].set(jnp.roll(sure[0, -1], 1))
    measured = jax.jit(partial(measures, task))(wrong, batch)
    np.testing.assert_allclose(measured["accuracy"], [2 / 3, 1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(measured["nll"], [100 / 13, 0, 0, 0], rtol=1e-6, atol=1e-6)


def test_a_batch_is_a_function_of_its_key_compiled_or_not() -> None:
    task = copy_memory(LENGTH, SYMBOLS, CATEGORIES)
    batch, compiled = task.data.make(jax.random.key(0), 20), made(task, 0, 20)
    for name in batch:
        np.testing.assert_array_equal(batch[name], compiled[name])
    assert not np.array_equal(batch["inputs"], made(task, 1, 20)["inputs"])


def test_the_shortest_task_has_no_blank_before_the_delimiter() -> None:
    batch = made(copy_memory(1, 1, 2), 0, 3)
    np.testing.assert_array_equal(batch["inputs"][:, 1:], [[3, 2]] * 3)
    np.testing.assert_array_equal(batch["targets"][:, :2], [[2, 2]] * 3)
    np.testing.assert_array_equal(batch["targets"][:, 2], batch["inputs"][:, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, r"^length=0 must be at least 1$"),
        ({"symbols": 0}, r"^symbols=0 must be at least 1$"),
        ({"categories": 1}, r"^categories=1 must be at least 2$"),
        ({"form": "x"}, r"^form='x' is unknown; choose from arjovsky, bai$"),
        ({"threshold_fraction": 1.0}, r"^threshold_fraction=1.0 must be above 0 and below 1$"),
        ({"threshold_fraction": 0.0}, r"^threshold_fraction=0.0 must be above 0 and below 1$"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        copy_memory(**options)
