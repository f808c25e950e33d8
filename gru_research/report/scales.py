"""Sets the limits of figures' axes, and draws the trivial baselines and the threshold.

Reference values are never omitted. One far from the measured values would compress their range too much, so it becomes
an arrow at the edge of the axes, with its value.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gru_research.report import figure_style, formatting, results, run_notes

_ARROWS = {"x": "\u25c0\u25b6", "y": "\u25bc\u25b2"}  # for values below the low end, above the high end
_ROW = 15  # points between the texts of two arrows, for text of 10 points


BASELINE: dict[str, Any] = {"color": figure_style.FAINT, "linestyle": (0, (6, 3)), "linewidth": 1.1}
THRESHOLD: dict[str, Any] = {"color": figure_style.INK, "linestyle": (0, (1, 2)), "linewidth": 1.3}


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference value of the metric, and the style of its line."""

    value: float
    label: str
    style: dict[str, Any]


def references(task: results.Task) -> list[Reference]:
    """Returns the trivial answers and the threshold of a task, if any."""
    found = []
    for name, value in task.trivial.items():
        label = f"{figure_style.shortened(name)} ({formatting.number(value)})"
        # The best trivial answer has the boldest line: better values show that something was learned.
        found.append(Reference(value, label, BASELINE if name == task.baseline_name else BASELINE | {"linewidth": 0.7}))
    if task.threshold is not None:
        found.append(Reference(task.threshold, f"solved: {run_notes.threshold(task)}", THRESHOLD))
    return found


def values(task: results.Task) -> list[float]:
    return [reference.value for reference in references(task)]


def fit(
    axes: Axes,
    which: Literal["x", "y"],
    measured: Sequence[float] | np.ndarray,
    nearby: Sequence[float] = (),
    logarithmic: bool = False,
) -> None:
    """Fits an axis, with a margin, to the finite `measured` values and to values of `nearby` close to them.

    With `logarithmic`, the axis is logarithmic if all finite values are above 0.
    """
    finite = [v for v in measured if math.isfinite(v)] or list(nearby)
    if not finite:
        return
    logarithmic = logarithmic and min(finite) > 0
    finite += _near(nearby, finite, logarithmic)
    low, high = min(finite), max(finite)
    axis = axes.yaxis if which == "y" else axes.xaxis
    if logarithmic:
        margin = max((high / low) ** 0.06, 1.05)
        # Set limits first: autoscaling would warn if there is a single value and it is a power of ten.
        axes.set(**{f"{which}lim": (low / margin, high * margin), f"{which}scale": "log"})
        axis.set_major_locator(log_ticks(low, high))
        axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    else:
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        axes.set(**{f"{which}lim": (low - margin, high + margin)})
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))


def draw_references(axes: Axes, which: Literal["x", "y"], task: results.Task) -> list[Line2D]:
    """Draws `references(task)` across a fitted axis. Returns their legend entries."""
    handles, at_edge = [], {False: 0, True: 0}
    for reference in references(task):
        if _inside(axes, which, reference):
            draw = axes.axvline if which == "x" else axes.axhline
            handles.append(draw(reference.value, label=figure_style.text(reference.label), zorder=1, **reference.style))
        else:
            beyond = bool(reference.value > max(_limits(axes, which)))
            _draw_at_edge(axes, which, reference, beyond, at_edge[beyond])
            at_edge[beyond] += 1
    return handles


def far(axes: Axes, which: Literal["x", "y"], task: results.Task) -> int:
    """Returns the number of references beyond the ends of a fitted axis."""
    return sum(not _inside(axes, which, reference) for reference in references(task))


def make_room(axes: Axes, task: results.Task, inches: float) -> None:
    """Extends a fitted y axis, about `inches` high, so that labels at its ends don't cover measured values."""
    low, high = axes.get_ylim()
    share = 1.4 * _ROW / (72 * inches)
    below = sum(reference.value < low for reference in references(task))
    above = sum(reference.value > high for reference in references(task))
    if axes.get_yscale() == "log":
        span = high / low
        axes.set_ylim(low / span ** (share * below), high * span ** (share * above))
    else:
        span = high - low
        axes.set_ylim(low - span * share * below, high + span * share * above)


def _draw_at_edge(axes: Axes, which: Literal["x", "y"], reference: Reference, beyond: bool, index: int) -> None:
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
        color=reference.style["color"],
        fontsize=figure_style.points(9),
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        zorder=5,
    )


def log_ticks(low: float, high: float) -> matplotlib.ticker.LogLocator:
    # Within two decades, labels at decades only could leave the axis without labels.
    return matplotlib.ticker.LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,))


def update_ticks() -> matplotlib.ticker.MaxNLocator:
    return matplotlib.ticker.MaxNLocator(nbins=6, integer=True, steps=[1, 2, 2.5, 5, 10])


def drawable(values: np.ndarray) -> np.ndarray:
    """Replaces non-finite values by NaN, at which Matplotlib interrupts a line."""
    return np.where(np.isfinite(values), values, np.nan)


def _near(references: Sequence[float], values: Sequence[float], logarithmic: bool) -> list[float]:
    """Returns the references no further from the finite `values` than the spread of `values`."""
    kept = [value for value in references if value > 0] if logarithmic else references
    position = math.log if logarithmic else float
    low, high = position(min(values)), position(max(values))
    reach = (high - low) or math.inf
    return [value for value in kept if low - reach <= position(value) <= high + reach]


def _inside(axes: Axes, which: Literal["x", "y"], reference: Reference) -> bool:
    low, high = sorted(_limits(axes, which))
    return low <= reference.value <= high


def _limits(axes: Axes, which: Literal["x", "y"]) -> tuple[float, float]:
    return axes.get_xlim() if which == "x" else axes.get_ylim()
