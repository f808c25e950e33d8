"""The percentile bootstrap over seeds (Efron and Tibshirani 1993, chapter 13), stratified where there are tasks.

Every interval here is made of resampled values, not interpolated: between a finite and an infinite one there is
nothing to interpolate. With few seeds all of them promise too much (`interval_coverage` measures one); with one
seed, or seeds that all agree, they are a point, which says that nothing varied, not that nothing would.
"""

import dataclasses
import math

import numpy as np

RESAMPLES = 2000
"""The resamples of an interval, where a caller names no other number."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number and the ends of its bootstrap interval; each may be infinite."""

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
    """The two values of `resampled` [R, ...] between which `confidence` of them lie, rounding outwards: [...]."""
    ordered = np.sort(resampled, axis=0)
    tail = math.floor((1 - confidence) / 2 * (len(ordered) - 1))
    return ordered[tail], ordered[len(ordered) - 1 - tail]


def interval(resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """`ends` of `resampled` [R] as plain numbers."""
    low, high = ends(resampled, confidence)
    return float(low), float(high)
