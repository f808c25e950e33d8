"""Performance profiles: the share of runs that score above each threshold."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats import bootstrap
from gru_research.stats.seed_values import one_axis, strata


@dataclasses.dataclass(frozen=True)
class Profile:
    """A performance profile; arrays [K].

    Attributes:
      thresholds: tau, as given.
      share: the share of runs that score strictly above each threshold.
      low, high: the pointwise interval of each share. A whole curve leaves its band more often.
    """

    thresholds: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def performance_profile(
    scores_by_task: ArrayLike | Sequence[ArrayLike],
    thresholds: ArrayLike,
    confidence: float = 0.95,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> Profile:
    """Returns F(tau), the mean over tasks of the share of the task's runs with a score > tau.

    F is the run-score distribution of Agarwal et al. 2021 (arXiv 2108.13264, section 4.2). Its pointwise band is from
    the stratified bootstrap: seeds are resampled within tasks. All tasks have equal weight, for any number of seeds.

    The comparison is strict, as in that paper. The profile of `normalized` scores, clipped at 1, is therefore 0 at
    tau = 1; the last informative threshold is just below 1. Infinite scores and thresholds are allowed.

    Args:
      scores_by_task: one array [S] per task, of scores comparable across tasks.
      thresholds: tau [K], in any order.

    Raises:
      ValueError: no scores or thresholds, NaN in either, or an option out of range.
    """
    bootstrap.check_options(confidence, resamples)
    taus = one_axis(thresholds, "thresholds")
    rng = np.random.default_rng(seed)
    shares, drawn = [], []
    for task in strata(scores_by_task, "scores_by_task"):
        above = (task[:, None] > taus).astype(np.float64)
        shares.append(above.sum(axis=0) / task.size)
        drawn.append(bootstrap.resample_counts(task.size, resamples, rng) @ above / task.size)
    low, high = bootstrap.ends(np.mean(drawn, axis=0), confidence)
    return Profile(taus, np.mean(shares, axis=0), low, high)
