"""When a run solved its task, and medians with unsolved seeds, by hand."""

import math

import numpy as np
import pytest

from gru_research import stats

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 2], 2),
        ([1, 2, 3, 4], 2.5),
        ([100, None, 200], 200),
        ([100, None, None], INF),
        ([100, 200, None, None], INF),
        ([100, 200, 300, None], 250),
        ([None], INF),
        ([NAN, INF, 5], INF),
    ],
)
def test_median_with_infinite(values, expected):
    assert stats.median_with_infinite(values) == expected


def test_median_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        stats.median_with_infinite([])


@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        ([0.5, 0.09, 0.08, 0.2], "min", 100),
        ([0.5, 0.09, 0.2, 0.09, 0.09], "min", 300),  # one evaluation alone is not enough
        ([0.05, 0.05], "min", 0),  # the evaluation before training counts
        ([0.1, 0.1, 0.09, 0.09], "min", 200),  # at the threshold is not below it
        ([0.05, 0.1, 0.1, 0.2], "max", 100),  # at the threshold is at or above it
        ([0.5, 0.05], "min", None),  # nothing confirms the last one
        ([0.05, None, 0.05, NAN, 0.05, -INF], "min", None),
        ([INF, INF, INF], "max", None),
        ([0.05], "min", None),
        ([], "min", None),
    ],
)
def test_solved_at(values, direction, expected):
    steps = [100 * i for i in range(len(values))]
    assert stats.solved_at(steps, values, 0.1, direction) == expected


def test_solved_at_takes_arrays_and_gives_an_int():
    found = stats.solved_at(np.arange(3), np.array([1.0, 0.0, 0.0], np.float32), 0.5, "min")
    assert found == 1
    assert type(found) is int


def test_a_task_without_a_threshold_is_never_solved():
    assert stats.solved_at([0, 1], [0.0, 0.0], None, "min") is None


def test_solved_at_refuses_lists_that_do_not_fit():
    with pytest.raises(ValueError, match="2 and 1"):
        stats.solved_at([0, 1], [0.5], 0.1, "min")
    with pytest.raises(ValueError, match="direction"):
        stats.solved_at([0, 1], [0.5, 0.5], None, "lower")
