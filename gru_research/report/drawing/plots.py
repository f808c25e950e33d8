"""Draws plots: panels of lines, bands and marks."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gru_research.report import formatting
from gru_research.report.drawing import figure_style, scales
from gru_research.report.exhibits import Line, Mark, Number, Panel, Plot

_MARKS_PER_LINE = 8
_BAND, _FAINT_BAND, _MANY_BANDS = 0.16, 0.07, 5  # opacities, and the most bands of the first
_MARK_SIZE, _RING_SIZE = 6, 12
_MARKS: dict[str, dict[str, Any]] = {
    "filled": {},
    "ring": {},
    "open": {"markerfacecolor": "white"},
    "cross": {"marker": "x", "markersize": 7, "markeredgewidth": 1.8},
    "bar": {"marker": "|", "markersize": 11, "markeredgewidth": 2},
}
_RING: dict[str, Any] = {"marker": "o", "fillstyle": "none", "markersize": _RING_SIZE, "clip_on": False}
_EDGE = 0.04  # distance of a mark at the edge, as a fraction of the axes


def draw(shown: Plot) -> Figure:
    """Draws the panels, row by row, with one legend."""
    columns = min(shown.columns, len(shown.panels))
    rows = math.ceil(len(shown.panels) / columns)
    figure = figure_style.sheet(0.9 + shown.panel_inches * rows)
    share_x, share_y = (len(set(each)) == 1 for each in zip(*((p.x, p.y) for p in shown.panels), strict=True))
    grid = figure.subplots(rows, columns, sharex=share_x, sharey=share_y, squeeze=False).ravel()
    keys: dict[str, Artist] = {}
    references: dict[str, Artist] = {}
    for i, (axes, panel) in enumerate(zip(grid, shown.panels, strict=False)):
        figure_style.plain(axes)
        figure_style.title(axes, formatting.shortened(panel.title) if columns > 1 else panel.title)
        scales.fit(axes, "x", panel.x, _x_values(shown.panels if share_x else [panel]))
        scales.fit(axes, "y", panel.y, _y_values(shown.panels if share_y else [panel]))
        scales.make_room(axes, panel.y, inches=shown.panel_inches - 0.5)
        _draw_panel(axes, panel)
        for line in panel.lines:
            if line.label:
                keys[line.label] = figure_style.key(line.label, line.place, line=bool(line.x))
        for handle in (*scales.draw_references(axes, "x", panel.x), *scales.draw_references(axes, "y", panel.y)):
            references[str(handle.get_label())] = handle
        _name_outer(axes, first=i % columns == 0, last=not share_x or i + columns >= len(shown.panels))
    for axes in grid[len(shown.panels) :]:
        axes.set_visible(False)
    marks = [_mark_key(kind, text) for kind, text in shown.keys]
    figure_style.legend(figure, [*keys.values(), *marks, *references.values()])
    return figure


def _name_outer(axes: Axes, first: bool, last: bool) -> None:
    """Keeps the y label of the first panel in a row, and x label and numbers of the last one in a column."""
    axes.tick_params(labelbottom=last)
    if not first:
        axes.set_ylabel("")
    if not last:
        axes.set_xlabel("")


def _draw_panel(axes: Axes, panel: Panel) -> None:
    many = sum(bool(line.low) for line in panel.lines) > _MANY_BANDS
    opacity = _FAINT_BAND if many else _BAND
    clip = scales.is_clipped(panel.x, panel.y)
    for line in panel.lines:
        style = figure_style.style(line.place)
        if line.low:
            low, high = (scales.ends(axes, "y", panel.y, ends) for ends in (line.low, line.high))
            if line.whiskers:
                axes.vlines(line.x, low, high, color=style["color"], linewidth=1.6, alpha=0.6)
            else:
                axes.fill_between(line.x, low, high, color=style["color"], alpha=opacity, linewidth=0)
        for seed in line.seeds:
            axes.plot(line.x, scales.floats(seed), color=style["color"], linewidth=0.7, alpha=0.55)
        if line.x:
            _draw_line(axes, line, style, clip)
        _draw_marks(axes, line.marks, style, clip)
    if panel.drawn_from:
        for edge in zip(axes.get_xlim(), panel.drawn_from, strict=True):
            axes.axvspan(*edge, color=figure_style.SHADE, zorder=0, linewidth=0)


def _draw_line(axes: Axes, line: Line, style: dict[str, Any], clip: bool) -> None:
    every = max(1, math.ceil(len(line.x) / _MARKS_PER_LINE))
    look: dict[str, Any] = {"linewidth": 1.9, "markersize": 5, "markevery": every} | style
    look |= {"marker": ""} if line.marks else {}
    y = scales.floats(line.y)
    (drawn,) = axes.plot(line.x, y, drawstyle="steps-post" if line.steps else "default", **look)
    drawn.set_label(figure_style.text(line.label))
    drawn.set_clip_on(clip or not np.isfinite(y).any())  # an empty unclipped line breaks the layout


def _draw_marks(axes: Axes, marks: Sequence[Mark], style: dict[str, Any], clip: bool) -> None:
    look: dict[str, Any] = {"linestyle": "none", "color": style["color"]}
    for kind, of_kind in _MARKS.items():
        drawn = {"marker": style["marker"], "markersize": _MARK_SIZE, "zorder": 3} | look | of_kind
        found = [mark for mark in marks if mark.kind == kind]
        if inside := [(mark.x, mark.y) for mark in found if math.isfinite(mark.y)]:
            axes.plot(*zip(*inside, strict=True), clip_on=clip, **drawn)
            if kind == "ring":
                axes.plot(*zip(*inside, strict=True), zorder=4, **look, **_RING)
        for mark in found:
            if not math.isfinite(mark.y):
                at = _EDGE if mark.y < 0 else 1 - _EDGE
                axes.plot([mark.x], [at], transform=axes.get_xaxis_transform(), **drawn)


def _mark_key(kind: str, label: str) -> Line2D:
    """Returns the legend entry of a kind of mark."""
    look = {"marker": "o", "markersize": _MARK_SIZE} | (_RING if kind == "ring" else _MARKS[kind])
    return Line2D([], [], label=figure_style.text(label), linestyle="none", color=figure_style.INK, **look)


def _x_values(panels: Sequence[Panel]) -> Iterator[float]:
    for panel in panels:
        yield from panel.drawn_from
        for line in panel.lines:
            yield from line.x
            yield from (mark.x for mark in line.marks)


def _y_values(panels: Sequence[Panel]) -> Iterator[Number]:
    for line in (line for panel in panels for line in panel.lines):
        yield from itertools.chain(line.y, line.low, line.high, *line.seeds, (mark.y for mark in line.marks))
