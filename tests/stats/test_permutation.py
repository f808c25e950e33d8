"""The paired test: all patterns of signs one by one, SciPy's signed-rank test, its level, infinite and tied seeds."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

INF, NAN = math.inf, math.nan
PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)
NUMBER = st.integers(-3, 3).map(float) | st.sampled_from([-INF, INF])
PAIRS = st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=6)


def by_enumeration(x, y):
    """p by exchanging x and y in every subset of the seeds, from SciPy's ranks of the differences."""

    def statistic(first, second):
        d = np.array([0.0 if a == b else a - b for a, b in zip(first, second, strict=True)])
        return (np.sign(d) * scipy.stats.rankdata(abs(d))).sum()

    observed = abs(statistic(x, y))
    exchanged = [
        statistic(*zip(*[(b, a) if s else (a, b) for a, b, s in zip(x, y, swaps, strict=True)], strict=True))
        for swaps in itertools.product([False, True], repeat=len(x))
    ]
    return np.mean([abs(t) >= observed for t in exchanged])


@PROPERTY
@given(PAIRS)
def test_p_is_the_share_of_all_exchanges(seeds):
    x, y = zip(*seeds, strict=True)
    test = stats.paired_permutation_test(x, y)
    assert test.p == pytest.approx(by_enumeration(x, y), rel=1e-12)
    assert test.ties == sum(a == b for a, b in seeds)
    assert test.p >= 2.0 ** (1 - len(seeds) + test.ties) * (1 - 1e-12) or test.ties == len(seeds)


@pytest.mark.parametrize("count", [6, 17, 40])
def test_p_is_scipys_exact_signed_rank_test(count):
    rng = np.random.default_rng(count)
    x, y = rng.standard_normal(count) + 0.4, rng.standard_normal(count)
    theirs = scipy.stats.wilcoxon(x, y, method="exact")
    found = stats.paired_permutation_test(x, y)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
    total = count * (count + 1) / 2
    assert (1 - abs(found.effect)) / 2 * total == pytest.approx(theirs.statistic)


def test_ties_and_zeros_are_scipys_pratt_test():
    d = np.array([0, 1, 1, 2, -2, 3, 3, 3, 0, -1.0])
    theirs = scipy.stats.wilcoxon(d, zero_method="pratt", method=scipy.stats.PermutationMethod(n_resamples=math.inf))
    assert stats.paired_permutation_test(d, np.zeros(10)).p == pytest.approx(theirs.pvalue, rel=1e-12)


@PROPERTY
@given(PAIRS)
def test_exchanging_the_cells_turns_the_effect_alone(seeds):
    x, y = zip(*seeds, strict=True)
    there, back = stats.paired_permutation_test(x, y), stats.paired_permutation_test(y, x)
    assert (back.effect, back.p, back.ties) == (-there.effect, there.p, there.ties)


@PROPERTY
@given(PAIRS)
def test_the_scale_and_the_order_of_seeds_do_not_matter(seeds):
    x, y = np.array(seeds).T
    other = stats.paired_permutation_test(4 * x[::-1] + 1, 4 * y[::-1] + 1)
    assert other == stats.paired_permutation_test(x, y)


@pytest.mark.parametrize("distances", [[1, 2, 3, 4, 5, 6], [1, 1, 1, 2, 2, INF], [0, 0, 1, 1, 2, 3]])
def test_the_level_is_held_over_all_patterns_of_signs(distances):
    ps = np.array(
        [
            stats.paired_permutation_test(np.array(distances) * signs, np.zeros(6)).p
            for signs in itertools.product([-1.0, 1.0], repeat=6)
        ]
    )
    for level in np.unique(ps):
        assert (ps <= level).mean() <= level + 1e-12


def test_the_level_is_held_in_a_simulation():
    rng = np.random.default_rng(0)
    trials = 400
    ps = np.array([stats.paired_permutation_test(*rng.standard_exponential((2, 8))).p for _ in range(trials)])
    assert (ps <= 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    assert (ps <= 0.05).any()


@pytest.mark.parametrize("count", [1, 2, 5, 6, 10])
def test_the_smallest_p_is_that_of_seeds_that_all_agree(count):
    test = stats.paired_permutation_test(np.arange(1.0, count + 1), np.zeros(count))
    assert test.p == test.smallest_p == 2 / 2**count
    assert (test.effect, test.ties, test.exact) == (1.0, 0, True)


@pytest.mark.parametrize("x", [[0.5], [0.5] * 5, [-INF] * 4, [INF, -INF]])
def test_seeds_that_do_not_differ(x):
    test = stats.paired_permutation_test(x, x)
    assert (test.effect, test.p, test.ties) == (0.0, 1.0, len(x))


def test_a_seed_that_failed_in_one_cell_is_the_largest_difference():
    x = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    failed, bad = [0.9] * 5 + [-INF], [0.9] * 5 + [-100.0]
    assert stats.paired_permutation_test(x, failed) == stats.paired_permutation_test(x, bad)
    other = stats.paired_permutation_test([*x[:5], -INF], [0.9] * 6)
    assert other.effect == pytest.approx(9 / 21)  # 1 + ... + 5 against 6


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, 2.0], [1.0], "the same seeds: 2 and 1"),
        ([NAN], [1.0], "x hold NaN"),
        ([1.0], [NAN], "y hold NaN"),
        ([], [], "x must be one axis"),
        ([[1.0]], [[1.0]], "x must be one axis"),
    ],
)
def test_it_refuses(x, y, message):
    with pytest.raises(ValueError, match=message):
        stats.paired_permutation_test(x, y)
