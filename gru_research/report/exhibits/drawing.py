"""Draws the figures of exhibits."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gru_research.report import figure_style
from gru_research.report.exhibits import log_axis
from gru_research.report.exhibits.data import Dots, Grid, Heat, Lines, Number, Panel, Words

_COLOURS = "cividis"  # lightness increases evenly, also in print and for colour-blind readers
_MARKS_PER_LINE = 8
_LOG_MARGIN = 1.15
_LEAST_ROWS, _INCHES_PER_ROW = 8, 0.055
_LONGEST_NAME = 16  # characters
_NAME_ROW, _NAME_CHARACTER = 0.15, 0.072  # inches
_GRID_WIDTH, _GRID_HEIGHT = 3.4, 9.0  # inches: about the width beside the names, and the largest height


def lines(shown: Lines) -> figure_style.Illustration:
    """Draws panels below each other, with one legend."""
    figure = figure_style.sheet(0.9 + 2.5 * len(shown.panels))
    rows = figure.subplots(len(shown.panels), sharex=True, sharey=True, squeeze=False)[:, 0]
    handles: dict[str, Line2D] = {}
    for axes, panel in zip(rows, shown.panels, strict=True):
        figure_style.plain(axes)
        figure_style.title(axes, panel.title)
        _panel(axes, panel, handles)
        axes.set_ylabel(figure_style.text(shown.y_label))
        if shown.powers:
            log_axis.fit(axes.yaxis, log_axis.window(log_axis.values(shown)))
    if shown.x_logarithmic:
        rows[-1].set_xscale("log")
        # A logarithmic axis needs a point, but all values may be non-finite. So limits are set explicitly.
        every = [x for panel in shown.panels for line in panel.lines for x in line.x]
        rows[-1].set_xlim(min(every) / _LOG_MARGIN, max(every) * _LOG_MARGIN)
        rows[-1].xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:,g}"))
    rows[-1].set_xlabel(figure_style.text(shown.x_label))
    figure_style.legend(figure, list(handles.values()))
    return _illustration(shown.name, figure, captioned(shown))


def _panel(axes: Axes, panel: Panel, handles: dict[str, Line2D]) -> None:
    for line in panel.lines:
        style = figure_style.style(line.place)
        if line.low and line.high:
            axes.fill_between(line.x, _floats(line.low), _floats(line.high), color=style["color"], alpha=0.16,
                              linewidth=0)  # fmt: skip
        axes.plot(line.x, _floats(line.y), linewidth=1.9, markersize=5,
                  markevery=max(1, math.ceil(len(line.x) / _MARKS_PER_LINE)), **style)  # fmt: skip
        handles.setdefault(line.label, figure_style.key(line.label, line.place))


def dots(shown: Dots) -> figure_style.Illustration:
    """Draws a row for each value, with its interval as a bar."""
    figure = figure_style.sheet(1.0 + 0.36 * len(shown.rows))
    axes = figure.add_subplot()
    figure_style.plain(axes)
    if shown.reference is not None:
        axes.axvline(shown.reference, color=figure_style.INK, linewidth=1.2, zorder=1)
    for y, row in enumerate(shown.rows):
        style: dict[str, Any] = {**figure_style.style(row.group), "linestyle": "none"}
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [y, y], color=style["color"], linewidth=3, solid_capstyle="butt", zorder=2)
        if row.value is not None:
            axes.plot([row.value], [y], markersize=7, zorder=3, **style)
    figure_style.name_rows(axes, [row.label for row in shown.rows], characters=30)
    axes.set_xlabel(figure_style.text(shown.x_label))
    if shown.powers:
        log_axis.fit(axes.xaxis, log_axis.window(log_axis.values(shown)))
    figure_style.legend(figure, [_mark(name, i) for i, name in enumerate(shown.groups)])
    return _illustration(shown.name, figure, captioned(shown))


def heat(shown: Heat) -> tuple[figure_style.Illustration, Axes]:
    """Draws inputs above and a map for each gate below. Also returns the inputs' axes, for a slider over the steps."""
    tall = max(_LEAST_ROWS, len(shown.units)) * _INCHES_PER_ROW + 0.45
    ratios = [0.9, *[tall] * len(shown.gates)]
    figure = figure_style.sheet(0.9 + sum(ratios))
    top, *maps = figure.subplots(len(ratios), sharex=True, height_ratios=ratios)
    figure_style.plain(top)
    for i, (name, values) in enumerate(shown.inputs.items()):
        style = figure_style.style(i) | {"marker": ""}
        top.plot(range(shown.steps), _floats(values), linewidth=1.2, label=figure_style.text(name), **style)
    top.set_xlim(-0.5, shown.steps - 0.5)
    if len(shown.inputs) > 1:
        top.legend(
            fontsize=figure_style.points(8),
            ncols=len(shown.inputs),
            frameon=False,
            loc="lower left",
            bbox_to_anchor=(0, 0.98),
        )
    else:
        figure_style.title(top, next(iter(shown.inputs)))
    image: Any = None
    for axes, (name, rows) in zip(maps, shown.gates.items(), strict=True):
        values = np.array([_floats(row) for row in rows])
        image = axes.imshow(values, aspect="auto", interpolation="nearest", cmap=_COLOURS, vmin=0, vmax=1)
        figure_style.title(axes, name)
        axes.set_yticks(
            [0, len(rows) - 1], [f"unit {shown.units[0]}", f"unit {shown.units[-1]}"], fontsize=figure_style.points(8)
        )
    maps[-1].set_xlabel("step")
    figure.colorbar(image, ax=maps, fraction=0.04, pad=0.02, ticks=[0, 0.5, 1])
    return _illustration(shown.name, figure, shown.words), top


