"""Draws dots and bars: figures with a row for each cell or pair."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gru_research.report.drawing import figure_style, scales
from gru_research.report.exhibits import Bars, Dot, Dots

_BELOW = 0.2  # offset of a value and its interval below the middle of their row, if seeds are above, in rows
_ARROW_ROW = 0.45  # space above the rows for labels at an edge, in rows


def draw_dots(shown: Dots) -> Figure:
    """Draws a row for each value, with its interval as a bar and its seeds as open marks."""
    with_seeds = any(row.seeds for row in shown.rows)
    figure = figure_style.sheet(1.2 + (0.6 if with_seeds else 0.36) * len(shown.rows))
    axes = figure.add_subplot()
    figure_style.plain(axes)
    figure_style.title(axes, shown.title)
    values = [value for row in shown.rows for value in (row.value, row.low, row.high, *row.seeds)]
    scales.fit(axes, "x", shown.axis, values)
    for y, row in enumerate(shown.rows):
        _draw_dot(axes, row, y, shown)
    figure_style.name_rows(axes, [row.label for row in shown.rows], [row.remark for row in shown.rows],
                           characters=20 if with_seeds else 30)  # fmt: skip
    axes.set_ylim(top=-0.5 - _ARROW_ROW * len(scales.far(axes, "x", shown.axis)))
    handles = scales.draw_references(axes, "x", shown.axis)
    marks = [figure_style.key(name, i, line=False) for i, name in enumerate(shown.groups)]
    figure_style.legend(figure, [*marks, *handles])
    return figure


def _draw_dot(axes: Axes, row: Dot, y: float, shown: Dots) -> None:
    style = figure_style.style(row.group)
    look: dict[str, Any] = {"color": style["color"], "clip_on": scales.is_clipped(shown.axis)}
    mark = look | {"linestyle": "none", "marker": style["marker"], "zorder": 3}
    if row.seeds:
        # Marks are spread over the row's height to separate equal values.
        heights = y - (np.linspace(0.05, 0.33, len(row.seeds)) if len(row.seeds) > 1 else np.array([0.15]))
        axes.plot(scales.floats(row.seeds), heights, markersize=5, markerfacecolor="white", **mark)
        y += _BELOW
    if row.low is not None and row.high is not None:
        ends = scales.ends(axes, "x", shown.axis, (row.low, row.high))
        axes.plot(ends, [y, y], linewidth=3, solid_capstyle="butt", zorder=2, **look)
    if row.value is not None:
        axes.plot([row.value], [y], markersize=7, **mark)


def draw_bars(shown: Bars) -> Figure:
    """Draws the bars of each quantity beside each other, with their texts at their ends."""
    figure = figure_style.sheet(1.0 + 0.42 * len(shown.rows))
    columns = figure.subplots(1, len(shown.quantities), sharey=True, squeeze=False)[0]
    colours = [figure_style.style(row.place)["color"] for row in shown.rows]
    for i, (axes, quantity) in enumerate(zip(columns, shown.quantities, strict=True)):
        lengths = [row.lengths[i] or 0 for row in shown.rows]
        bars = axes.barh(range(len(lengths)), lengths, height=0.55, color=colours)
        axes.bar_label(bars, [row.texts[i] for row in shown.rows], padding=3)
        axes.set_xlim(0, 1.4 * (max(lengths) or 1))  # room for the labels
        axes.set_xlabel(quantity)
        axes.set_xticks([])
        axes.tick_params(axis="y", length=0)
        figure_style.plain(axes, grid=False)
    figure_style.name_rows(columns[0], [row.label for row in shown.rows])
    figure_style.title(columns[0], shown.title)
    return figure
