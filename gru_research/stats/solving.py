"""The step at which a run solved its task, and the median over seeds, including seeds that never solved it."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from gru_research.stats.seed_values import Direction, check_direction, rank_worst


def median_with_infinite(values: Iterable[float | None]) -> float:
    """Returns the median of `values`, with None, NaN and infinite values as +inf.

    For an even number of values it is the mean of the middle two, and infinite if either is. The median steps to
    solve are therefore infinite if half of the seeds didn't solve the task.

    Raises:
      ValueError: no values.
    """
    array = rank_worst(values, "min")
    if not array.size:
        raise ValueError("the median of no values is undefined")
    return float(np.median(array))


def solved_at(
    steps: Sequence[int], values: Sequence[float | None], threshold: float | None, direction: Direction
) -> int | None:
    """Returns the step of the first of two consecutive evaluations past `threshold`; None if there are none.

    A value is past the threshold if it is strictly below for "min", at or above for "max". None, NaN and infinite
    values are never past it. The evaluation at step 0 counts like any other.

    Args:
      steps: the steps of the evaluations, ascending.
      values: the metric at each of `steps`.
      threshold: None for a task without a threshold; the result is then None.

    Raises:
      ValueError: `steps` and `values` differ in length, or `direction` is unknown.
    """
    check_direction(direction)
    if len(steps) != len(values):
        raise ValueError(f"steps and values must be as long as each other: {len(steps)} and {len(values)}")
    if threshold is None:
        return None
    past = [_is_past(value, threshold, direction) for value in values]
    for step, now, following in zip(steps, past, past[1:], strict=False):
        if now and following:
            return int(step)
    return None


def _is_past(value: float | None, threshold: float, direction: Direction) -> bool:
    if value is None or not math.isfinite(value):
        return False
    return bool(value < threshold if direction == "min" else value >= threshold)
