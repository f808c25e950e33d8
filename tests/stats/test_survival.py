"""Time to solve with censoring: a published trial, SciPy's estimates, plain means and medians where nothing is
censored early."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

INF, NAN = math.inf, math.nan
PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)
SEEDS = st.lists(st.tuples(st.integers(0, 12).map(float), st.booleans()), min_size=1, max_size=8)
# Freireich et al. 1963, the weeks of remission under 6-MP; the textbooks' example. + is censored.
WEEKS = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+".split()
TIMES = [float(week.rstrip("+")) for week in WEEKS]
SOLVED = [not week.endswith("+") for week in WEEKS]


def test_the_curve_of_a_published_trial():
    curve = stats.survival_curve(TIMES, SOLVED, 35)
    assert curve.times.tolist() == [0, 6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 21, 17, 15, 12, 11, 7, 6]
    # As Kleinbaum and Klein, Survival Analysis, print them.
    np.testing.assert_allclose(curve.unsolved, [1, 0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], atol=5e-5)
    assert stats.median_time_to_solve(TIMES, SOLVED, 35) == 23


def step_function(times, solved, end):
    """SciPy's survival function of the seeds, as a function of one time."""
    times, solved = np.array(times), np.array(solved)
    late = times > end
    times, solved = np.where(late, end, times), solved & ~late
    sf = scipy.stats.ecdf(scipy.stats.CensoredData(uncensored=times[solved], right=times[~solved])).sf
    return sf.evaluate


@PROPERTY
@given(SEEDS, st.sampled_from([3.0, 12.0, 20.0]))
def test_the_curve_and_its_area_are_scipys(seeds, end):
    times, solved = zip(*seeds, strict=True)
    curve = stats.survival_curve(times, solved, end)
    theirs = step_function(times, solved, end)
    np.testing.assert_allclose(curve.unsolved, theirs(curve.times), atol=1e-12)
    # Times are integers, so that the middle of each unit is away from the steps.
    area = sum(theirs(t + 0.5) for t in range(int(end)))
    # SciPy's curve ends with the last observation, where ours keeps its value.
    last = min(max(times), end)
    if all(solved) or last == end:
        assert stats.restricted_mean(times, solved, end, resamples=1).value == pytest.approx(area, abs=1e-12)


@PROPERTY
@given(st.lists(st.integers(0, 12).map(float) | st.just(INF), min_size=1, max_size=9))
def test_without_early_censoring_it_is_the_plain_mean_and_median(times):
    solved = np.isfinite(times)
    mean = stats.restricted_mean(times, solved, 20.0, resamples=50)
    assert mean.value == pytest.approx(np.minimum(times, 20.0).mean(), abs=1e-12)
    assert mean.low <= mean.value + 1e-9 and mean.value <= mean.high + 1e-9
    assert stats.median_time_to_solve(times, solved, 20.0) == stats.median_with_infinite(times)


def test_the_median_under_early_censoring():
    # 4 at risk, one solves: 3/4; one is censored; 2 at risk, one solves: 3/8.
    assert stats.median_time_to_solve([1.0, 2, 3, 9], [True, False, True, False], 9) == 3
    # 2/3, then 1/3 is reached by nobody: the other two are censored.
    assert stats.median_time_to_solve([1.0, 2, 3], [True, False, False], 9) == INF
    # One half for a while: its middle.
    assert stats.median_time_to_solve([1.0, 2, 3, 5, 6, 7], [True] * 6, 9) == 4


@pytest.mark.parametrize("first_half", [[1.0, 2, 2, 3, 3], [1.0, 2, 3, 3, 3]])
def test_one_half_is_found_through_rounding(first_half):
    times = [*first_half, 5, 6, 7, 8, 9]
    curve = stats.survival_curve(times, [True] * 10, 9)
    assert curve.unsolved[3] != 0.5  # above and below it, by rounding
    assert stats.median_time_to_solve(times, [True] * 10, 9) == 4


