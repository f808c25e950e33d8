"""The probability that a run of one cell beats a run of another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats import bootstrap
from gru_research.stats.seed_values import strata


def probability_of_improvement(
    x_by_task: ArrayLike | Sequence[ArrayLike],
    y_by_task: ArrayLike | Sequence[ArrayLike],
    confidence: float = 0.95,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> bootstrap.Estimate:
    """Returns the mean over tasks of P(X > Y) + P(X = Y) / 2, for runs X of x and Y of y on the same task.

    Within a task it is the Mann-Whitney statistic U / (S_x S_y) (Mann and Whitney 1947), with ties as one half. The
    mean over tasks and the stratified bootstrap follow Agarwal et al. 2021 (arXiv 2108.13264, section 4.3); x and y
    are resampled separately. 0.5 means no difference. Only the order of the scores counts, so any increasing scale
    gives the same result, and so do metrics from `as_scores`. The result says how often x wins, not by how much.

    Args:
      x_by_task, y_by_task: one array [S_x], [S_y] per task, higher is better, the same tasks in the same order. An
        array with one axis is one task. Infinite scores are ranked like numbers; two failed runs tie.

    Raises:
      ValueError: different numbers of tasks in x and y, no scores, NaN, or an option out of range.
    """
    bootstrap.check_options(confidence, resamples)
    x_tasks, y_tasks = strata(x_by_task, "x_by_task"), strata(y_by_task, "y_by_task")
    if len(x_tasks) != len(y_tasks):
        raise ValueError(f"x_by_task and y_by_task must hold the same tasks: {len(x_tasks)} and {len(y_tasks)}")
    rng = np.random.default_rng(seed)
    shares, drawn = [], []
    for x, y in zip(x_tasks, y_tasks, strict=True):
        wins = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        shares.append(wins.sum() / wins.size)
        x_times = bootstrap.resample_counts(x.size, resamples, rng)
        y_times = bootstrap.resample_counts(y.size, resamples, rng)
        drawn.append(((x_times @ wins) * y_times).sum(axis=1) / wins.size)
    low, high = bootstrap.interval(np.mean(drawn, axis=0), confidence)
    return bootstrap.Estimate(float(np.mean(shares)), low, high)
