"""Arithmetic on measured numbers with a low and a high end."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

COVERED = 0.8
"""The share of repeated measurements within an interval."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A number of seconds with a low and a high end."""

    low: float
    middle: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        # A busy machine slows all parts at once, so errors are fully correlated and their ends add up.
        return Interval(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def times(self, factor: float) -> "Interval":
        return Interval(self.low * factor, self.middle * factor, self.high * factor)

    def excess_over(self, other: "Interval") -> "Interval":
        """Returns the time by which `self` exceeds `other` when both run concurrently.

        `other + self.excess_over(other)` is the maximum of both at each end, so `low` may exceed `high`.
        """
        ends = ((self.low, other.low), (self.middle, other.middle), (self.high, other.high))
        return Interval(*(max(0.0, mine - its) for mine, its in ends))


def exactly(value: float) -> Interval:
    """Returns an interval without width, for a number that was counted or measured once."""
    return Interval(value, value, value)


def total(parts: Iterable[Interval]) -> Interval:
    return sum(parts, exactly(0.0))


def interval_of(values: Sequence[float]) -> Interval:
    """Returns the median of repeated measurements and the quantiles that hold `COVERED` of them."""
    low, middle, high = np.quantile(values, [(1 - COVERED) / 2, 0.5, (1 + COVERED) / 2])
    return Interval(float(low), float(middle), float(high))


def interpolate(points: Mapping[int, Interval], x: int) -> Interval:
    """Evaluates the line through one or two points at `x`, separately for each end of the intervals.

    One point defines a line through 0. A falling line is noise: its highest value is returned.
    """
    if x in points:
        return points[x]
    (x0, first), *rest = sorted(points.items())
    if not rest:
        return first.times(x / x0)
    x1, last = rest[-1]

    def at(end: Callable[[Interval], float]) -> float:
        y0, y1 = end(first), end(last)
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if y1 > y0 else max(y0, y1)

    low, middle, high = sorted((at(lambda i: i.low), at(lambda i: i.middle), at(lambda i: i.high)))
    return Interval(max(0.0, low), max(0.0, middle), max(0.0, high))
