"""Associative recall: answers against a dictionary, and the positions of queries."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.tasks.associative_recall import associative_recall
from gru_research.tasks.base import Task
from gru_research.types import Batch
from tests.tasks.measuring import baseline, measures


def made(task: Task, seed: int, size: int) -> Batch:
    """Makes a batch of `size` examples inside jit, as in training."""
    return jax.jit(task.data.make, static_argnums=1)(jax.random.key(seed), size)


@pytest.mark.parametrize("filler", ["blank", "random"])
@pytest.mark.parametrize(("queries", "vocabulary"), [(3, 16), (2, 17)])
def test_a_dictionary_answers_every_query(filler: str, queries: int, vocabulary: int) -> None:
    task = associative_recall(3, queries, length=16, vocabulary=vocabulary, filler=filler)
    batch = made(task, 1, 500)
    inputs, steps, targets = (np.asarray(batch[name]) for name in ("inputs", "query_steps", "targets"))
    assert inputs.dtype == steps.dtype == targets.dtype == np.int32
    assert inputs.shape == (500, 16) and steps.shape == targets.shape == (500, queries)
    assert task.spec.output_size == (8 if vocabulary == 16 else 9) and task.spec.vocabulary == vocabulary
    for tokens, at, answers in zip(inputs.tolist(), steps.tolist(), targets.tolist(), strict=True):
        keys, values = tokens[0:6:2], tokens[1:6:2]
        assert len(set(keys)) == len(set(values)) == 3
        assert all(1 <= key < 8 for key in keys) and all(8 <= value < vocabulary for value in values)
        assert all(step in range(6, 16, 2) for step in at) and len(set(at)) == queries
        asked = [tokens[step] for step in at]
        assert [keys.index(key) for key in asked] == sorted({keys.index(key) for key in asked}), "in the pairs' order"
        lookup = dict(zip(keys, values, strict=True))
        assert [lookup[key] - 8 for key in asked] == answers
        rest = [tokens[t] for t in range(6, 16) if t not in at]
        assert all(0 <= token < vocabulary for token in rest)
        assert filler == "random" or not any(rest)
    if filler == "random":
        others = np.concatenate(
            [row[[t for t in range(6, 16) if t not in at]] for row, at in zip(inputs, steps, strict=True)]
        )
        assert set(others) == set(range(vocabulary))


def test_keys_values_and_asked_pairs_are_uniform_and_places_follow_the_power_law() -> None:
    batch = made(associative_recall(3, 2, length=16, vocabulary=17), 2, 8000)
    inputs, places = np.asarray(batch["inputs"]), (np.asarray(batch["query_steps"]) - 6) // 2
    # Standard deviations of these shares among 8000 are below .006.
    np.testing.assert_allclose(np.bincount(inputs[:, 0] - 1) / 8000, 1 / 7, atol=0.025)
    np.testing.assert_allclose(np.bincount(inputs[:, 3] - 8) / 8000, 1 / 9, atol=0.025)
    is_asked = (inputs[:, None, 0:6:2] == np.take_along_axis(inputs, 2 * places + 6, 1)[..., None]).any(1)
    np.testing.assert_allclose(is_asked.mean(0), 2 / 3, atol=0.025)
    # Draws without replacement, one after the other, from p ~ i ** -.99 over 5 places.
    p = np.arange(1, 6) ** -0.99
    p /= p.sum()
    for first, second in itertools.permutations(range(5), 2):
        share = np.mean((places[:, 0] == first) & (places[:, 1] == second))
        assert share == pytest.approx(p[first] * p[second] / (1 - p[first]), abs=0.025)


def test_baseline_is_always_the_value_of_the_last_pair() -> None:
    task = associative_recall(3, 2, length=16, vocabulary=17)
    batch = made(task, 2, 8000)
    last_BC = np.eye(task.spec.output_size)[np.asarray(batch["inputs"][:, 5]) - 8]
    accuracy = jax.jit(partial(measures, task))(np.tile(last_BC[:, None], (1, 16, 1)), batch)["accuracy"]
    assert baseline(task) == 1 / 3
    # It is 1/2 or 0, at 2/3 and 1/3: the standard deviation of the mean of 8000 is .0026.
    assert float(accuracy.mean()) == pytest.approx(baseline(task), abs=0.012)


def test_only_answers_at_the_queries_count() -> None:
    task = associative_recall(3, 3, length=16, vocabulary=16)
    batch = made(task, 4, 3)
    steps, targets = np.asarray(batch["query_steps"]), np.asarray(batch["targets"])
    outputs = 100 * np.random.RandomState(0).standard_normal((3, 16, 8)).astype(np.float32)
    for row, (at, answers) in enumerate(zip(steps, targets, strict=True)):
        for step, answer in zip(at, answers, strict=True):
            outputs[row, step] = 100 * np.eye(8)[answer]
    measured = jax.jit(partial(measures, task))(jnp.asarray(outputs), batch)
    assert (measured["accuracy"] == 1).all() and float(measured["loss"].max()) < 1e-6
    outputs[1, steps[1, 0]] = 100 * np.eye(8)[(targets[1, 0] + 1) % 8]
    measured = jax.jit(partial(measures, task))(jnp.asarray(outputs), batch)
    np.testing.assert_allclose(measured["accuracy"], [1, 2 / 3, 1], rtol=1e-6)
    np.testing.assert_allclose(measured["loss"], [0, 100 / 3, 0], rtol=1e-6, atol=1e-6)


def test_a_batch_is_a_function_of_its_key_compiled_or_not() -> None:
    task = associative_recall(3, 2, length=16, vocabulary=17, filler="random")
    batch, compiled = task.data.make(jax.random.key(0), 500), made(task, 0, 500)
    for name in batch:
        np.testing.assert_array_equal(batch[name], compiled[name])
    assert not np.array_equal(batch["inputs"], made(task, 1, 500)["inputs"])


def test_the_smallest_task_leaves_no_room() -> None:
    batch = made(associative_recall(1, 1, length=4, vocabulary=4), 0, 5)
    inputs = np.asarray(batch["inputs"])
    assert (inputs[:, [0, 2]] == 1).all() and (inputs[:, 3] == 0).all() and set(inputs[:, 1]) <= {2, 3}
    np.testing.assert_array_equal(batch["query_steps"], [[2]] * 5)
    np.testing.assert_array_equal(batch["targets"][:, 0], inputs[:, 1] - 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": 0}, r"^pairs=0 must be at least 1$"),
        ({"queries": 5}, r"^queries=5 must be from 1 to pairs=4$"),
        ({"queries": 0}, r"^queries=0 must be from 1 to pairs=4$"),
        ({"length": 15}, r"^length=15 must be at least 16, 2 \* \(pairs \+ queries\)$"),
        ({"vocabulary": 9}, r"^vocabulary=9 must be at least 10, 2 \* pairs \+ 2$"),
        ({"filler": "x"}, r"^filler='x' is unknown; choose from blank, random$"),
        ({"threshold": 2.0}, r"^threshold=2.0 must be above 0 and at most 1$"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        associative_recall(**options)
