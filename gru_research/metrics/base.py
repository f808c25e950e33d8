"""What a metric is: statistics of each example inside jit, and how a set's become one number."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from gru_research.types import Array, Batch

Direction = Literal["min", "max"]
"""Whether less or more of a metric is better."""
Statistics = Callable[[Any, Batch], Mapping[str, Array]]
"""`(outputs, batch) -> {name: [B, ...]}`, inside jit: what each example adds."""


@dataclasses.dataclass(frozen=True)
class Additive:
    """A metric made of sums over the examples: a mean, or a ratio such as errors by words.

    Attributes:
      statistics: for each example the numbers to be summed, `[B]` by name.
      finish: from the sums over a set, float64 by name, to the metric.
      direction: whether less ("min") or more ("max") of it is better.
      of: what `statistics` reads as its outputs: the model's "outputs", or its generated "answers"
        (`decoding.Answers`).
    """

    statistics: Statistics
    finish: Callable[[Mapping[str, np.ndarray]], np.ndarray]
    direction: Direction
    of: Literal["outputs", "answers"] = "outputs"


@dataclasses.dataclass(frozen=True)
class Collected:
    """A metric of a whole set that no sums give: arrays of every example are kept, and scored on the host.

    Attributes:
      statistics: what is kept of each example, `[B, ...]` by name.
      score: from the whole set's arrays, `[N, ...]` by name, in the set's order, to the metric.
      direction, of: as in `Additive`.
      signature: how the metric was computed, in the words of the field's library where it has some.
    """

    statistics: Statistics
    score: Callable[[Mapping[str, np.ndarray]], float]
    direction: Direction
    of: Literal["outputs", "answers"] = "outputs"
    signature: str = ""


Metric = Additive | Collected


def mean(values: Callable[[Any, Batch], tuple[Array, Array]], direction: Direction, **how: Any) -> Additive:
    """The weighted mean over examples: `values(outputs, batch) -> (values [B], weights [B])`."""

    def statistics(outputs: Any, batch: Batch) -> dict[str, Array]:
        value_B, weight_B = values(outputs, batch)
        return {"sum": value_B * weight_B, "weight": weight_B}

    return Additive(statistics, lambda sums: _quotient(sums["sum"], sums["weight"]), direction, **how)


def ratio(parts: Callable[[Any, Batch], tuple[Array, Array]], direction: Direction, **how: Any) -> Additive:
    """The ratio of two sums over examples, such as errors by words: `(outputs, batch) -> (above [B], below [B])`."""

    def statistics(outputs: Any, batch: Batch) -> dict[str, Array]:
        above_B, below_B = parts(outputs, batch)
        return {"above": above_B, "below": below_B}

    return Additive(statistics, lambda sums: _quotient(sums["above"], sums["below"]), direction, **how)


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """NaN for 0 / 0, a set in which nothing counts; without a warning, as a record shows it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return above / below
