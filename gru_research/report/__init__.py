"""Makes a run's summary, figures and page from its `records.jsonl` alone; never trains, imports no JAX.

`write` makes summary.csv, figures/*.png and report.html; `print_table` shows the summary on a terminal.
"""

import dataclasses
import io
import os
import re
from pathlib import Path

import matplotlib
import rich.console
import rich.text
from matplotlib.figure import Figure

from gru_research import records
from gru_research.report import figures, page, results, summary, tables, wording

__all__ = ["ReportPaths", "print_table", "write"]

_PNG_DOTS_PER_INCH = 200


@dataclasses.dataclass(frozen=True)
class ReportPaths:
    """The files that `write` wrote; `figures` in the order of the page."""

    summary: Path
    page: Path
    figures: tuple[Path, ...]


def write(workdir: Path, console: rich.console.Console | None = None) -> ReportPaths:
    """Makes the report of the run in `workdir`, finished or not, and prints its table to `console`.

    Each file is replaced in one step: a reader sees the old one or the new one, never a part.

    Raises:
      records.RecordsError: there is no readable `records.jsonl`; nothing is written then.
    """
    run = records.read(workdir / records.FILE_NAME)
    tasks = results.collect(run)
    folder = workdir / "figures"
    folder.mkdir(exist_ok=True)
    sections, images = [], []
    for task in tasks:
        pictures = []
        for drawn in figures.illustrations(task):
            # Laid out once, not for each format again: that takes most of the time.
            drawn.figure.draw_without_rendering()
            drawn.figure.set_layout_engine("none")
            stem = drawn.name if len(tasks) == 1 else f"{re.sub(r'[^A-Za-z0-9]+', '_', task.task.name)}-{drawn.name}"
            images.append(_replace(folder / f"{stem}.png", _image(drawn.figure, "png")))
            pictures.append(page.Picture(_image(drawn.figure, "svg"), drawn.title, drawn.alt, drawn.caption))
        sections.append((task, pictures))
    paths = ReportPaths(
        summary=_replace(workdir / "summary.csv", summary.to_csv(summary.summarize(run)).encode()),
        page=_replace(workdir / "report.html", page.to_html(run, sections).encode()),
        figures=tuple(images),
    )
    if console is not None:
        print_table(run, console)
        console.print(rich.text.Text(f"Report: {paths.page}"), soft_wrap=True)
    return paths


def print_table(run: records.Run, console: rich.console.Console) -> None:
    """Prints the summary of each task, its baseline and threshold, and what to know of the numbers.

    Raises:
      records.RecordsError: as `results.collect`.
    """
    if unfinished := wording.ending(run):
        console.print(rich.text.Text(unfinished, style="bold"))
    for task in results.collect(run):
        if task.complete:
            console.print(tables.to_rich(*tables.summary_table(task), title=task.task.name))
        console.print(rich.text.Text(wording.reference(task.task)))
        for note in wording.notes(run, task):
            console.print(rich.text.Text(f"Note: {note}"))


def _image(figure: Figure, kind: str) -> bytes:
    """The bytes of a PNG or SVG; the same figure always gives the same ones."""
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "gru_research"}):
        figure.savefig(content, format=kind, dpi=_PNG_DOTS_PER_INCH, metadata=metadata)
    return content.getvalue()


def _replace(path: Path, content: bytes) -> Path:
    """Writes `content` beside `path` and moves it there; leaves nothing behind where that fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
