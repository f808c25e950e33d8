"""The interval of a median: ranks from the binomial distribution, and how often it holds the true median."""

import math

import numpy as np
import pytest

from gru_research import stats


def test_ranks_are_those_of_the_binomial_table():
    for count, low, high in ((6, 1, 6), (10, 2, 9), (20, 6, 15), (25, 8, 18)):
        values = np.random.default_rng(0).permutation(np.arange(1, count + 1))
        assert stats.median_interval(values) == (low, high)


def test_too_few_values_have_no_interval_and_infinities_stay():
    assert stats.median_interval([1.0, 2.0, 3.0]) == (-math.inf, math.inf)
    assert stats.median_interval([-math.inf] * 6 + [0.0] * 14) == (-math.inf, 0.0)


def test_it_holds_the_true_median_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for values in rng.exponential(size=(2000, 20)):
        low, high = stats.median_interval(values)
        held += low <= math.log(2) <= high
    assert 0.945 < held / 2000 < 0.97  # 0.9586 by the binomial distribution


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([math.nan], 0.95), ([1.0], 1.0)])
def test_mistakes_are_refused(values, confidence):
    with pytest.raises(ValueError, match=r"."):
        stats.median_interval(values, confidence)
