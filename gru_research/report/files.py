"""The files of a report: figures in the formats of the settings and as SVG for the page, each written atomically."""

import dataclasses
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from gru_research import tables
from gru_research.report import drawing, exhibits, figure_settings, markup
from gru_research.report.drawing import slider

_PNG_DOTS_PER_INCH = 200
# Type 42 embeds fonts as publishers require and keeps a PDF's text selectable. SVG letters are paths, which need no
# font. The hash salt makes SVG identifiers depend only on the content.
_SAVED: dict[Any, Any] = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "gru_research"}
_UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclasses.dataclass(frozen=True)
class ReportPaths:
    """The files of a report. `figures` are in drawing order; `tables` are for LaTeX."""

    summary: Path
    seeds: Path
    page: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...] = ()


class Figures:
    """Writes figures to a folder in the formats of the applied settings, and converts them to pictures for a page.
    `paths` lists the written files."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.paths: list[Path] = []

    def add(self, shown: exhibits.Figure) -> markup.Picture:
        """Draws a figure and writes its files. The picture of a heat map has a slider."""
        figure, words = drawing.draw(shown), drawing.captioned(shown)
        # Layout takes most of the time, so it runs once and not per format.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for kind in figure_settings.current().formats:
            self.paths.append(replace(self._folder / f"{shown.name}.{kind}", _image(figure, kind)))
        steps = slider.steps(shown, figure) if isinstance(shown, exhibits.Heat) else None
        return markup.Picture(_image(figure, "svg"), words.title, words.alt, words.caption, steps)

    def parts(self, shown: Iterable[exhibits.Exhibit]) -> list[str | markup.Picture]:
        """Converts tables and sounds to HTML and figures to pictures."""
        return [self._part(one) for one in shown]

    def _part(self, shown: exhibits.Exhibit) -> str | markup.Picture:
        if isinstance(shown, tables.Table):
            return tables.to_html(shown, "pairs")
        if isinstance(shown, exhibits.Sound):
            return markup.player(shown.words.title, shown.words.alt, shown.words.caption, shown.wav)
        return self.add(shown)


def replace(path: Path, content: bytes) -> Path:
    """Replaces the file at `path` atomically. Leaves no temporary file if that fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _image(figure: Figure, kind: str) -> bytes:
    """Returns the bytes of the figure in the format `kind`, reproducibly."""
    content = io.BytesIO()
    with matplotlib.rc_context(_SAVED):
        figure.savefig(content, format=kind, dpi=_PNG_DOTS_PER_INCH, metadata=_UNDATED[kind])
    return content.getvalue()
