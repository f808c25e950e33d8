"""When a run solved its task, and the median over seeds some of which never did."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from gru_research.stats.seed_values import Direction, check_direction, rank_worst


def median_with_infinite(values: Iterable[float | None]) -> float:
    """The median of `values`, where None, NaN and infinite ones count as +inf.

    With an even number it is the mean of the middle two, so infinite where either is: the steps to
    solve of a task that half of the seeds didn't solve are infinite.

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
    """The step of the first of two consecutive evaluations past `threshold`; None where there are none.

    Past is strictly below the threshold for "min" and at or above it for "max". None, NaN and
    infinite values are never past. The evaluation at step 0 counts as any other.

    Args:
      steps: of the evaluations, ascending.
      values: the metric at each of `steps`.
      threshold: None for a task that can't be solved, which gives None.

    Raises:
      ValueError: `steps` and `values` differ in length, or an unknown direction.
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
