"""Defines metrics: statistics of each example inside jit, and the function that reduces them to one number."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from gru_research.types import Array, Arrays, Batch

Direction = Literal["min", "max"]
"""Whether a lower or a higher value of a metric is better."""
Statistics = Callable[[Any, Batch], Arrays]
"""`(outputs, batch) -> {name: [B, ...]}`, inside jit: the statistics of each example."""


@dataclasses.dataclass(frozen=True)
class Additive:
    """A metric that is a function of sums over examples, such as a mean or a word error rate.

    Attributes:
      statistics: returns the numbers to sum, `[B]` by name.
      finish: converts the sums over a set, float64 by name, to the metric.
      direction: whether a lower ("min") or a higher ("max") value is better.
      of: the first argument of `statistics`: the model's "outputs", or its generated "answers" (`decoding.Answers`).
    """

    statistics: Statistics
    finish: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    direction: Direction
    of: Literal["outputs", "answers"] = "outputs"


@dataclasses.dataclass(frozen=True)
class Collected:
    """A metric that isn't a function of sums. Arrays of all examples are kept and scored on the host.

    Attributes:
      statistics: returns the arrays to keep, `[B, ...]` by name.
      score: converts the whole set's arrays, `[N, ...]` by name, in the set's order, to the metric.
      direction, of: as in `Additive`.
      signature: how the metric was computed, in the standard library's notation if it has one.
    """

    statistics: Statistics
    score: Callable[[Mapping[str, np.ndarray]], float]
    direction: Direction
    of: Literal["outputs", "answers"] = "outputs"
    signature: str = ""


Metric = Additive | Collected


def mean(values: Callable[[Any, Batch], tuple[Array, Array]], direction: Direction, **how: Any) -> Additive:
    """Returns a weighted mean over examples of `values(outputs, batch) -> (values [B], weights [B])`."""

    def statistics(outputs: Any, batch: Batch) -> dict[str, Array]:
        value_B, weight_B = values(outputs, batch)
        return {"sum": value_B * weight_B, "weight": weight_B}

    return Additive(statistics, lambda sums: _quotient(sums["sum"], sums["weight"]), direction, **how)


def ratio(parts: Callable[[Any, Batch], tuple[Array, Array]], direction: Direction, **how: Any) -> Additive:
    """Returns a ratio of two sums over examples, from `parts(outputs, batch) -> (above [B], below [B])`."""

    def statistics(outputs: Any, batch: Batch) -> dict[str, Array]:
        above_B, below_B = parts(outputs, batch)
        return {"above": above_B, "below": below_B}

    return Additive(statistics, lambda sums: _quotient(sums["above"], sums["below"]), direction, **how)


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Returns `above / below`, without a warning: 0 / 0, from a set of zero total weight, is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / below
