"""The interval of a median from order statistics, without a bootstrap."""

import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.seed_values import one_axis


def median_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Returns a distribution-free interval of the median of `values` [S], between two order statistics.

    The number of values below the true median is binomial (n, 1/2). The k-th smallest and the k-th largest value
    therefore enclose the median with the probability 1 - 2 P(fewer than k below). k is the largest for which this is
    at least `confidence` (Conover 1999, Practical Nonparametric Statistics, section 3.2). For 20 values these are the
    6th and the 15th. With fewer than 6 values no k reaches 95 %, and the ends are infinite. Infinite values are kept.

    Raises:
      ValueError: no values, NaN, more than one axis, or `confidence` out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} must be above 0 and below 1")
    ordered = np.sort(one_axis(values))
    n, below, k = ordered.size, 0.0, 0
    while k < n // 2 and 1 - 2 * (below + math.comb(n, k) / 2**n) >= confidence:
        below += math.comb(n, k) / 2**n
        k += 1
    return (float(ordered[k - 1]), float(ordered[n - k])) if k else (-math.inf, math.inf)
