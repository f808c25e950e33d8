"""Statistics of gates over sequences: distributions, saturation, and the timescales of units."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_research.cells.shape_checks import kind_of
from gru_research.types import ArrayLike

from .arguments import flags, numbers

LOW, HIGH = 0.1, 0.9
_BINS = 20


@dataclasses.dataclass(frozen=True)
class GateStatistics:
    """One gate over all steps of all sequences.

    Attributes:
      mean: of each unit, `[H]`.
      low, high: the share of steps at which a unit is below `LOW` and above `HIGH`: saturated, `[H]` each.
      density: the histogram over all units, `[20]`: shares of 20 equal bins from 0 to 1 that add up to 1.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    density: np.ndarray


def gate_statistics(gates: Mapping[str, ArrayLike], real: ArrayLike | None = None) -> dict[str, GateStatistics]:
    """The statistics of each gate from what `trace` returns, `[*batch, T, H]` by name.

    Values outside 0 to 1, as the candidates n and g have, count in the first or last bin.

    Args:
      real: `[*batch, T]`, True at the steps that count; None: all do. `trace` leaves 0 at unreal steps.

    Raises:
      ValueError: a shape that doesn't fit, or no step that counts.
    """
    if not isinstance(gates, Mapping):
        raise TypeError(f"gates is {kind_of(gates)}: it must be a mapping by name, as trace returns it")
    found = {}
    for name, values in gates.items():
        rows = _rows(name, values, real)
        clipped = np.clip(rows, 0, 1)
        density = np.histogram(clipped, _BINS, (0, 1))[0] / clipped.size
        found[name] = GateStatistics(rows.mean(0), (rows < LOW).mean(0), (rows > HIGH).mean(0), density)
    return found


def timescales(kept: ArrayLike, real: ArrayLike | None = None) -> np.ndarray:
    """The number of steps in which each unit forgets all but 1/e of its state, `[H]`, from the gate that keeps it.

    `kept [*batch, T, H]` is z of a GRU, f of an LSTM. What a unit keeps over several steps is the product of its gate,
    so that the time constant is -1 / mean(log z); for a constant gate near 1 that is the 1 / (1 - z) that is often
    quoted. Infinite for a gate that is always 1.

    Args:
      real: as in `gate_statistics`.

    Raises:
      ValueError: as `gate_statistics`, or a value outside 0 to 1.
    """
    rows = _rows("kept", kept, real)
    if rows.min() < 0 or rows.max() > 1:
        raise ValueError(f"kept has values from {rows.min():g} to {rows.max():g}; a gate's are from 0 to 1")
    with np.errstate(divide="ignore"):
        return -1 / np.minimum(np.log(rows).mean(0), -0.0)


def _rows(name: str, values: ArrayLike, real: Any) -> np.ndarray:
    """The steps that count, `[N, H]` in float64."""
    array = numbers(name, values)
    if array.ndim < 2:
        raise ValueError(f"{name} has the shape {array.shape}; it must be [..., T, H]")
    if real is not None and np.shape(real) != array.shape[:-1]:
        raise ValueError(f"real has the shape {np.shape(real)}; with {name} it must be {array.shape[:-1]}")
    rows = array.reshape(-1, array.shape[-1]) if real is None else array[flags("real", real)]
    if not len(rows):
        raise ValueError(f"{name} has no step that counts")
    return rows
