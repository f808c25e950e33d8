"""The figure of a sweep: the metric of each finished trial against the value of each field, one panel per field."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from optuna.trial import FrozenTrial, TrialState

from gru_research.plural import several
from gru_research.report import figure_style
from gru_research.stats import Direction

from .search_space import Choices, Range, Sweep

_COLUMNS = 2


def illustration(
    sweep: Sweep, entries: Sequence[FrozenTrial], metric: str, direction: Direction
) -> figure_style.Illustration | None:
    """Draws the figure; returns None if no trial finished with a finite metric."""
    finished = [e for e in entries if e.state == TrialState.COMPLETE and math.isfinite(e.value or 0.0)]
    if not finished:
        return None
    values = {entry.number: entry.value or 0.0 for entry in finished}
    logarithmic = direction == "min" and min(values.values()) > 0
    columns = min(_COLUMNS, len(sweep.fields))
    lines = math.ceil(len(sweep.fields) / columns)
    figure = figure_style.sheet(0.6 + (2.6 if columns == 1 else 2.0) * lines)
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axes in panels[len(sweep.fields) :]:
        axes.set_visible(False)
    for axes, (name, field) in zip(panels, sweep.fields.items(), strict=False):
        figure_style.plain(axes)
        axes.set_xlabel(figure_style.text(figure_style.shortened(name)))
        axes.set_yscale("log" if logarithmic else "linear")
        _draw(axes, field, [(entry.params[name], values[entry.number]) for entry in finished], direction)
    for axes in panels[::columns]:
        axes.set_ylabel(figure_style.text(f"validation {metric}"))
    look: dict[str, Any] = {"linestyle": "none", "color": figure_style.INK}
    figure_style.legend(
        figure,
        [
            Line2D([], [], label="a finished trial", marker="o", markersize=5, **look),
            Line2D([], [], label="the best", marker="o", fillstyle="none", markersize=11, **look),
        ],
    )
    better = "lower" if direction == "min" else "higher"
    caption = f"Each mark is a finished trial ({len(finished)} in all); {better} is better; the best one has a ring."
    fields = ", ".join(sweep.fields)
    alt = f"Dot charts of the validation {metric} of {several(len(finished), 'trial')} against {fields}."
    return figure_style.Illustration("trials", figure, "Trials", alt, caption)


def _draw(axes: Axes, field: Range | Choices, points: Sequence[tuple[Any, float]], direction: Direction) -> None:
    """Draws a dot per trial. Choices are spaced evenly, since they needn't be numbers."""
    if isinstance(field, Choices):
        axes.set_xticks(range(len(field.values)), [figure_style.text(f"{value}") for value in field.values])
        axes.set_xlim(-0.5, len(field.values) - 0.5)
        points = [(field.values.index(x), y) for x, y in points]
    elif field.log:
        axes.set_xscale("log")
    look = figure_style.style(0)
    mark: dict[str, Any] = {"linestyle": "none", "color": look["color"], "marker": look["marker"]}
    axes.plot([x for x, _ in points], [y for _, y in points], markersize=5, **mark)
    x, y = (min if direction == "min" else max)(points, key=lambda point: point[1])
    axes.plot([x], [y], markersize=11, fillstyle="none", **mark)
