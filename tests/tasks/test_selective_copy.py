"""Selective copying: targets recomputed from the inputs, for both kinds of recall."""

import itertools
from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.tasks.base import Task
from gru_research.tasks.selective_copy import selective_copy
from gru_research.types import Batch
from tests.tasks.measuring import baseline, measures


def made(task: Task, seed: int, size: int) -> Batch:
    """Makes a batch of `size` examples inside jit, as in training."""
    return jax.jit(task.data.make, static_argnums=1)(jax.random.key(seed), size)


@pytest.mark.parametrize("recall", ["end", "steps"])
def test_targets_are_the_tokens_among_the_noise_in_their_order(recall: str) -> None:
    task = selective_copy(length=6, symbols=2, categories=3, recall=recall)
    batch = made(task, 1, 3000)
    inputs, targets = np.asarray(batch["inputs"]), np.asarray(batch["targets"])
    assert inputs.dtype == targets.dtype == np.int32
    asked = [4, 4] if recall == "steps" else []
    assert inputs.shape[1:] == task.spec.example["inputs"].shape == (6 + len(asked),) == (task.length,)
    assert task.spec.vocabulary == (5 if recall == "steps" else 4)
    seen: Counter = Counter()
    for x, y in zip(inputs.tolist(), targets.tolist(), strict=True):
        assert x[6:] == asked
        assert [token - 1 for token in x[:6] if token != 0] == y
        assert set(y) <= {0, 1, 2}
        seen[tuple(t for t in range(6) if x[t])] += 1
    # Each of the 15 sets of places has probability 1/15, with standard deviation .0046 over 3000.
    assert set(seen) == set(itertools.combinations(range(6), 2))
    np.testing.assert_allclose(np.array(list(seen.values())) / 3000, 1 / 15, atol=0.025)
    np.testing.assert_allclose(np.bincount(targets.ravel()) / 6000, 1 / 3, atol=0.03)


def logits_of(classes_BK: np.ndarray, categories: int, recall: str, length: int) -> jax.Array:
    """Returns confident outputs for these classes, in the layout of the task's model."""
    sure = 100 * np.eye(categories, dtype=np.float32)[classes_BK]
    if recall == "end":
        return jnp.asarray(sure.reshape(len(sure), -1))
    before = np.random.RandomState(0).standard_normal((len(sure), length - sure.shape[1], categories))
    return jnp.asarray(np.concatenate([before, sure], 1), jnp.float32)


@pytest.mark.parametrize("recall", ["end", "steps"])
def test_exact_match_needs_every_symbol(recall: str) -> None:
    task = selective_copy(length=6, symbols=2, categories=3, recall=recall)
    assert task.spec.output_size == (6 if recall == "end" else 3) and task.spec.answers == (
        "last" if recall == "end" else "every"
    )
    batch = made(task, 2, 3)
    answers = np.array(batch["targets"])
    measured = jax.jit(partial(measures, task))(logits_of(answers, 3, recall, task.length), batch)
    assert (measured["exact_match"] == 1).all() and (measured["accuracy"] == 1).all()
    assert float(measured["loss"].max()) < 1e-6
    answers[0, 1] = (answers[0, 1] + 1) % 3
    answers[1] = (answers[1] + 1) % 3
    measured = jax.jit(partial(measures, task))(logits_of(answers, 3, recall, task.length), batch)
    np.testing.assert_array_equal(measured["exact_match"], [0, 0, 1])
    np.testing.assert_array_equal(measured["accuracy"], [0.5, 0, 1])
    np.testing.assert_allclose(measured["loss"], [50, 100, 0], atol=1e-5)


@pytest.mark.parametrize("recall", ["end", "steps"])
def test_baseline_is_what_a_uniform_guess_reaches(recall: str) -> None:
    task = selective_copy(length=6, symbols=2, categories=3, recall=recall)
    batch = made(task, 3, 3000)
    guesses = np.random.RandomState(1).randint(0, 3, (3000, 2))
    measured = jax.jit(partial(measures, task))(logits_of(guesses, 3, recall, task.length), batch)
    assert baseline(task) == pytest.approx(1 / 9)
    assert float(measured["exact_match"].mean()) == pytest.approx(1 / 9, abs=0.025)  # standard deviation .0057


def test_the_published_chance_is_2_in_10_000() -> None:
    assert baseline(selective_copy()) == pytest.approx(2.4e-4, abs=1e-5)


def test_a_batch_is_a_function_of_its_key_compiled_or_not() -> None:
    task = selective_copy(length=6, symbols=2, categories=3)
    batch, compiled = task.data.make(jax.random.key(0), 20), made(task, 0, 20)
    for name in batch:
        np.testing.assert_array_equal(batch[name], compiled[name])
    assert not np.array_equal(batch["inputs"], made(task, 1, 20)["inputs"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 3}, r"^length=3 must be at least symbols=4$"),
        ({"symbols": 0}, r"^symbols=0 must be at least 1$"),
        ({"categories": 1}, r"^categories=1 must be at least 2$"),
        ({"recall": "x"}, r"^recall='x' is unknown; choose from end, steps$"),
        ({"threshold": 1.1}, r"^threshold=1.1 must be above 0 and at most 1$"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        selective_copy(**options)
