"""Axes of exponents of ten: their limits, ticks, and the values outside.

Values near 1 matter most in such figures. If other values are hundreds of decades away, the axis is cut to keep the
values near 1 visible. The caption then says where it is cut and which values are outside.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.axis import Axis

from gru_research.report import formatting
from gru_research.report.exhibits import Dots, Number, Plot

DECADES = 20
"""The number of decades that a cut axis shows on each side of 1, or beyond the value nearest to 1."""

_MARGIN = 0.05  # fraction of the axis, at both ends
_FEWEST_TICKS, _TICKS = 3, 6
_PLAIN = range(-3, 5)  # exponents of numbers written without a power of ten


def window(exponents: Iterable[Number]) -> tuple[float, float] | None:
    """Returns the lowest and highest exponent that a cut axis shows; None if all values span at most 2 `DECADES`."""
    known = [value for value in exponents if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if high - low <= 2 * DECADES:
        return None
    return max(low, min(high, 0) - DECADES), min(high, max(low, 0) + DECADES)


def fit(axis: Axis, shown: tuple[float, float] | None) -> None:
    """Sets an axis's ticks, and the limits `shown` from `window` if it is cut."""
    axis.set_major_locator(_Ticks())
    axis.set_major_formatter(_Labels())
    if shown is not None:
        low, high = shown
        margin = _MARGIN * (high - low)
        set_limits = axis.axes.set_ylim if axis is axis.axes.yaxis else axis.axes.set_xlim
        set_limits(low - margin, high + margin)


def outside(figure: Plot | Dots) -> str:
    """Returns the values outside a cut axis, as sentences; empty if the axis shows all."""
    named = list(_named(figure))
    shown = window(value for _, values in named for value in values)
    if shown is None:
        return ""
    low, high = shown
    known = [(called, [value for value in of if value is not None]) for called, of in named]
    below = [f"{called} down to {formatting.power(min(of))}" for called, of in known if of and min(of) < low]
    above = [f"{called} up to {formatting.power(max(of))}" for called, of in known if of and max(of) > high]
    text = "The axis is cut."
    text += f" Below {formatting.power(low)}: {', '.join(dict.fromkeys(below))}." if below else ""
    return text + (f" Above {formatting.power(high)}: {', '.join(dict.fromkeys(above))}." if above else "")


def _named(figure: Plot | Dots) -> Iterator[tuple[str, Sequence[Number]]]:
    """Yields the name of each line or dot on an axis of powers and its values, including interval ends."""
    if isinstance(figure, Dots):
        if figure.axis.scale == "powers":
            yield from ((row.label, (row.value, row.low, row.high)) for row in figure.rows)
        return
    for panel in figure.panels:
        for line in panel.lines if panel.y.scale == "powers" else ():
            called = f"{line.label} ({panel.title})" if panel.title else line.label
            yield called, (*line.y, *line.low, *line.high)


class _Ticks(matplotlib.ticker.Locator):
    """Ticks at whole exponents over two decades or more, otherwise at round numbers."""

    def __call__(self) -> np.ndarray:
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        low, high = sorted((vmin, vmax))
        if _whole(low, high):
            return np.asarray(matplotlib.ticker.MaxNLocator(_TICKS, integer=True).tick_values(low, high))
        decades = range(math.floor(low), math.ceil(high) + 1)
        round_ones = np.array([k + math.log10(m) for k in decades for m in (1, 2, 5)])
        if ((round_ones >= low) & (round_ones <= high)).sum() >= _FEWEST_TICKS:
            return round_ones
        # Within a part of a decade the axis is nearly linear. Scaling by the first decade prevents overflow.
        scale = math.floor(low)
        near = np.asarray(matplotlib.ticker.MaxNLocator(_TICKS).tick_values(10 ** (low - scale), 10 ** (high - scale)))
        return scale + np.log10(near[near > 0])


class _Labels(matplotlib.ticker.Formatter):
    """Labels whole exponents as powers of ten, and other ticks as numbers."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        if _whole(*sorted(self.axis.get_view_interval())):  # type: ignore[union-attr]
            return rf"$10^{{{x:.0f}}}$" if round(x) else "1"
        exponent = math.floor(x + 1e-9)
        if exponent in _PLAIN:
            return f"{10**x:.6g}"
        return rf"${10 ** (x - exponent):.6g}\times 10^{{{exponent}}}$"


def _whole(low: float, high: float) -> bool:
    return high - low >= 2