def test_what_happens_after_the_end_is_censored_there():
    late = stats.survival_curve([1.0, 5.0, 6.0], [True, True, False], 4.0)
    unsolved = stats.survival_curve([1.0, INF, INF], [True, False, False], 4.0)
    assert late.times.tolist() == unsolved.times.tolist() == [0, 1]
    np.testing.assert_allclose(late.unsolved, [1, 2 / 3])
    assert stats.restricted_mean([1.0, 5.0, 6.0], [True, True, False], 4.0).value == 3.0
    assert stats.survival_curve([4.0], [True], 4.0).unsolved.tolist() == [1, 0]


def test_the_curve_keeps_its_value_behind_the_last_observation():
    assert stats.restricted_mean([1.0, 2.0], [True, False], 10.0, resamples=1).value == 1 + 0.5 * 9


def test_the_interval_of_the_mean_is_scipys_bootstrap():
    times = np.array([3.0, 5, 8, 11, 14, INF, INF, 9])
    found = stats.restricted_mean(times, np.isfinite(times), 20.0, resamples=20_000)
    theirs = scipy.stats.bootstrap(
        (np.minimum(times, 20.0),), np.mean, method="percentile", n_resamples=20_000, rng=1
    ).confidence_interval
    # Quantiles of random resamples, a grid of 1/8 apart.
    np.testing.assert_allclose([found.low, found.high], theirs, atol=0.3)
    assert found == stats.restricted_mean(times, np.isfinite(times), 20.0, resamples=20_000)


def test_the_interval_of_the_mean_under_early_censoring():
    times, solved = np.array(TIMES), np.array(SOLVED)
    found = stats.restricted_mean(times, solved, 35.0, resamples=300)
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(300):
        index = rng.integers(21, size=21)
        curve = stats.survival_curve(times[index], solved[index], 35.0)
        drawn.append(np.diff(np.append(curve.times, 35.0)) @ curve.unsolved)
    # The standard error of each quantile of 300 resamples is about 0.5 weeks.
    np.testing.assert_allclose([found.low, found.high], np.quantile(drawn, [0.025, 0.975]), atol=2)


@pytest.mark.parametrize(
    ("times", "mean", "median"),
    [([7.0], 7, 7), ([7.0] * 5, 7, 7), ([INF], 10, INF), ([INF] * 5, 10, INF), ([0.0] * 3, 0, 0)],
)
def test_seeds_that_agree(times, mean, median):
    solved = np.isfinite(times)
    assert stats.restricted_mean(times, solved, 10.0) == stats.Estimate(mean, mean, mean)
    assert stats.median_time_to_solve(times, solved, 10.0) == median


@pytest.mark.parametrize("function", [stats.survival_curve, stats.restricted_mean, stats.median_time_to_solve])
@pytest.mark.parametrize(
    ("times", "solved", "end", "message"),
    [
        ([], [], 9.0, "times must be one axis"),
        ([NAN], [False], 9.0, "times hold NaN"),
        ([-1.0], [True], 9.0, "times=-1.0 must be at least 0"),
        ([INF], [True], 9.0, "times=inf must be finite for a seed that solved"),
        ([1.0], [1.0], 9.0, "solved must be booleans"),
        ([1.0, 2.0], [True], 9.0, r"solved must be booleans of the shape \(2,\)"),
        ([1.0], [True], 0, "end=0 must be above 0"),
        ([1.0], [True], INF, "end=inf must be above 0 and finite"),
        ([1.0], [True], NAN, "end=nan"),
    ],
)
def test_they_refuse(function, times, solved, end, message):
    with pytest.raises(ValueError, match=message):
        function(times, solved, end)


def test_the_mean_refuses_options_out_of_range():
    with pytest.raises(ValueError, match="confidence=1"):
        stats.restricted_mean([1.0], [True], 2.0, confidence=1)
