"""Normalised scores: the ends, both scales by hand, order, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

INF, NAN = math.inf, math.nan
PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("values", "baseline", "threshold", "direction", "expected"),
    [
        # an error: each tenfold counts alike; at 0 and below it is past every threshold
        ([10, 1, 0.1, 0.01, 0.001, 0, -1], 1.0, 0.01, "min", [0, 0, 0.5, 1, 1, 1, 1]),
        # an accuracy
        ([0.0, 0.1, 0.5, 0.9, 1.0], 0.1, 0.9, "max", [0, 0, 0.5, 1, 1]),
        # less is better, but not positive: a negative log-likelihood, and a threshold of 0
        ([2, 1, 0, -1, -2], 1.0, -1.0, "min", [0, 0, 0.5, 1, 1]),
        ([2, 1, 0.25, 0], 1.0, 0.0, "min", [0, 0, 0.75, 1]),
        ([-3, -2, -1], -3.0, -1.0, "max", [0, 0.5, 1]),
    ],
)
def test_normalized_by_hand(values, baseline, threshold, direction, expected):
    np.testing.assert_allclose(stats.normalized(values, baseline, threshold, direction), expected, atol=1e-15)


@pytest.mark.parametrize(("direction", "ends"), [("min", (1.0, 0.01)), ("min", (1.0, -1.0)), ("max", (0.1, 0.9))])
def test_infinite_values_score_as_the_worst_and_the_best(direction, ends):
    worst = stats.rank_worst([None], direction)
    assert stats.normalized(worst, *ends, direction) == 0
    assert stats.normalized(-worst, *ends, direction) == 1


def test_normalized_keeps_the_shape():
    assert stats.normalized(np.ones((2, 3)), 0.0, 2.0, "max").tolist() == [[0.5] * 3] * 2
    assert stats.normalized(0.5, 0.0, 1.0, "max") == 0.5
    assert stats.normalized([], 0.0, 1.0, "max").shape == (0,)


@PROPERTY
@given(st.lists(st.floats(-5, 5), min_size=2), st.sampled_from([("min", 3.0, 0.5), ("min", 3.0, -1.0), ("max", -1, 2)]))
def test_normalized_keeps_the_order(values, task):
    direction, baseline, threshold = task
    scores = stats.normalized(values, baseline, threshold, direction)
    ordered = scores[np.argsort(stats.as_scores(values, direction), kind="stable")]
    assert (np.diff(ordered) >= 0).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([NAN], 1.0, 0.1, "min"), "values hold NaN"),
        (([1.0], 0.1, 0.1, "min"), "threshold=0.1 must be below baseline=0.1"),
        (([1.0], 0.1, 0.1, "max"), "threshold=0.1 must be above baseline=0.1"),
        (([1.0], INF, 0.1, "min"), "baseline=inf must be finite"),
        (([1.0], 0.1, NAN, "max"), "threshold=nan must be finite"),
        (([1.0], 1.0, 0.1, "less"), "direction='less'"),
    ],
)
def test_normalized_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        stats.normalized(*arguments)
