"""Draws the pictures of answers, as exhibits like those of a report."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gru_research.report import exhibits

TICKS = 5
"""The number of times below a picture."""
NO_WORDS = exhibits.Words("", "", "")
"""A file of its own has no caption."""


def save(path: Path, panels: Sequence[exhibits.Panel], panel_inches: float) -> None:
    """Writes a picture of panels below each other as a PNG."""
    save_exhibit(path, exhibits.Plot(path.stem, NO_WORDS, tuple(panels), panel_inches=panel_inches))


def save_exhibit(path: Path, figure: exhibits.Figure) -> None:
    """Writes a figure as a PNG."""
    from gru_research.report import drawing  # imports matplotlib, which takes a second

    drawing.draw(figure).savefig(path, dpi=150)


def time_axis(label: str, times: Sequence[datetime], first: int, last: int) -> exhibits.Axis:
    """Returns an axis of rows from `first` to `last`, counted from 0, with their times where `times` has them."""
    limits = (float(first), float(last))
    if len(times) <= last:
        return exhibits.Axis(label, limits=limits)
    rows = sorted({first + round(n * (last - first) / TICKS) for n in range(TICKS)})
    whole_days = all(times[row].time() == times[0].time() for row in rows)
    form = "%Y-%m-%d" if whole_days or times[last].date() != times[first].date() else "%H:%M"
    ticks = tuple((float(row), times[row].strftime(form)) for row in rows)
    return exhibits.Axis("time", limits=limits, ticks=ticks)
