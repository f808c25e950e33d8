"""Values of seeds: which direction is better, how failed seeds rank, and checks of the input."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Direction = Literal["min", "max"]


def rank_worst(values: Iterable[float | None], direction: Direction) -> np.ndarray:
    """Returns `values` as float64 [S]. None and non-finite ones become the worst: +inf for "min", -inf for "max"."""
    check_direction(direction)
    array = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
    array[~np.isfinite(array)] = math.inf if direction == "min" else -math.inf
    return array


def as_scores(values: Iterable[float | None], direction: Direction) -> np.ndarray:
    """Converts `values` [S] of a metric to scores, for which higher is better: the sign changes for "min".

    None and non-finite values become -inf. Seeds keep the metric's order, so all rank statistics stay the same.
    """
    array = rank_worst(values, direction)
    return -array if direction == "min" else array


def check_direction(direction: str) -> None:
    if direction not in ("min", "max"):
        raise ValueError(f"direction={direction!r} must be 'min' or 'max'")


def one_axis(values: ArrayLike, name: str = "values") -> np.ndarray:
    """Returns `values` as float64 [S]. Raises ValueError for no values, more than one axis, or NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must be one axis of at least one number; got the shape {array.shape}")
    if np.isnan(array).any():
        raise ValueError(f"{name} hold NaN: rank_worst says where such a seed ranks")
    return array


def strata(values: ArrayLike | Sequence[ArrayLike], name: str = "values") -> list[np.ndarray]:
    """Returns one array [S] per task, from an array of two axes or a sequence of arrays. One axis is one task."""
    if hasattr(values, "__array__"):  # includes JAX arrays, without importing JAX
        values = np.atleast_1d(values)  # type: ignore[arg-type]
    if isinstance(values, Sequence | np.ndarray) and len(values) and np.ndim(values[0]) > 0:
        return [one_axis(stratum, name) for stratum in values]
    return [one_axis(values, name)]  # type: ignore[arg-type]


def pairs(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns `x` and `y`, of the same seeds in the same order, as float64 [S]. Raises ValueError if sizes differ."""
    first, second = one_axis(x, "x"), one_axis(y, "y")
    if first.size != second.size:
        raise ValueError(f"x and y must hold the same seeds: {first.size} and {second.size} numbers")
    return first, second
