"""The paired difference of two cells over the same seeds, in the metric's units."""

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
    """Returns the interquartile mean of x - y over paired seeds, with its percentile bootstrap interval over pairs.

    Each seed gives one difference, so effects that both cells share (the seed's batches) cancel. The statistic is the
    `iqm` of these S differences. If all are finite, the interval is their `iqm_interval`: pairs are resampled, never
    the two cells separately. The IQM of the differences isn't the difference of the two IQMs, which trim each cell's
    seeds separately.

    A seed that failed in one cell only has an infinite difference. A seed that failed in both has the difference 0, as
    in `paired_permutation_test`.

    Args:
      x, y: [S], the metric of the same seeds in the same order, with failed seeds as from `rank_worst`.

    Returns:
      The estimate in the metric's units, below 0 if x is lower. Its value is NaN if infinite differences of both signs
      remain after trimming. A resample with such differences counts as -inf for the lower end and inf for the upper.

    Raises:
      ValueError: no seeds, NaN, different numbers of seeds in x and y, or an option out of range.
    """
    bootstrap.check_options(confidence, resamples)
    distances, signs = differences(*pairs(x, y))
    d = signs * distances
    rng = np.random.default_rng(seed)
    drawn = d[rng.integers(d.size, size=(resamples, d.size))]
    with np.errstate(invalid="ignore"):  # inf - inf gives the documented NaN
        value, resampled = float(iqm_rows(d)), iqm_rows(drawn)
    undefined = np.isnan(resampled)
    low, _ = bootstrap.interval(np.where(undefined, -math.inf, resampled), confidence)
    _, high = bootstrap.interval(np.where(undefined, math.inf, resampled), confidence)
    return bootstrap.Estimate(value, low, high)
