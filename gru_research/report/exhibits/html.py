"""Converts exhibits to parts of a page."""

import dataclasses
from collections.abc import Iterable

from gru_research import tables
from gru_research.report import files, markup
from gru_research.report.exhibits import drawing, slider
from gru_research.report.exhibits.data import Exhibit, Grid, Heat, Lines


def to_parts(exhibits: Iterable[Exhibit], figures: files.Figures) -> list[str | markup.Picture]:
    """Converts tables to HTML and other exhibits to pictures, whose files `figures` writes. A heat map has a slider."""
    return [to_part(exhibit, figures) for exhibit in exhibits]


def to_part(exhibit: Exhibit, figures: files.Figures) -> str | markup.Picture:
    if isinstance(exhibit, tables.Table):
        return tables.to_html(exhibit, "pairs")
    if isinstance(exhibit, Heat):
        illustration, top = drawing.heat(exhibit)
        picture = figures.add(illustration)
        return dataclasses.replace(picture, steps=slider.steps(exhibit, top))
    if isinstance(exhibit, Grid):
        return figures.add(drawing.grid(exhibit))
    return figures.add(drawing.lines(exhibit) if isinstance(exhibit, Lines) else drawing.dots(exhibit))
