"""The files of a report: figures in the formats of the settings and as SVG for the page, each written atomically."""

import dataclasses
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from gru_research.report import figure_settings, figure_style, markup

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

    def add(self, drawn: figure_style.Illustration) -> markup.Picture:
        # Layout takes most of the time, so it runs once and not per format.
        drawn.figure.draw_without_rendering()
        drawn.figure.set_layout_engine("none")
        for kind in figure_settings.current().formats:
            self.paths.append(replace(self._folder / f"{drawn.name}.{kind}", _image(drawn.figure, kind)))
        return markup.Picture(_image(drawn.figure, "svg"), drawn.title, drawn.alt, drawn.caption)

    def add_all(self, drawn: Iterable[figure_style.Illustration]) -> list[markup.Picture]:
        return [self.add(one) for one in drawn]


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
