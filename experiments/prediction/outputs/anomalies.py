"""Writes the anomalies of a series: a table with a row for each point, and a picture."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from experiments.prediction.outputs import pictures
from gru_research.report import exhibits
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
    """Draws the values with their anomalies, and the surprise with its threshold. The rows for learning are shaded."""
    rows = np.arange(len(values))
    x = pictures.time_axis("row", times, 0, len(values) - 1)
    marks = tuple(exhibits.Mark(float(one["row"] - 1), float(values[one["row"] - 1])) for one in answer["anomalies"])
    alarm = exhibits.Reference(float(answer["threshold"]), "threshold", "threshold")
    counted = (float(answer["first"] - 1), float(len(values) - 1))
    surprise = np.concatenate([[np.nan], answer["surprise"]])
    panels = [
        exhibits.Panel(
            "", (_line("", "level", rows, values), exhibits.Line("anomaly", 0, marks=marks)), x, exhibits.Axis("value"),
            counted,
        ),
        exhibits.Panel("", (_line("", 0, rows, surprise),), x, exhibits.Axis("surprise", references=(alarm,)), counted),
    ]  # fmt: skip
    pictures.save(path, panels, panel_inches=1.8)


def _line(label: str, place: int | exhibits.ReferenceKind, x: np.ndarray, y: np.ndarray) -> exhibits.Line:
    return exhibits.Line(label, place, tuple(x.astype(float).tolist()), exhibits.numbers(y))
