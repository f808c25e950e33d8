"""Draws the figures of exhibits with Matplotlib."""

import dataclasses

import matplotlib.figure

from gru_research.report import exhibits
from gru_research.report.drawing import log_axis, maps, plots, rows


def draw(shown: exhibits.Figure) -> matplotlib.figure.Figure:
    """Returns the figure, without title and caption."""
    match shown:
        case exhibits.Plot():
            return plots.draw(shown)
        case exhibits.Dots():
            return rows.draw_dots(shown)
        case exhibits.Bars():
            return rows.draw_bars(shown)
        case exhibits.Heat():
            return maps.draw_heat(shown)
        case exhibits.Grid():
            return maps.draw_grid(shown)


def captioned(shown: exhibits.Figure) -> exhibits.Words:
    """Returns the words of a figure; the caption lists the values outside a cut axis."""
    left_out = log_axis.outside(shown) if isinstance(shown, exhibits.Plot | exhibits.Dots) else ""
    return dataclasses.replace(shown.words, caption=f"{shown.words.caption} {left_out}".strip())
