"""From what was measured to what a run will take: sums and straight lines, with their errors. Nothing is timed here.

Two kinds of error go in: the spread of repeated calls, and that of a straight line through few points.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from scipy.special import stdtrit

from .selection import Schedule

COVERED = 0.8
"""Of calls that were repeated this share lies within an interval, and a line's prediction does with this confidence."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A number of seconds, and between what it lies."""

    low: float
    middle: float
    high: float

    def __add__(self, other: "Interval") -> "Interval":
        # Errors of one machine go together: what slows one part slows all, so they add up as they are.
        return Interval(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def times(self, factor: float) -> "Interval":
        return Interval(self.low * factor, self.middle * factor, self.high * factor)

    def beyond(self, other: "Interval") -> "Interval":
        """What is left of it when `other`, beside which it goes on, is over: `other + self.beyond(other)` is the longer
        of both at each end, so that the low end of this alone may be the highest."""
        ends = ((self.low, other.low), (self.middle, other.middle), (self.high, other.high))
        return Interval(*(max(0.0, mine - its) for mine, its in ends))

    def widened(self, share: float) -> "Interval":
        """At least so wide, as a share of the middle."""
        middle = self.middle
        return Interval(min(self.low, max(0.0, middle * (1 - share))), middle, max(self.high, middle * (1 + share)))


def exactly(value: float) -> Interval:
    """What was measured once, or counted."""
    return Interval(value, value, value)


def total(parts: Iterable[Interval]) -> Interval:
    return sum(parts, exactly(0.0))


def spread(values: Sequence[float]) -> Interval:
    """The median of repeated measurements, and the quantiles that hold `COVERED` of them."""
    low, middle, high = np.quantile(values, [(1 - COVERED) / 2, 0.5, (1 + COVERED) / 2])
    return Interval(float(low), float(middle), float(high))


def predict(xs: Sequence[float], ys: Sequence[float], x: float) -> Interval:
    """Least squares of y = a + b x, read at `x`, with the prediction interval of a single new y (Student's t).

    At least three points, or there is no error to see. Seconds don't go below 0.
    """
    n = len(xs)
    assert n >= 3 and len(ys) == n, (xs, ys)
    slope, intercept = np.polyfit(xs, ys, 1)
    mean = float(np.mean(xs))
    squares = float(np.sum((np.asarray(xs) - mean) ** 2))
    residual = float(np.sum((np.asarray(ys) - intercept - slope * np.asarray(xs)) ** 2)) / (n - 2)
    error = math.sqrt(residual * (1 + 1 / n + (x - mean) ** 2 / squares))
    reach = float(stdtrit(n - 2, (1 + COVERED) / 2)) * error
    middle = float(intercept + slope * x)
    return Interval(max(0.0, middle - reach), max(0.0, middle), max(0.0, middle + reach))


def between(points: Mapping[int, Interval], x: int) -> Interval:
    """The straight line through two points, for each end of the intervals apart; one point alone stands for a
    line through 0. A line that falls, which is noise, is taken as level at its highest point."""
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


@dataclasses.dataclass(frozen=True)
class Rates:
    """What training takes with all members side by side.

    Attributes:
      update: of one update of all members; loading: of bringing stored batches for it, 0 for generated ones.
      evaluation: of the validation set once; test: of the test set once.
      compiling: before the first update; compiling_test: before the test, where its set has another shape.
    """

    update: Interval
    loading: Interval
    evaluation: Interval
    test: Interval
    compiling: float
    compiling_test: float = 0.0

    def with_members(self, others: Mapping[int, "Rates"], per_device: int, loading: float) -> "Rates":
        """For so many members on the fullest device, from rates by that number; loading takes `loading` times."""

        def at(part: Callable[[Rates], Interval]) -> Interval:
            return between({n: part(rates) for n, rates in others.items()}, per_device)

        return dataclasses.replace(
            self,
            update=at(lambda r: r.update),
            loading=self.loading.times(loading),
            evaluation=at(lambda r: r.evaluation),
            test=at(lambda r: r.test),
        )

    def like(self, before: "Rates", after: "Rates") -> "Rates":
        """Changed by the factors from `before` to `after`; compilation stays."""

        def scaled(part: Callable[[Rates], Interval]) -> Interval:
            old = part(before).middle
            return part(self).times(part(after).middle / old if old else 1.0)

        return dataclasses.replace(
            self,
            update=scaled(lambda r: r.update),
            loading=scaled(lambda r: r.loading),
            evaluation=scaled(lambda r: r.evaluation),
            test=scaled(lambda r: r.test),
        )


def at_length(measured: Mapping[int, Rates], length: int, compiling: float) -> Rates:
    """Rates at a length that wasn't measured, by least squares over those that were."""
    lengths = sorted(measured)

    def fitted(part: Callable[[Rates], Interval]) -> Interval:
        return predict(lengths, [part(measured[n]).middle for n in lengths], length)

    return Rates(
        update=fitted(lambda r: r.update),
        loading=fitted(lambda r: r.loading),
        evaluation=fitted(lambda r: r.evaluation),
        test=fitted(lambda r: r.test),
        compiling=compiling,
        compiling_test=measured[lengths[-1]].compiling_test,
    )


@dataclasses.dataclass(frozen=True)
class Cost:
    """The wall time of training a cell, by part; `loading` is what training waits for, beyond the updates beside which
    the next batches are brought."""

    compiling: Interval = exactly(0.0)
    updating: Interval = exactly(0.0)
    loading: Interval = exactly(0.0)
    evaluating: Interval = exactly(0.0)

    def __add__(self, other: "Cost") -> "Cost":
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in _FIELDS}
        return Cost(**{name: a + b for name, (a, b) in pairs.items()})

    @property
    def total(self) -> Interval:
        return total(getattr(self, field.name) for field in _FIELDS)


_FIELDS = dataclasses.fields(Cost)


def evaluations(schedule: Schedule) -> int:
    """How often the validation set is evaluated: before the first update, every `eval_every`, after the last."""
    return 1 + math.ceil(schedule.updates / schedule.eval_every)


def phase(rates: Rates, schedule: Schedule, *, tested: bool) -> Cost:
    """What a tuning or a training takes where every member goes on to the end; a test comes after training."""
    evaluating = rates.evaluation.times(evaluations(schedule))
    return Cost(
        compiling=exactly(rates.compiling + (rates.compiling_test if tested else 0.0)),
        updating=rates.update.times(schedule.updates),
        loading=rates.loading.beyond(rates.update).times(schedule.updates),
        evaluating=evaluating + rates.test if tested else evaluating,
    )


def fullest(members: int, devices: int) -> int:
    """How many members the fullest device has."""
    return math.ceil(members / min(members, devices))
