"""Computes the wall time of a whole training from measured rates. Nothing is timed here."""

import dataclasses
import math
from collections.abc import Callable, Mapping

from gru_research.training.selection import Schedule

from .intervals import Interval, exactly, interpolate, total


@dataclasses.dataclass(frozen=True)
class Rates:
    """Seconds that training takes with all members side by side.

    Attributes:
      update: one update of all members.
      loading: bringing the stored batches of one update to the devices; 0 for generated data.
      evaluation: one evaluation on the validation set.
      test: one evaluation on the test set, and before it one on the validation set for each way of answering that
        competes.
      compiling: compilation before the first update.
      compiling_test: compilation before the test, where the test set has another shape.
    """

    update: Interval
    loading: Interval
    evaluation: Interval
    test: Interval
    compiling: float
    compiling_test: float = 0.0

    def with_members(self, others: Mapping[int, "Rates"], per_device: int, loading: float) -> "Rates":
        """Rescales to `per_device` members on the busiest device.

        Args:
          others: measured rates by the number of members on the busiest device.
          loading: the factor by which loading grows.
        """

        def at(part: Callable[[Rates], Interval]) -> Interval:
            return interpolate({n: part(rates) for n, rates in others.items()}, per_device)

        return dataclasses.replace(
            self,
            update=at(lambda r: r.update),
            loading=self.loading.times(loading),
            evaluation=at(lambda r: r.evaluation),
            test=at(lambda r: r.test),
        )


@dataclasses.dataclass(frozen=True)
class Cost:
    """The wall time of training a cell, by part.

    The next batches are loaded while updates run. `loading` is the part of loading that training waits for.
    """

    compiling: Interval = exactly(0.0)
    updating: Interval = exactly(0.0)
    loading: Interval = exactly(0.0)
    evaluating: Interval = exactly(0.0)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in dataclasses.fields(Cost)})

    @property
    def total(self) -> Interval:
        return total(getattr(self, field.name) for field in dataclasses.fields(self))


def evaluations(schedule: Schedule) -> int:
    """Counts evaluations on the validation set: before the first update, every `eval_every`, and after the last."""
    return 1 + math.ceil(schedule.updates / schedule.eval_every)


def phase_cost(rates: Rates, schedule: Schedule, *, tested: bool) -> Cost:
    """Returns the cost of a tuning or a training in which every member makes all updates; training ends with a test."""
    evaluating = rates.evaluation.times(evaluations(schedule))
    return Cost(
        compiling=exactly(rates.compiling + (rates.compiling_test if tested else 0.0)),
        updating=rates.update.times(schedule.updates),
        loading=rates.loading.excess_over(rates.update).times(schedule.updates),
        evaluating=evaluating + rates.test if tested else evaluating,
    )


def busiest(members: int, devices: int) -> int:
    """Returns the number of members on the busiest device."""
    return math.ceil(members / min(members, devices))
