"""Performance profiles against plain loops and the binomial distribution."""

import math

import numpy as np
import pytest
import scipy.stats

from gru_research import stats

INF, NAN = math.inf, math.nan
TASKS = [[0.1, 0.5, 0.9], [0.3, 0.3, 0.6, 1.0, -INF]]


def test_the_profile_is_the_mean_over_tasks_of_the_share_above():
    taus = [-INF, 0.0, 0.3, 0.55, 1.0, INF]
    found = stats.performance_profile(TASKS, taus)
    expected = [np.mean([sum(score > tau for score in task) / len(task) for task in TASKS]) for tau in taus]
    np.testing.assert_allclose(found.share, expected, rtol=1e-15)
    assert found.share[0] == pytest.approx(0.9)  # the failed run isn't above -inf either
    np.testing.assert_array_equal(found.thresholds, taus)
    assert (found.low <= found.share).all() and (found.share <= found.high).all()


def test_the_band_of_one_task_is_the_binomial_one():
    found = stats.performance_profile([np.arange(20.0)], [13.5], resamples=20_000)
    quantiles = scipy.stats.binom(20, 6 / 20).ppf([0.025, 0.975]) / 20
    np.testing.assert_allclose([found.low[0], found.high[0]], quantiles, rtol=1e-15)


def test_seeds_are_resampled_within_tasks():
    found = stats.performance_profile([[0.0] * 4, [1.0] * 4], [0.5])
    assert (found.share, found.low, found.high) == (0.5, 0.5, 0.5)
    found = stats.performance_profile([[0.0, 1.0] * 4], [0.5])
    assert found.low < 0.5 < found.high


def test_the_profile_falls_and_is_deterministic():
    tasks = np.random.default_rng(0).random((3, 7))
    taus = np.linspace(-0.1, 1.1, 25)
    first, again = stats.performance_profile(tasks, taus), stats.performance_profile(tasks, taus)
    np.testing.assert_array_equal(first.low, again.low)
    for curve in (first.share, first.low, first.high):
        assert (np.diff(curve) <= 0).all()
        assert (curve[0], curve[-1]) == (1, 0)
    wide = stats.performance_profile(tasks, taus, confidence=0.99)
    assert (wide.low <= first.low).all() and (wide.high >= first.high).all()
    assert (wide.high - wide.low).sum() > (first.high - first.low).sum()


@pytest.mark.parametrize("seeds", [[0.7], [0.7] * 5])
def test_seeds_that_agree_give_a_step(seeds):
    found = stats.performance_profile([seeds], [0.6, 0.7, 0.8])
    for curve in (found.share, found.low, found.high):
        assert curve.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("tasks", "taus", "options", "message"),
    [
        ([[0.1, NAN]], [0.5], {}, "scores_by_task hold NaN"),
        ([[0.1], []], [0.5], {}, "scores_by_task must be one axis"),
        ([], [0.5], {}, "scores_by_task must be one axis"),
        ([[0.1]], [], {}, "thresholds must be one axis"),
        ([[0.1]], [NAN], {}, "thresholds hold NaN"),
        ([[0.1]], [0.5], {"confidence": 0}, "confidence=0"),
        ([[0.1]], [0.5], {"resamples": 0}, "resamples=0"),
    ],
)
def test_the_profile_refuses(tasks, taus, options, message):
    with pytest.raises(ValueError, match=message):
        stats.performance_profile(tasks, taus, **options)
