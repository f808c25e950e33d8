"""Writes the anomalies of a series: a table with a row for each point, and a picture."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gru_research.tasks import Task

HEADER = ("value", "expected", "deviation", "surprise", "anomaly")


def write(task: Task, given: Any, answer: Any, stem: Path) -> Sequence[Path]:
    """Writes STEM.csv, the given series with the forecast of each value and 1 where it is an anomaly, and STEM.png."""
    del task
    values = np.asarray(getattr(given, "values", given), np.float64).reshape(-1)
    times = [datetime.fromtimestamp(t, UTC).replace(tzinfo=None).isoformat(" ") for t in getattr(given, "times", ())]
    rows = {one["row"] for one in answer["anomalies"]}
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("csv", "png")]
    columns = [["", *map(str, answer[name])] for name in ("expected", "deviation", "surprise")]
    with open(paths[0], "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*(["time"] if times else []), *HEADER])
        for n, value in enumerate(values.tolist()):
            own = [times[n]] if times else []
            table.writerow([*own, value, *(column[n] for column in columns), int(n + 1 in rows)])
    _draw(paths[1], values, answer, [datetime.fromisoformat(time) for time in times])
    return paths


def _draw(path: Path, values: np.ndarray, answer: Any, times: Sequence[datetime]) -> None:
    """Draws the values with their anomalies, and the surprise with its threshold."""
    import matplotlib.dates  # takes a second

    from gru_research.report.drawing import figure_style

    figure = figure_style.sheet(3.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    x: Any = times or np.arange(1, len(values) + 1)
    marked = [one["row"] - 1 for one in answer["anomalies"]]
    for axes in (upper, lower):
        figure_style.plain(axes)
        axes.axvspan(x[0], x[answer["first"] - 2], color=figure_style.INK, alpha=0.06, linewidth=0)
    upper.plot(x, values, color=figure_style.INK, linewidth=0.7)
    colour = figure_style.style(0)["color"]
    upper.plot([x[n] for n in marked], values[marked], "o", color=colour, label="anomaly")
    upper.set_ylabel("value")
    lower.plot(x[1:], answer["surprise"], color=colour, linewidth=0.7)
    lower.axhline(answer["threshold"], color=figure_style.INK, linewidth=0.7, linestyle="--", label="threshold")
    lower.set_ylabel("surprise")
    lower.set_xlabel("time" if times else "row")
    if times:
        places = matplotlib.dates.AutoDateLocator()
        lower.xaxis.set_major_locator(places)
        lower.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(places))
    figure.savefig(path, dpi=150)