def grid(shown: Grid) -> figure_style.Illustration:
    """Draws a map of the values, with column names above it: only every n-th name if space is short."""
    columns = [figure_style.shortened(name, _LONGEST_NAME) for name in shown.columns]
    rows = [figure_style.shortened(name, _LONGEST_NAME) for name in shown.rows]
    longest = _NAME_CHARACTER * max(map(len, columns))
    wide = _GRID_WIDTH * figure_style.room()
    upright = longest > wide / len(columns)
    height = min(_GRID_HEIGHT, _NAME_ROW * max(_LEAST_ROWS, len(rows)))
    figure = figure_style.sheet(0.5 + height + (longest if upright else _NAME_ROW))
    axes = figure.add_subplot()
    values = np.array([_floats(row) for row in shown.values])
    image = axes.imshow(values, aspect="auto", interpolation="nearest", cmap=_COLOURS, vmin=0, vmax=1)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    every = max(1, math.ceil(len(columns) * _NAME_ROW / wide)) if upright else 1
    axes.set_xticks(*_named(columns, every), fontsize=figure_style.points(8), rotation=90 if upright else 0)
    axes.set_xlabel(_axis_label(shown.column_label, every), fontsize=figure_style.points(8), color=figure_style.FAINT)
    every = max(1, math.ceil(len(rows) * _NAME_ROW / height - 0.01))
    axes.set_yticks(*_named(rows, every), fontsize=figure_style.points(8))
    axes.set_ylabel(_axis_label(shown.row_label, every), fontsize=figure_style.points(8), color=figure_style.FAINT)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, ticks=[0, 0.5, 1]).ax.tick_params(
        labelsize=figure_style.points(8)
    )
    return _illustration(shown.name, figure, shown.words)


def _named(names: Sequence[str], every: int) -> tuple[range, list[str]]:
    """Returns ticks and labels of every n-th name."""
    places = range(0, len(names), every)
    return places, [figure_style.text(names[place]) for place in places]


def _axis_label(label: str, every: int) -> str:
    return figure_style.text(f"{label} (one in {every} is named)" if every > 1 else label)


def captioned(shown: Lines | Dots | Heat | Grid) -> Words:
    """Returns the words of a figure; the caption lists the values outside a cut axis."""
    left_out = log_axis.outside(shown) if isinstance(shown, Lines | Dots) else ""
    return dataclasses.replace(shown.words, caption=f"{shown.words.caption} {left_out}".strip())


def _illustration(name: str, figure: Any, words: Words) -> figure_style.Illustration:
    return figure_style.Illustration(name, figure, words.title, words.alt, words.caption)


def _mark(label: str, index: int) -> Line2D:
    handle = figure_style.key(label, index)
    handle.set_linestyle("none")
    return handle


def _floats(values: Sequence[Number]) -> np.ndarray:
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)
