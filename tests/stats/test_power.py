"""Power: the binomial distribution where the test is a sign test, the paired test itself sample by sample, and the
edges."""

import math

import numpy as np
import pytest
import scipy.stats

from gru_research import stats

INF, NAN = math.inf, math.nan


def power_of_the_sign_test(favour, seeds, level):
    """The chance that `seeds` pairs, each for x with the chance `favour`, reject for x at `level`."""
    wins = np.arange(seeds + 1)
    ps = np.array([scipy.stats.binomtest(int(k), seeds).pvalue for k in wins])
    return scipy.stats.binom(seeds, favour).pmf(wins)[(ps <= level) & (wins > seeds / 2)].sum()


@pytest.mark.parametrize("seeds", [1, 5, 6, 9, 11])
def test_differences_of_one_size_make_it_a_sign_test(seeds):
    x = [1.0] * 8 + [-1.0] * 2
    exact = power_of_the_sign_test(0.8, seeds, 0.05)
    # Three standard errors of 4,000 samples.
    tolerance = 3 * math.sqrt(exact * (1 - exact) / 4000) + 1e-12
    assert stats.expected_power(x, [0.0] * 10, seeds, resamples=4000) == pytest.approx(exact, abs=tolerance)


def test_random_patterns_of_signs_give_the_power_within_their_noise():
    x = [1.0] * 7 + [-1.0] * 3
    exact = power_of_the_sign_test(0.7, 41, 0.05)
    # The level isn't met exactly where p is from 1,024 random patterns, which blurs the power a little more.
    assert stats.expected_power(x, [0.0] * 10, 41, resamples=4000) == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("seeds", [9, 16])
def test_it_is_the_paired_test_of_resamples(seeds):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(7) + 0.7, rng.standard_normal(7)
    x[3], y[5], x[6] = -INF, -INF, y[6]
    tests = [stats.paired_permutation_test(x[index], y[index]) for index in rng.integers(7, size=(1000, seeds))]
    share = np.mean([test.p <= 0.05 and test.effect > 0 for test in tests])
    assert 0.1 < share < 0.9
    # Three standard errors of the difference of two samples of 1,000.
    assert stats.expected_power(x, y, seeds) == pytest.approx(share, abs=0.07)


def test_the_seeds_needed_are_where_the_exact_power_reaches_it():
    x, y = [1.0] * 9 + [-1.0], [0.0] * 10
    exact = next(n for n in range(1, 99) if all(power_of_the_sign_test(0.9, m, 0.05) >= 0.8 for m in (n, n + 1, n + 2)))
    found = stats.seeds_needed(x, y)
    assert found == stats.seeds_needed(x, y)
    assert abs(found - exact) <= 2


@pytest.mark.parametrize("shift", [0.6, 1.0])
def test_with_one_seed_fewer_the_power_is_not_reached(shift):
    noise = np.random.default_rng(3).standard_normal(12)
    x, y = noise - noise.mean() + shift, np.zeros(12)
    found = stats.seeds_needed(x, y)
    assert stats.expected_power(x, y, found) >= 0.8 > stats.expected_power(x, y, found - 1)


def test_small_levels_can_be_reached():
    x = np.arange(1.0, 6.0)
    assert stats.expected_power(x, np.zeros(5), 30, level=0.05 / 100, resamples=20) == 1
    # Random patterns blur p, so a seed or two more than the exact test's limit of 12.
    assert stats.seeds_needed(x, np.zeros(5), level=0.05 / 100, resamples=20) in (12, 13, 14)
    assert stats.expected_power(x, np.zeros(5), 60, level=1e-4, resamples=20) == 1


def test_a_larger_claim_needs_more_seeds():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(20)
    noise -= noise.mean()
    needed = [stats.seeds_needed(noise + shift, np.zeros(20)) for shift in (2.0, 1.0, 0.5)]
    assert needed == sorted(needed)
    assert needed[0] < needed[-1]
    x = noise + 0.7
    assert stats.seeds_needed(x, np.zeros(20)) < stats.seeds_needed(x, np.zeros(20), power=0.95)
    assert stats.seeds_needed(x, np.zeros(20)) < stats.seeds_needed(x, np.zeros(20), level=0.01)


def test_more_than_the_cap_is_none():
    rng = np.random.default_rng(2)
    x = rng.standard_normal(20)
    x += 0.1 - x.mean()
    assert stats.seeds_needed(x, np.zeros(20), most=30) is None
    assert stats.seeds_needed([1.0, 2.0], [0.0, 0.0], most=5) is None


@pytest.mark.parametrize("x", [[1.0], [1.0, 2.0, 3.0], [1.0] * 5, [INF] * 4])
def test_where_all_pairs_favour_x_the_test_itself_is_the_limit(x):
    y = np.zeros(len(x))
    assert stats.expected_power(x, y, 5) == 0
    assert stats.expected_power(x, y, 6) == 1
    assert stats.seeds_needed(x, y) == 6 == stats.seeds_needed_for_level()
    assert stats.seeds_needed(x, y, level=0.05 / 3) == 7 == stats.seeds_needed_for_level(tests=3)
    assert stats.seeds_needed(y, x) is None


@pytest.mark.parametrize("x", [[0.5], [0.5] * 6, [-INF] * 6])
def test_where_no_pair_differs_no_number_is_enough(x):
    assert stats.expected_power(x, x, 50) == 0
    assert stats.seeds_needed(x, x) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"power": 1.0}, "power=1.0"),
        ({"level": 0.0}, "level=0.0"),
        ({"level": 1e-5}, "level=1e-05 must be at least 0.0001"),
        ({"most": 0}, "most=0"),
        ({"resamples": 0}, "resamples=0"),
    ],
)
def test_seeds_needed_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        stats.seeds_needed([1.0, 2.0], [0.0, 0.0], **options)


def test_expected_power_refuses():
    with pytest.raises(ValueError, match="seeds=0 must be at least 1"):
        stats.expected_power([1.0], [0.0], 0)
    with pytest.raises(ValueError, match="the same seeds: 1 and 2"):
        stats.expected_power([1.0], [0.0, 1.0], 5)
    with pytest.raises(ValueError, match="x hold NaN"):
        stats.seeds_needed([NAN], [0.0])
