"""Summarises numbers over seeds as lines, dots and texts: the median with its interval, or the range for few seeds."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gru_research import stats
from gru_research.report.exhibits import Dot, Line, dot, numbers

INTERVAL_FROM = 6
"""The fewest seeds with a 95 % interval of the median. Fewer seeds show their range."""


def band(values: ArrayLike) -> tuple[float, float]:
    """Returns the interval of the median of `values [S]`, or their range. Its ends may be infinite if values are."""
    array = np.asarray(values, np.float64)
    if array.size >= INTERVAL_FROM:
        return stats.median_interval(array)
    return float(array.min()), float(array.max())


def line(label: str, place: int, x: Sequence[float], values: ArrayLike) -> Line:
    """Returns the median of `values [S, K]` at each x, with its band if there are several seeds."""
    rows = np.asarray(values, np.float64)
    bands = [band(column) for column in rows.T] if len(rows) > 1 else []
    return Line(
        label,
        place,
        tuple(map(float, x)),
        numbers(median(rows)),
        numbers([low for low, _ in bands]),
        numbers([high for _, high in bands]),
    )


def dots(label: str, values: ArrayLike, group: int = 0) -> Dot:
    """Returns the median of `values [S]` with its band."""
    array = np.asarray(values, np.float64)
    ends = band(array) if array.size > 1 else (np.nan, np.nan)
    return dot(label, (median(array), *ends), group)


def text(values: ArrayLike, written: Callable[[float], str]) -> str:
    """Returns the median with its band, such as "3.1 [2.0, 4.5]", or "3.1 (2.0 to 4.5)" for a range."""
    array = np.asarray(values, np.float64)
    middle = written(float(median(array)))
    if array.size == 1:
        return middle
    low, high = map(written, band(array))
    return f"{middle} [{low}, {high}]" if array.size >= INTERVAL_FROM else f"{middle} ({low} to {high})"


def shown(seeds: int) -> str:
    """Returns what `line`, `dots` and `text` show of `seeds` seeds, for a caption."""
    if seeds == 1:
        return "one seed"
    return f"the median over {seeds} seeds and {'its 95 % interval' if seeds >= INTERVAL_FROM else 'their range'}"


def median(values: np.ndarray) -> np.ndarray:
    """Returns the median over the first axis. If the middle two values are equal, it is exactly that value."""
    ordered = np.sort(values, axis=0)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    with np.errstate(invalid="ignore"):
        return np.where(low == high, high, (low + high) / 2)
