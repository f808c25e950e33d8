"""The percentile bootstrap over seeds (Efron and Tibshirani 1993, chapter 13), stratified by task if there are several.

The ends of every interval are resampled values. They are never interpolated, as one may be finite and its neighbour
infinite. With few seeds the true coverage is below the nominal one (`interval_coverage` measures it). With one
seed, or with equal seeds, the interval is a point. That doesn't show that further seeds would agree.
"""

import dataclasses
import math

import numpy as np

RESAMPLES = 2000
"""The default number of resamples of an interval."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An estimate with the ends of its bootstrap interval. Each may be infinite."""

    value: float
    low: float
    high: float


def check_options(confidence: float, resamples: int) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r} must be above 0 and below 1")
    if resamples < 1:
        raise ValueError(f"resamples={resamples!r} must be at least 1")


def resample_counts(size: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Returns how often each of `size` seeds is in each resample of `size`: float64 [R, S], rows sum to S."""
    return rng.multinomial(size, np.full(size, 1 / size), size=resamples).astype(np.float64)


def ends(resampled: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the two values of `resampled` [R, ...] that enclose the share `confidence`, rounded outwards: [...]."""
    ordered = np.sort(resampled, axis=0)
    tail = math.floor((1 - confidence) / 2 * (len(ordered) - 1))
    return ordered[tail], ordered[len(ordered) - 1 - tail]


def interval(resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Returns `ends` of `resampled` [R] as floats."""
    low, high = ends(resampled, confidence)
    return float(low), float(high)
