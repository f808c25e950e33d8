"""Draws maps: gates over units and steps, and grids of numbers."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gru_research.report import formatting
from gru_research.report.drawing import figure_style
from gru_research.report.drawing.scales import floats
from gru_research.report.exhibits import Grid, Heat

_COLOURS = "cividis"  # lightness increases evenly, also in print and for colour-blind readers
_HATCH = "#999999"
_LEAST_ROWS, _INCHES_PER_ROW = 8, 0.055
_LONGEST_NAME = 16  # characters
_NAME_ROW, _NAME_CHARACTER = 0.15, 0.072  # inches
_GRID_WIDTH, _GRID_HEIGHT = 3.4, 9.0  # inches: about the width beside the names, and the largest height
_SLANTED = 9  # the longest column name that fits horizontally above a large field, in characters


def draw_heat(shown: Heat) -> Figure:
    """Draws the inputs in the figure's first axes, and a map for each gate below."""
    tall = max(_LEAST_ROWS, len(shown.units)) * _INCHES_PER_ROW + 0.45
    ratios = [0.9, *[tall] * len(shown.gates)]
    figure = figure_style.sheet(0.9 + sum(ratios))
    top, *maps = figure.subplots(len(ratios), sharex=True, height_ratios=ratios)
    figure_style.plain(top)
    for i, (name, values) in enumerate(shown.inputs.items()):
        style = figure_style.style(i) | {"marker": ""}
        top.plot(range(shown.steps), floats(values), linewidth=1.2, label=figure_style.text(name), **style)
    top.set_xlim(-0.5, shown.steps - 0.5)
    if len(shown.inputs) > 1:
        small: dict[str, Any] = {"fontsize": figure_style.points(8), "ncols": len(shown.inputs), "frameon": False}
        top.legend(loc="lower left", bbox_to_anchor=(0, 0.98), **small)
    else:
        figure_style.title(top, next(iter(shown.inputs)))
    for axes, (name, rows) in zip(maps, shown.gates.items(), strict=True):
        _draw_map(axes, rows)
        figure_style.title(axes, name)
        axes.set_yticks(
            [0, len(rows) - 1], [f"unit {shown.units[0]}", f"unit {shown.units[-1]}"], fontsize=figure_style.points(8)
        )
    maps[-1].set_xlabel("step")
    figure.colorbar(maps[-1].images[0], ax=maps, fraction=0.04, pad=0.02, ticks=[0, 0.5, 1])
    return figure


def draw_grid(shown: Grid) -> Figure:
    """Draws a map of the values: with large fields if they have texts, otherwise with small ones."""
    return _large_fields(shown) if shown.texts else _small_fields(shown)


def _small_fields(shown: Grid) -> Figure:
    """Names the columns above the map: only every n-th if space is short."""
    columns = [formatting.shortened(name, _LONGEST_NAME) for name in shown.columns]
    rows = [formatting.shortened(name, _LONGEST_NAME) for name in shown.rows]
    longest = _NAME_CHARACTER * max(map(len, columns))
    wide = _GRID_WIDTH * figure_style.room()
    upright = longest > wide / len(columns)
    height = min(_GRID_HEIGHT, _NAME_ROW * max(_LEAST_ROWS, len(rows)))
    figure = figure_style.sheet(0.5 + height + (longest if upright else _NAME_ROW))
    axes = figure.add_subplot()
    _draw_map(axes, shown.values)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    small: dict[str, Any] = {"fontsize": figure_style.points(8)}
    every = max(1, math.ceil(len(columns) * _NAME_ROW / wide)) if upright else 1
    axes.set_xticks(*_named(columns, every), rotation=90 if upright else 0, **small)
    axes.set_xlabel(_axis_label(shown.column_label, every), color=figure_style.FAINT, **small)
    every = max(1, math.ceil(len(rows) * _NAME_ROW / height - 0.01))
    axes.set_yticks(*_named(rows, every), **small)
    axes.set_ylabel(_axis_label(shown.row_label, every), color=figure_style.FAINT, **small)
    axes.tick_params(length=0)
    bar = figure.colorbar(axes.images[0], ax=axes, fraction=0.04, pad=0.02, ticks=[0, 0.5, 1])
    bar.ax.tick_params(labelsize=figure_style.points(8))
    return figure


def _large_fields(shown: Grid) -> Figure:
    """Writes the texts into the fields, and hatches fields without a number."""
    columns, rows = len(shown.columns), len(shown.rows)
    slanted = max(map(len, shown.columns)) > _SLANTED or columns > 5
    height = 0.5 + 0.46 * rows + (0.6 if slanted else 0)
    figure = figure_style.sheet(height, least_width=1.9 + 0.54 * columns)
    axes = figure.add_subplot()
    axes.patch.set(hatch="////", edgecolor=_HATCH)  # seen through fields without a number
    _draw_map(axes, shown.values)
    for (y, x), value in np.ndenumerate(axes.images[0].get_array()):
        if np.isfinite(value):
            _write_field(axes, x, y, value, shown.texts[y][x])
    figure_style.name_rows(axes, shown.rows)
    names = [figure_style.text(formatting.shortened(name, 18)) for name in shown.columns]
    axes.set_xticks(range(columns), names, rotation=35 if slanted else 0, ha="left" if slanted else "center")
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    for x in range(1, columns):
        axes.axvline(x - 0.5, color="white", linewidth=2)
    for y in range(1, rows):
        axes.axhline(y - 0.5, color="white", linewidth=2)
    return figure


def _write_field(axes: Axes, x: int, y: int, value: float, text: str) -> None:
    red, green, blue, _ = matplotlib.colormaps[_COLOURS](value)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    above, _, below = text.partition("\n")
    look: dict[str, Any] = {"ha": "center", "color": "white" if dark else "black"}
    axes.text(x, y, above, va="bottom", fontsize=figure_style.points(10), fontweight="bold", **look)
    axes.text(x, y + 0.08, below, va="top", fontsize=figure_style.points(8), **look)


def _draw_map(axes: Axes, rows: Sequence[Sequence[float | None]]) -> None:
    values = np.array([floats(row) for row in rows])
    axes.imshow(values, aspect="auto", interpolation="nearest", cmap=_COLOURS, vmin=0, vmax=1)


def _named(names: Sequence[str], every: int) -> tuple[range, list[str]]:
    """Returns ticks and labels of every n-th name."""
    places = range(0, len(names), every)
    return places, [figure_style.text(names[place]) for place in places]


def _axis_label(label: str, every: int) -> str:
    return figure_style.text(f"{label} (one in {every} is named)" if every > 1 else label)
