"""By how much one cell differs from another over the same seeds, in the metric's own units."""

import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats import bootstrap
from gru_research.stats.interquartile import iqm_rows
from gru_research.stats.permutation import differences
from gru_research.stats.seed_values import pairs


def paired_difference(
    x: ArrayLike, y: ArrayLike, confidence: float = 0.95, resamples: int = bootstrap.RESAMPLES, seed: int = 0
) -> bootstrap.Estimate:
    """The interquartile mean of x - y over paired seeds, with its percentile bootstrap interval over pairs.

    Each seed gives one difference, so that what both cells share of a seed (its batches) drops out. The statistic is
    `iqm` of these S differences, and for finite ones the interval is `iqm_interval` of them: pairs are resampled, never
    the two cells apart. It isn't the difference of the cells' two IQMs, which cut seeds of each cell alone.

    A seed that failed in one cell alone differs infinitely; one that failed in both doesn't differ, as in
    `paired_permutation_test`.

    Args:
      x, y: [S], the metric of the same seeds in the same order, a failed seed as `rank_worst` has it.

    Returns:
      The estimate in the metric's units: below 0 where x has less of it. Its value is NaN where infinite differences
      of both signs are left after the cut, whose mean is undefined; a resample of that kind counts as -inf for the
      lower end and as inf for the upper one.

    Raises:
      ValueError: no seeds, NaN, another number of seeds in x than in y, or an option out of range.
    """
    bootstrap.check_options(confidence, resamples)
    distances, signs = differences(*pairs(x, y))
    d = signs * distances
    rng = np.random.default_rng(seed)
    drawn = d[rng.integers(d.size, size=(resamples, d.size))]
    with np.errstate(invalid="ignore"):  # inf - inf is the NaN that is promised
        value, resampled = float(iqm_rows(d)), iqm_rows(drawn)
    undefined = np.isnan(resampled)
    low, _ = bootstrap.interval(np.where(undefined, -math.inf, resampled), confidence)
    _, high = bootstrap.interval(np.where(undefined, math.inf, resampled), confidence)
    return bootstrap.Estimate(value, low, high)
