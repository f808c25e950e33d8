"""Where failed seeds rank, and metrics as scores."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gru_research import stats

INF, NAN = math.inf, math.nan


def test_rank_worst():
    values = [0.5, None, NAN, INF, -INF]
    np.testing.assert_array_equal(stats.rank_worst(values, "min"), [0.5, INF, INF, INF, INF])
    np.testing.assert_array_equal(stats.rank_worst(values, "max"), [0.5, -INF, -INF, -INF, -INF])
    with pytest.raises(ValueError, match="direction='less'"):
        stats.rank_worst(values, "less")


def test_as_scores_puts_more_as_better_and_failed_seeds_last():
    values = [0.5, None, NAN, INF, -INF, 0.0]
    np.testing.assert_array_equal(stats.as_scores(values, "min"), [-0.5, -INF, -INF, -INF, -INF, 0])
    np.testing.assert_array_equal(stats.as_scores(values, "max"), [0.5, -INF, -INF, -INF, -INF, 0])
    with pytest.raises(ValueError, match="direction='up'"):
        stats.as_scores(values, "up")


RNG = np.random.default_rng(0)
SCORES, OTHERS = RNG.normal(size=(3, 6)).astype(np.float32), RNG.normal(size=(3, 6)).astype(np.float32)
TIMES, SOLVED = np.float32([1, 2, 3, 4, 5, 6]), np.array([True, True, False, True, False, True])
CALLS: dict[str, Callable[[Callable[[np.ndarray], Any]], Any]] = {
    "aggregate_iqm": lambda of: stats.aggregate_iqm(of(SCORES), resamples=50),
    "iqm_interval": lambda of: stats.iqm_interval(of(SCORES), resamples=50),
    "probability_of_improvement": lambda of: stats.probability_of_improvement(of(SCORES), of(OTHERS), resamples=50),
    "performance_profile": lambda of: stats.performance_profile(of(SCORES), of(np.float32([0, 1])), resamples=50),
    "normalized": lambda of: stats.normalized(of(SCORES), np.float32(-1), np.float32(2), "max"),
    "iqm": lambda of: stats.iqm(of(SCORES[0])),
    "median_interval": lambda of: stats.median_interval(of(SCORES[0])),
    "paired_permutation_test": lambda of: stats.paired_permutation_test(of(SCORES[0]), of(OTHERS[0])),
    "expected_power": lambda of: stats.expected_power(of(SCORES[0]), of(OTHERS[0]), np.int64(8), resamples=20),
    "seeds_needed": lambda of: stats.seeds_needed(of(SCORES[0] + 3), of(OTHERS[0]), most=np.int64(9), resamples=20),
    "log_rank_test": lambda of: stats.log_rank_test(of(TIMES), of(SOLVED), of(TIMES + 1), of(SOLVED), 9, 50),
    "survival_curve": lambda of: stats.survival_curve(of(TIMES), of(SOLVED), np.float32(9)),
    "restricted_mean": lambda of: stats.restricted_mean(of(TIMES), of(SOLVED), 9, resamples=50),
    "median_time_to_solve": lambda of: stats.median_time_to_solve(of(TIMES), of(SOLVED), 9),
    "holm": lambda of: stats.holm(of(np.float32([0.01, 0.04, 0.2]))),
    "rank_worst": lambda of: stats.rank_worst(of(np.float32([1, NAN, INF])), "min"),
    "as_scores": lambda of: stats.as_scores(of(np.float32([1, NAN, INF])), "min"),
    "solved_at": lambda of: stats.solved_at(of(np.arange(1, 7)), of(TIMES), np.float32(3), "max"),
    "median_with_infinite": lambda of: stats.median_with_infinite(of(TIMES)),
}


@pytest.mark.parametrize("name", CALLS)
def test_jax_arrays_serve_as_numpys(name):
    def numbers(found):
        return dataclasses.astuple(found) if dataclasses.is_dataclass(found) else found

    found, expected = numbers(CALLS[name](jnp.asarray)), numbers(CALLS[name](np.asarray))
    assert type(found) is type(expected)
    parts = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for a, b in parts:
        np.testing.assert_array_equal(a, b)


def test_tasks_of_several_kinds_and_numbers_of_seeds():
    ragged = [SCORES[0], SCORES[1, :4], SCORES[2]]
    expected = stats.aggregate_iqm(ragged, resamples=50)
    assert stats.aggregate_iqm([jnp.asarray(task) for task in ragged], resamples=50) == expected
    assert stats.aggregate_iqm([task.tolist() for task in ragged], resamples=50) == expected
    with pytest.raises(ValueError, match=r"must be one axis of at least one number; got the shape \(2, 6\)"):
        stats.aggregate_iqm(jnp.ones((3, 2, 6)))
