"""A metric as a score that is comparable over tasks."""

import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.seed_values import Direction, check_direction


def normalized(values: ArrayLike, baseline: float, threshold: float, direction: Direction) -> np.ndarray:
    """`values` as scores in [0, 1]: 0 at the trivial baseline and whatever is worse, 1 at the threshold of "solved".

    Linear: score = (value - baseline) / (threshold - baseline), as human-normalised scores (Mnih et al. 2015).
    Where less is better and both ends are above 0, as for an error, it is linear in the logarithm:
    score = log(baseline / value) / log(baseline / threshold), so that each halving counts alike; whatever is at
    or below 0 there scores 1.

    The cut at 1 is on purpose: without it one task on which the error falls to 1e-9 would outweigh all others. So
    scores don't tell cells apart that all solve a task; steps to solve do. A score of 1 at the threshold itself
    isn't "solved" for "min", which wants less (`solved_at`).

    Args:
      values: the metric, of any shape. Infinite ones score 0 where they are the worst, 1 where the best.
      baseline: what a trivial answer reaches.
      threshold: past which the task counts as solved; better than `baseline`.

    Returns:
      float64, of the shape of `values`; never NaN.

    Raises:
      ValueError: NaN among `values`, an end that isn't finite, a threshold that isn't better than the baseline.
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
    # Cut before anything is divided: infinite values and logarithms of 0 never arise.
    cut = np.clip(array, min(baseline, threshold), max(baseline, threshold))
    if direction == "min" and threshold > 0:
        scores = np.log(baseline / cut) / math.log(baseline / threshold)
    else:
        scores = (cut - baseline) / (threshold - baseline)
    return np.clip(scores, 0.0, 1.0)
