"""Converts a metric to scores that are comparable across tasks."""

import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.seed_values import Direction, check_direction


def normalized(values: ArrayLike, baseline: float, threshold: float, direction: Direction) -> np.ndarray:
    """Converts `values` to scores in [0, 1]: 0 at the trivial baseline or worse, 1 at the threshold or better.

    The score is linear: score = (value - baseline) / (threshold - baseline), as for human-normalised scores (Mnih et
    al. 2015). If lower is better and both baseline and threshold are above 0, as for an error, it is linear in the
    logarithm: score = log(baseline / value) / log(baseline / threshold). Each halving then counts alike, and values at
    or below 0 score 1.

    Scores are clipped at 1 so that one task with an error of 1e-9 can't outweigh all others. Scores therefore don't
    distinguish cells that all solve a task; steps to solve do. For "min", a value at the threshold scores 1 but isn't
    "solved", which requires a lower value (`solved_at`).

    Args:
      values: the metric, of any shape. An infinite value scores 0 if it is the worst, 1 if it is the best.
      baseline: the metric of a trivial answer.
      threshold: the metric past which the task counts as solved; better than `baseline`.

    Returns:
      float64, of the shape of `values`; never NaN.

    Raises:
      ValueError: NaN in `values`, a non-finite baseline or threshold, or a threshold no better than the baseline.
    """
    check_direction(direction)
    for name, end in (("baseline", baseline), ("threshold", threshold)):
        if not math.isfinite(end):
            raise ValueError(f"{name}={end!r} must be finite")
    if (threshold >= baseline) if direction == "min" else (threshold <= baseline):
        side = "below" if direction == "min" else "above"
        raise ValueError(f"threshold={threshold!r} must be {side} baseline={baseline!r} for direction={direction!r}")
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError("values hold NaN: rank_worst says where such a seed ranks")
    # Clipping before the division avoids infinite values and logarithms of 0.
    cut = np.clip(array, min(baseline, threshold), max(baseline, threshold))
    if direction == "min" and threshold > 0:
        scores = np.log(baseline / cut) / math.log(baseline / threshold)
    else:
        scores = (cut - baseline) / (threshold - baseline)
    return np.clip(scores, 0.0, 1.0)
