"""The multiplication problem: targets recomputed from the inputs, and the error of always answering 1/4."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.data import DataDirs
from gru_research.tasks.base import Task
from gru_research.tasks.multiplication import multiplication
from gru_research.types import Batch
from tests.tasks.measuring import baseline, measures


def made(task: Task, seed: int, size: int) -> Batch:
    """Makes a batch of `size` examples inside jit, as in training."""
    return jax.jit(task.data.make, static_argnums=1)(jax.random.key(seed), size)


def test_targets_are_products_of_one_marked_number_in_each_half() -> None:
    task = multiplication(length=9)
    batch = made(task, 3, 400)
    assert batch["inputs"].shape[1:] == task.spec.example["inputs"].shape and batch["targets"].shape == (400, 1)
    for steps, (target,) in zip(np.asarray(batch["inputs"], float), np.asarray(batch["targets"]), strict=True):
        marked = [t for t, (_, marker) in enumerate(steps) if marker == 1]
        assert len(marked) == 2 and marked[0] < 4 <= marked[1]
        assert all(marker in (0, 1) for _, marker in steps)
        assert target == pytest.approx(math.prod(steps[t][0] for t in marked), rel=1e-6)


def test_numbers_are_uniform_and_every_step_is_marked_as_often_as_the_others_of_its_half() -> None:
    inputs = np.asarray(made(multiplication(length=9), 4, 8000)["inputs"], float)
    numbers, markers = inputs[..., 0], inputs[..., 1]
    assert numbers.min() >= 0 and numbers.max() < 1
    np.testing.assert_allclose([numbers.mean(), numbers.var()], [1 / 2, 1 / 12], atol=0.005)
    # The standard deviation of a share of 1/4 among 8000 is .005.
    np.testing.assert_allclose(markers.mean(0), [1 / 4] * 4 + [1 / 5] * 5, atol=0.025)


def test_a_batch_is_a_function_of_its_key_compiled_or_not() -> None:
    task = multiplication(length=9)
    batch, compiled = task.data.make(jax.random.key(0), 20), made(task, 0, 20)
    for name in batch:
        np.testing.assert_array_equal(batch[name], compiled[name])
    assert not np.array_equal(batch["inputs"], made(task, 1, 20)["inputs"])


def test_baseline_is_what_always_answering_a_quarter_reaches_and_the_product_reaches_0() -> None:
    task = multiplication(length=9, test_size=20_000)
    test = task.data.load(DataDirs())["test"]
    always = jax.jit(partial(measures, task))(jnp.full_like(test["targets"], 0.25), test)["mse"]
    # The standard deviation of the squared error is .067, so the mean of 20,000 is good to .0005.
    assert float(always.mean()) == pytest.approx(baseline(task), abs=0.002)
    assert baseline(task) == pytest.approx(7 / 144)
    perfect = jax.jit(partial(measures, task))(jnp.asarray(test["targets"]), test)
    assert float(jnp.abs(perfect["mse"]).max()) == 0 and perfect["loss"].shape == (20_000,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 1}, r"^length=1 must be at least 2$"),
        ({"threshold": 0.0}, r"^threshold=0.0 must be above 0 and below the baseline"),
        ({"threshold": 0.05}, r"^threshold=0.05 must be above 0 and below the baseline"),
        ({"test_size": 0}, r"^test_size=0 must be at least 1$"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        multiplication(**options)


def test_the_shortest_sequence_marks_both_steps() -> None:
    batch = made(multiplication(length=2), 0, 5)
    assert (np.asarray(batch["inputs"][..., 1]) == 1).all()
