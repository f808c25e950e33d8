"""The interquartile mean: known answers, SciPy as the oracle, and the coverage that the report states."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from gru_research import stats

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("count", [*range(1, 14), 20, 101])
def test_iqm_is_scipys_trimmed_mean(count):
    values = np.random.default_rng(count).standard_normal(count)
    assert stats.iqm(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25), rel=1e-14)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1, 2, 6], 3.0),  # int(0.75) = 0 are cut
        ([9, 1, 2, 3], 2.5),  # one is cut at each end
        ([1, 2, 3, 4, INF], 3.0),
        ([1, 2, 3, INF, INF], INF),
        ([-INF, 0.8, 0.85, 0.9, 0.95], 0.85),
        ([INF] * 5, INF),
    ],
)
def test_iqm_by_hand(values, expected):
    assert stats.iqm(values) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], 3.0, [1.0, NAN]])
def test_iqm_refuses_what_has_none(values):
    with pytest.raises(ValueError, match="values"):
        stats.iqm(values)


def test_interval_is_deterministic_and_holds_the_iqm():
    values = np.random.default_rng(0).standard_normal(7)
    low, high = stats.iqm_interval(values)
    assert (low, high) == stats.iqm_interval(values)
    assert values.min() <= low < stats.iqm(values) < high <= values.max()
    assert (low, high) != stats.iqm_interval(values, seed=1)


def test_interval_grows_with_the_confidence():
    values = np.random.default_rng(0).standard_normal(9)
    intervals = [stats.iqm_interval(values, confidence) for confidence in (0.5, 0.8, 0.95, 0.99)]
    for (low, high), (lower, higher) in itertools.pairwise(intervals):
        assert lower < low < high < higher


def test_interval_follows_a_shift_and_a_scale():
    values = np.random.default_rng(0).standard_normal(8)
    expected = 2 * np.array(stats.iqm_interval(values)) + 3
    np.testing.assert_allclose(stats.iqm_interval(2 * values + 3), expected, rtol=1e-12)


def test_interval_agrees_with_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).standard_normal(10)
    theirs = scipy.stats.bootstrap(
        (values,), lambda v, axis: scipy.stats.trim_mean(v, 0.25, axis=axis), method="percentile",
        n_resamples=20_000, rng=1,
    ).confidence_interval  # fmt: skip
    # Both are quantiles of random resamples; their standard error is about 0.01 here.
    np.testing.assert_allclose(stats.iqm_interval(values, resamples=20_000), theirs, atol=0.05)


def test_interval_of_two_seeds_is_exact():
    # Each resample is (a, a) in a quarter of the cases: both are within the 95 %.
    assert stats.iqm_interval([1.0, 2.0]) == (1.0, 2.0)


@pytest.mark.parametrize("values", [[0.3], [0.3] * 5, [INF] * 5, [-INF] * 5])
def test_interval_of_equal_values_is_a_point(values):
    assert stats.iqm_interval(values) == (values[0], values[0])


@pytest.mark.parametrize(("worst", "direction"), [(INF, "min"), (-INF, "max")])
def test_interval_with_an_infinite_seed_is_never_nan(worst, direction):
    low, high = stats.iqm_interval(stats.rank_worst([1, 2, 3, 4, None], direction))
    assert worst in (low, high)
    assert not math.isnan(low) and not math.isnan(high)
    assert sum(math.isfinite(end) for end in (low, high)) == 1


def test_one_stratum_is_the_plain_bootstrap():
    values = np.random.default_rng(0).standard_normal(6)
    assert stats.iqm_interval([values]) == stats.iqm_interval(values)


def test_strata_are_resampled_within_themselves():
    # Every task's seeds agree, so there is nothing to resample, though the tasks differ.
    strata = [np.full(5, 1.0), np.full(5, 2.0), np.full(3, 6.0)]
    expected = stats.iqm(np.concatenate(strata))
    assert stats.iqm_interval(strata) == (pytest.approx(expected), pytest.approx(expected))
    low, high = stats.iqm_interval(np.concatenate(strata))
    assert low < expected < high


@pytest.mark.parametrize(
    ("kwargs", "field"),
    [({"confidence": 1.0}, "confidence=1.0"), ({"confidence": 0}, "confidence=0"), ({"resamples": 0}, "resamples=0")],
)
def test_interval_refuses_options_out_of_range(kwargs, field):
    with pytest.raises(ValueError, match=field):
        stats.iqm_interval([1.0, 2.0], **kwargs)


@pytest.mark.parametrize("values", [[], [1.0, NAN], [[1.0], []]])
def test_interval_refuses_what_has_none(values):
    with pytest.raises(ValueError, match="values"):
        stats.iqm_interval(values)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_stated_coverage_is_what_a_simulation_measures(seeds):
    trials = 3000
    stated = stats.MEASURED_COVERAGE[seeds]
    # Three standard errors of this simulation, and 0.01 as it has fewer resamples.
    tolerance = 3 * math.sqrt(stated * (1 - stated) / trials) + 0.01
    assert stats.interval_coverage(seeds, trials, resamples=500, seed=1) == pytest.approx(stated, abs=tolerance)


def test_the_aggregate_is_over_the_runs_of_all_tasks():
    tasks = [[0.1, 0.2, 0.4], [0.9, 0.5, 0.7, 0.8, 1.0]]
    found = stats.aggregate_iqm(tasks)
    assert found.value == pytest.approx(scipy.stats.trim_mean(np.concatenate(tasks), 0.25))
    assert (found.low, found.high) == stats.iqm_interval(tasks)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("task", [[0.3], [0.3] * 4])
def test_the_aggregate_of_seeds_that_agree_is_a_point(task):
    assert stats.aggregate_iqm([task, task]) == stats.Estimate(*[pytest.approx(0.3)] * 3)


@pytest.mark.parametrize("function", [stats.iqm, stats.iqm_interval, stats.aggregate_iqm])
def test_infinities_of_both_signs_have_no_mean(function):
    with pytest.raises(ValueError, match="both inf and -inf"):
        function([INF, 0.5, -INF])


def test_the_aggregate_refuses_a_task_without_seeds():
    with pytest.raises(ValueError, match="scores_by_task must be one axis"):
        stats.aggregate_iqm([[0.5], []])
