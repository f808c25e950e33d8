"""The probability of improvement: SciPy's Mann-Whitney statistic, symmetry, scales, strata, degenerate seeds."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

INF, NAN = math.inf, math.nan
PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)
SCORES = st.lists(st.integers(-4, 4).map(float) | st.sampled_from([-INF, INF]), min_size=1, max_size=6)


def value(x, y):
    return stats.probability_of_improvement(x, y, resamples=1).value


@PROPERTY
@given(SCORES, SCORES)
def test_it_is_the_mann_whitney_statistic(x, y):
    statistic = scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic
    assert value(x, y) == pytest.approx(statistic / (len(x) * len(y)), abs=1e-15)


@PROPERTY
@given(SCORES, SCORES)
def test_exchanging_the_cells_gives_the_complement(x, y):
    assert value(x, y) + value(y, x) == pytest.approx(1, abs=1e-15)


@PROPERTY
@given(SCORES, SCORES)
def test_only_the_order_counts(x, y):
    def other_scale(scores):
        return np.exp(np.array(scores))

    first = stats.probability_of_improvement(x, y, resamples=50)
    assert first == stats.probability_of_improvement(other_scale(x), other_scale(y), resamples=50)


def test_tasks_count_alike():
    x, y = [[1.0] * 8, [0.0, 2.0]], [[0.0] * 3, [1.0]]
    assert value(x, y) == 0.75


def test_the_interval_is_scipys_percentile_bootstrap():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(12) + 0.5, rng.standard_normal(9)
    theirs = scipy.stats.bootstrap(
        (x, y), lambda a, b, axis: (a[..., :, None] > b[..., None, :]).mean((-2, -1)), method="percentile",
        n_resamples=10_000, rng=1,
    ).confidence_interval  # fmt: skip
    found = stats.probability_of_improvement(x, y, resamples=10_000)
    assert found == stats.probability_of_improvement(x, y, resamples=10_000)
    # Quantiles of random resamples; their standard error is below 0.004 here.
    np.testing.assert_allclose([found.low, found.high], theirs, atol=0.015)
    assert found.low < found.value < found.high


def test_the_interval_is_stratified():
    x, y = [[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]
    assert stats.probability_of_improvement(x, y) == stats.Estimate(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1.0], [0.0], 1.0),
        ([0.5] * 5, [0.5] * 3, 0.5),
        ([-INF] * 5, [-INF] * 5, 0.5),
        ([-INF] * 5, [0.0] * 5, 0.0),
    ],
)
def test_seeds_that_agree_give_a_point(x, y, expected):
    assert stats.probability_of_improvement(x, y) == stats.Estimate(expected, expected, expected)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([[1.0]], [[1.0], [2.0]], {}, "the same tasks: 1 and 2"),
        ([NAN], [1.0], {}, "x_by_task hold NaN"),
        ([1.0], [], {}, "y_by_task must be one axis"),
        ([1.0], [1.0], {"confidence": 1.5}, "confidence=1.5"),
        ([1.0], [1.0], {"resamples": 0}, "resamples=0"),
    ],
)
def test_it_refuses(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        stats.probability_of_improvement(x, y, **options)
