"""The log-rank test: a published trial, SciPy's statistic, all relabellings one by one, its level."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

INF = math.inf
PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)
# Freireich et al. 1963: weeks of remission under 6-MP (+ is censored) and placebo (all observed).
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+".split()
PLACEBO = [1.0, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
SEEDS = st.lists(st.tuples(st.integers(1, 6).map(float), st.booleans()), min_size=1, max_size=4)


def observed_less_expected(x_times, x_solved, y_times, y_solved):
    """Over each time of solving: of x solved, less the share of x among those at risk times all that solved."""
    x, y = list(zip(x_times, x_solved, strict=True)), list(zip(y_times, y_solved, strict=True))
    result = 0.0
    for at in {t for t, s in x + y if s}:
        risk_x, risk = sum(t >= at for t, _ in x), sum(t >= at for t, _ in x + y)
        solved_x, solved = sum(t == at and s for t, s in x), sum(t == at and s for t, s in x + y)
        result += solved_x - solved * risk_x / risk
    return result


def by_enumeration(x, y):
    pooled = x + y
    observed = abs(observed_less_expected(*zip(*x, strict=True), *zip(*y, strict=True)))
    as_far = []
    for chosen in itertools.combinations(range(len(pooled)), len(x)):
        first = [pooled[i] for i in chosen]
        second = [pooled[i] for i in range(len(pooled)) if i not in chosen]
        found = observed_less_expected(*zip(*first, strict=True), *zip(*second, strict=True))
        as_far.append(abs(found) >= observed - 1e-9)
    return np.mean(as_far)


def test_the_statistic_of_a_published_trial():
    times = [float(week.rstrip("+")) for week in TREATED]
    solved = [not week.endswith("+") for week in TREATED]
    test = stats.log_rank_test(times, solved, PLACEBO, [True] * 21, 35)
    # 9 relapses were observed and 19.25 expected (Kleinbaum and Klein, Survival Analysis).
    assert test.effect == pytest.approx(9 - 19.25, abs=0.005)
    assert not test.exact
    # The approximation's p is 0.00004 (chi-squared 16.8).
    assert test.smallest_p == 1 / 20_001 <= test.p < 0.0003
    # None of ten random relabellings is as far.
    assert stats.log_rank_test(times, solved, PLACEBO, [True] * 21, 35, resamples=10).p == 1 / 11


@PROPERTY
@given(SEEDS, SEEDS)
def test_p_is_the_share_of_all_relabellings(x, y):
    test = stats.log_rank_test(*zip(*x, strict=True), *zip(*y, strict=True), 6.0)
    expected = observed_less_expected(*zip(*x, strict=True), *zip(*y, strict=True))
    assert test.effect == pytest.approx(expected, abs=1e-12)
    assert test.exact
    assert test.p == pytest.approx(by_enumeration(x, y), rel=1e-12)
    assert test.p >= test.smallest_p
    back = stats.log_rank_test(*zip(*y, strict=True), *zip(*x, strict=True), 6.0)
    assert (back.effect, back.p) == (pytest.approx(-test.effect, abs=1e-12), test.p)


@PROPERTY
@given(SEEDS, SEEDS)
def test_only_the_order_of_times_counts(x, y):
    (x_times, x_solved), (y_times, y_solved) = zip(*x, strict=True), zip(*y, strict=True)
    test = stats.log_rank_test(x_times, x_solved, y_times, y_solved, 6.0)
    other = stats.log_rank_test(np.exp(x_times), x_solved, np.exp(y_times), y_solved, math.exp(6.0))
    assert other == test


def test_the_sample_of_relabellings_agrees_with_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.exponential(1.0, 14), rng.exponential(1.7, 12)
    test = stats.log_rank_test(x, [True] * 14, y, [True] * 12, 100.0)
    theirs = scipy.stats.logrank(x, y)
    assert not test.exact
    # Theirs is over its standard deviation, with n_x n_y / n^2 at each time of solving, and p from the normal law.
    at_risk = [((x >= t).sum(), (y >= t).sum()) for t in np.concatenate([x, y])]
    variance = sum(n_x * n_y / (n_x + n_y) ** 2 for n_x, n_y in at_risk)
    assert test.effect == pytest.approx(theirs.statistic * math.sqrt(variance), rel=1e-9)
    assert test.p == pytest.approx(theirs.pvalue, abs=0.02)
    assert test == stats.log_rank_test(x, [True] * 14, y, [True] * 12, 100.0)


def test_the_level_is_held_over_all_relabellings():
    times = np.array([1.0, 2, 2, 3, 5, 8, 8, 8])
    solved = np.array([True, True, True, False, True, False, True, False])
    ps = []
    for chosen in itertools.combinations(range(8), 4):
        x = np.isin(np.arange(8), chosen)
        ps.append(stats.log_rank_test(times[x], solved[x], times[~x], solved[~x], 8.0).p)
    for level in np.unique(ps):
        assert (np.array(ps) <= level).mean() <= level + 1e-12


def test_the_smallest_p_is_that_of_cells_that_do_not_overlap():
    x, y = [1.0, 2, 3, 4, 5], [INF] * 5
    test = stats.log_rank_test(x, [True] * 5, y, [False] * 5, 10.0)
    assert test.p == test.smallest_p == 2 / math.comb(10, 5)
    assert test.effect > 0
    test = stats.log_rank_test([1.0, 2, 3], [True] * 3, y, [False] * 5, 10.0)
    assert test.p == test.smallest_p == 1 / math.comb(8, 3)


@pytest.mark.parametrize(
    ("times", "solved"), [([3.0], [True]), ([3.0] * 4, [True] * 4), ([INF], [False]), ([INF] * 5, [False] * 5)]
)
def test_cells_that_do_not_differ(times, solved):
    test = stats.log_rank_test(times, solved, times, solved, 10.0)
    assert (test.effect, test.p) == (0.0, 1.0)


def test_it_refuses():
    with pytest.raises(ValueError, match="y_times hold NaN"):
        stats.log_rank_test([1.0], [True], [math.nan], [True], 10.0)
    with pytest.raises(ValueError, match="resamples=0"):
        stats.log_rank_test([1.0], [True], [1.0], [True], 10.0, resamples=0)
    with pytest.raises(ValueError, match="end=-1"):
        stats.log_rank_test([1.0], [True], [1.0], [True], -1)
