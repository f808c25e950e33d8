"""The paired difference: SciPy's trimmed mean and bootstrap, what pairing removes, failed seeds, its coverage."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

INF, NAN = math.inf, math.nan
PROPERTY = settings(max_examples=30, deadline=None, derandomize=True)
WHOLE = st.integers(-8, 8).map(float)
PAIRS = st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=9)


@PROPERTY
@given(PAIRS)
def test_the_value_is_scipys_trimmed_mean_of_the_differences(pairs):
    x, y = np.array(pairs).T
    found = stats.paired_difference(x, y, resamples=1)
    assert found.value == pytest.approx(scipy.stats.trim_mean(x - y, 0.25), abs=1e-12)


@PROPERTY
@given(PAIRS)
def test_exchanging_the_cells_mirrors_it(pairs):
    x, y = np.array(pairs).T
    one, other = stats.paired_difference(x, y, resamples=50), stats.paired_difference(y, x, resamples=50)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)


def test_what_both_cells_share_of_a_seed_drops_out():
    rng = np.random.default_rng(1)
    shared = 100 * rng.standard_normal(12)
    x, y = rng.standard_normal(12) + 0.5, rng.standard_normal(12)
    apart, together = stats.paired_difference(x, y), stats.paired_difference(x + shared, y + shared)
    np.testing.assert_allclose([together.value, together.low, together.high],
                               [apart.value, apart.low, apart.high], atol=1e-12)  # fmt: skip
    # Resampled apart, the shared part would make the interval a hundred times as wide.
    assert together.high - together.low < 3


def test_the_interval_is_scipys_paired_percentile_bootstrap():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(12) + 0.5, rng.standard_normal(12)

    def statistic(a, b, axis):
        return scipy.stats.trim_mean(a - b, 0.25, axis=axis)

    theirs = scipy.stats.bootstrap(
        (x, y), statistic, paired=True, vectorized=True, method="percentile", n_resamples=10_000, rng=1
    ).confidence_interval  # fmt: skip
    found = stats.paired_difference(x, y, resamples=10_000)
    assert found == stats.paired_difference(x, y, resamples=10_000)
    # Quantiles of random resamples; the standard error of each is below 0.02 here.
    np.testing.assert_allclose([found.low, found.high], theirs, atol=0.05)
    assert found.low < found.value < found.high


def test_of_finite_seeds_it_is_the_iqm_of_the_differences():
    x, y = np.array([0.9, 0.8, 0.95, 0.7, 0.85]), np.array([0.5, 0.9, 0.6, 0.6, 0.8])
    assert stats.paired_difference(x, y) == stats.Estimate(stats.iqm(x - y), *stats.iqm_interval(x - y))


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1.0] * 5, [3.0] * 5, (-2.0, -2.0, -2.0)),
        ([INF] * 5, [INF] * 5, (0.0, 0.0, 0.0)),  # both failed: no difference
        ([INF] * 5, [1.0] * 5, (INF, INF, INF)),
        ([INF, 1.0, 1.0, 1.0, 1.0], [0.0] * 5, (1.0, 1.0, INF)),  # one of five is cut
        # Of two that failed apart both are cut, and a resample of nothing else is of either sign.
        ([INF, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, INF], (1.0, -INF, INF)),
        ([INF, 0.0], [0.0, INF], (NAN, -INF, INF)),
        ([INF, INF, 0.0, 0.0, 1.0], [0.0, 0.0, INF, INF, 0.0], (NAN, -INF, INF)),
    ],
)
def test_failed_seeds(x, y, expected):
    found = stats.paired_difference(x, y)
    assert (found.value, found.low, found.high) == pytest.approx(expected, nan_ok=True)


def test_its_coverage_is_that_of_the_iqms_interval_for_normal_data():
    rng = np.random.default_rng(0)
    trials, seeds, held = 1500, 5, 0
    for trial in range(trials):
        x, y = rng.multivariate_normal([1.0, 0.0], [[1.0, 0.6], [0.6, 2.0]], size=seeds).T
        found = stats.paired_difference(x, y, resamples=300, seed=trial)
        held += found.low <= 1.0 <= found.high
    # Two standard errors of the share, and a bit for 300 resamples in place of 2,000.
    assert held / trials == pytest.approx(stats.MEASURED_COVERAGE[seeds], abs=0.03)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([1.0], [1.0, 2.0], {}, "the same seeds: 1 and 2"),
        ([NAN], [1.0], {}, "x hold NaN"),
        ([], [], {}, "x must be one axis"),
        ([1.0], [1.0], {"confidence": 0.0}, "confidence=0.0"),
        ([1.0], [1.0], {"resamples": 0}, "resamples=0"),
    ],
)
def test_it_refuses(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        stats.paired_difference(x, y, **options)
