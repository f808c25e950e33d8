"""Numbers over seeds as lines, dots and texts: the median, with its interval where there are seeds enough for one."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gru_research import stats
from gru_research.report.exhibits.data import Dot, Line, dot, numbers

INTERVAL_FROM = 6
"""The fewest seeds that give the 95 % interval of the median; fewer are shown by their range."""


def band(values: ArrayLike) -> tuple[float, float]:
    """The ends of what is shown around the median of `values [S]`; they may be infinite where values are."""
    array = np.asarray(values, np.float64)
    if array.size >= INTERVAL_FROM:
        return stats.median_interval(array)
    return float(array.min()), float(array.max())


def line(label: str, place: int, x: Sequence[float], values: ArrayLike) -> Line:
    """The median of `values [S, K]` at each x, with its band where there are several seeds."""
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
    """The median of `values [S]` with its band."""
    array = np.asarray(values, np.float64)
    ends = band(array) if array.size > 1 else (np.nan, np.nan)
    return dot(label, (median(array), *ends), group)


def text(values: ArrayLike, written: Callable[[float], str]) -> str:
    """Such as "3.1 [2.0, 4.5]", or "3.1 (2.0 to 4.5)" where it is a range."""
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
    """Over the first axis; of an even number with infinite ones in the middle, the upper one rather than NaN."""
    ordered = np.sort(values, axis=0)
    low, high = ordered[(len(values) - 1) // 2], ordered[len(values) // 2]
    with np.errstate(invalid="ignore"):
        return np.where(low == high, high, (low + high) / 2)
