"""How the axes of figures look: limits, ticks, forms of numbers, and the references across them.

References are never omitted. One far from the measured values would compress their range too much, so it becomes an
arrow at the edge of a fitted axis, with its value.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import matplotlib.ticker
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from gru_research.report.drawing import figure_style, log_axis
from gru_research.report.exhibits import Axis, Number, Reference

Which = Literal["x", "y"]
FITTED = ("fitted", "fitted log", "rate")
_ARROWS = {"x": "\u25c0\u25b6", "y": "\u25bc\u25b2"}  # for values below the low end, above the high end
_ROW = 15  # points between the texts of two arrows, for text of 10 points
_LOG_MARGIN = 1.15
_QUARTERS, _STEPS = (0, 0.25, 0.5, 0.75, 1), (1, 2, 2.5, 5, 10)


def fit(axes: Axes, which: Which, shown: Axis, values: Iterable[Number]) -> None:
    """Sets the scale, limits, ticks and label of an axis that shows `values`, or `shown.limits` if given."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    known = [v for v in shown.limits or values if v is not None and math.isfinite(v)]
    match shown.scale:
        case "linear" if shown.limits:
            _set(axes, which, known[0], known[1])
        case "log":
            # A logarithmic axis needs a point, but nothing drawn may be finite. So limits are set explicitly.
            _set(axes, which, min(known) / _LOG_MARGIN, max(known) * _LOG_MARGIN, logarithmic=True)
            axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,g}"))
        case "powers":
            log_axis.fit(axis, log_axis.window(known))
        case "updates" | "seconds":
            whole = shown.scale == "updates"
            axis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6, integer=whole, steps=_STEPS))
            axis.set_major_formatter("{x:,.0f}" if whole else "{x:,.4g}")
            if shown.limits:
                _set(axes, which, known[0], 1.02 * known[1])
        case "share":
            _set(axes, which, 0, 1)
            axis.set_ticks(_QUARTERS, ["0", "25 %", "50 %", "75 %", "100 %"])
        case "score":
            _set(axes, which, -0.02, 1.02)
            axis.set_ticks(_QUARTERS, ["0\nbaseline", "0.25", "0.5", "0.75", "1\nthreshold"])
        case "fitted" | "fitted log" | "rate":
            _fit_metric(axes, which, shown, known)
    if shown.scale == "rate":
        axis.set_major_formatter(matplotlib.ticker.LogFormatterSciNotation())
    if shown.ticks:
        places, labels = zip(*shown.ticks, strict=True)
        axis.set_ticks(places, list(map(figure_style.text, labels)))
        axis.set_ticks([], minor=True)
    axes.set(**{f"{which}label": figure_style.text(shown.label)})


def is_clipped(*shown: Axis) -> bool:
    """Whether marks at the ends of these axes are clipped. Shares and scores often are at their ends."""
    return not any(axis.scale in ("share", "score") for axis in shown)


def ends(axes: Axes, which: Which, shown: Axis, values: Sequence[Number]) -> np.ndarray:
    """Returns the ends of bands or intervals as floats; those beyond a fitted axis are at its edge."""
    return np.clip(floats(values), *_limits(axes, which)) if shown.scale in FITTED else floats(values)


def floats(values: Sequence[Number]) -> np.ndarray:
    """Returns the values as floats, NaN for None, at which Matplotlib interrupts a line."""
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)


def draw_references(axes: Axes, which: Which, shown: Axis) -> list[Artist]:
    """Draws the references across an axis after `fit`. Returns their legend entries."""
    handles, at_edge = [], {False: 0, True: 0}
    for reference in shown.references:
        if reference in far(axes, which, shown):
            beyond = bool(reference.value > max(_limits(axes, which)))
            _draw_at_edge(axes, which, reference, beyond, at_edge[beyond])
            at_edge[beyond] += 1
        else:
            draw = axes.axvline if which == "x" else axes.axhline
            line = draw(reference.value, zorder=1, **figure_style.style(reference.kind))
            if reference.label:
                line.set_label(figure_style.text(reference.label))
                handles.append(line)
    return handles


def far(axes: Axes, which: Which, shown: Axis) -> list[Reference]:
    """Returns the references beyond the ends of a fitted axis."""
    low, high = sorted(_limits(axes, which))
    return [r for r in shown.references if shown.scale in FITTED and not low <= r.value <= high]


def make_room(axes: Axes, shown: Axis, inches: float) -> None:
    """Extends a fitted y axis, about `inches` high, so that labels at its ends don't cover measured values."""
    low, high = axes.get_ylim()
    beyond = [reference.value > high for reference in far(axes, "y", shown)]
    if not beyond:
        return
    row = 1.4 * _ROW / (72 * inches)
    above, below = row * sum(beyond), row * (len(beyond) - sum(beyond))
    if axes.get_yscale() == "log":
        axes.set_ylim(low / (high / low) ** below, high * (high / low) ** above)
    else:
        axes.set_ylim(low - (high - low) * below, high + (high - low) * above)


def _fit_metric(axes: Axes, which: Which, shown: Axis, values: list[float]) -> None:
    """Fits an axis, with a margin, to `values` and to the references close to them."""
    nearby = [reference.value for reference in shown.references]
    values = values or nearby
    if not values:
        return
    logarithmic = shown.scale != "fitted" and min(values) > 0
    values = values + _near(nearby, values, logarithmic)
    low, high = min(values), max(values)
    axis = axes.yaxis if which == "y" else axes.xaxis
    if logarithmic:
        margin = max((high / low) ** 0.06, 1.05)
        _set(axes, which, low / margin, high * margin, logarithmic=True)
        # Within two decades, labels at decades only could leave the axis without labels.
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
        axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    else:
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        _set(axes, which, low - margin, high + margin)
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6, steps=_STEPS))


def _draw_at_edge(axes: Axes, which: Which, reference: Reference, beyond: bool, index: int) -> None:
    """Draws the label of `reference`, with an arrow to the end of the axis beyond which its value is.

    Labels are stacked at the top of the axes for x, and at the right for y.
    """
    right = beyond or which == "y"
    down = which == "x" or beyond
    arrow = _ARROWS[which][beyond]
    axes.annotate(
        figure_style.text(f"{reference.label} {arrow}" if right else f"{arrow} {reference.label}"),
        (float(right), float(down)),
        xytext=(-1 if right else 1, figure_style.points(-9 - _ROW * index) * (1 if down else -1)),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right" if right else "left",
        va="center",
        color=figure_style.style(reference.kind)["color"],
        fontsize=figure_style.points(9),
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        zorder=5,
    )


def _near(references: Sequence[float], values: Sequence[float], logarithmic: bool) -> list[float]:
    """Returns the references no further from the finite `values` than the spread of `values`."""
    kept = [value for value in references if value > 0] if logarithmic else references
    position = math.log if logarithmic else float
    low, high = position(min(values)), position(max(values))
    reach = (high - low) or math.inf
    return [value for value in kept if low - reach <= position(value) <= high + reach]


def _set(axes: Axes, which: Which, low: float, high: float, logarithmic: bool = False) -> None:
    # Limits come first: autoscaling would warn if there is a single value and it is a power of ten.
    axes.set(**{f"{which}lim": (low, high)}, **({f"{which}scale": "log"} if logarithmic else {}))


def _limits(axes: Axes, which: Which) -> tuple[float, float]:
    return axes.get_xlim() if which == "x" else axes.get_ylim()
