"""Writes a forecast: a table with a row for each step after the end of the series, and a picture."""

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from gru_research.report import exhibits
from gru_research.tasks import Task
from gru_research.tasks.forecasting.tables import times_after

BEFORE = 2
"""The most steps drawn before a forecast, as a multiple of the horizon."""
MOST_PANELS = 12
"""The most series in a picture; the table has them all."""
TICKS = 4
Answer = Mapping[str, Mapping[str, Sequence[float]]]
"""`forecast`, and with an interval `low` and `high`, by series."""


def write(task: Task, given: Any, answer: Answer, stem: Path) -> Sequence[Path]:
    """Writes STEM.csv and STEM.png. `given` is a `History`, or the values `[N, C]`.

    The table has a column of times where the file has times, else the number of the step, then for each series its
    forecast, and with an interval its ends, as `NAME_low` and `NAME_high`.
    """
    values = np.asarray(getattr(given, "values", given), np.float64)
    values = values.reshape(len(values), -1)
    before = list(getattr(given, "times", ()))
    horizon = len(next(iter(answer.values()))["forecast"])
    after = times_after(before, horizon) or []
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in ("csv", "png")]
    with open(paths[0], "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        name = (task.learned["layout"]["times"] or "time") if after else "step"
        table.writerow([name, *(_column(series, part) for series, parts in answer.items() for part in parts)])
        columns = [part for parts in answer.values() for part in parts.values()]
        for n, row in enumerate(zip(*columns, strict=True)):
            table.writerow([after[n].isoformat(" ") if after else n + 1, *row])
    _draw(paths[1], values[-BEFORE * horizon :], answer, [*before[-BEFORE * horizon :], *after] if after else [])
    return paths


def _column(series: str, part: str) -> str:
    return series if part == "forecast" else f"{series}_{part}"


def _draw(path: Path, values: np.ndarray, answer: Answer, times: Sequence[datetime]) -> None:
    from gru_research.report import drawing  # imports matplotlib, which takes a second

    drawing.draw(picture(path.stem, values, answer, times)).savefig(path, dpi=150)


def picture(name: str, values: np.ndarray, answer: Answer, times: Sequence[datetime] = ()) -> exhibits.Plot:
    """Returns a figure with a panel for each series: the values `[P, C]` before the forecast, and the forecast.

    Args:
      times: those of the P values and of the forecast's steps; () where they are unknown.
    """
    shown = list(answer.items())[:MOST_PANELS]
    steps = len(values) + len(shown[0][1]["forecast"])
    x = exhibits.Axis("steps after the end of the series")
    if times:
        places = np.unique(np.linspace(0, steps - 1, TICKS).round().astype(int)).tolist()
        x = exhibits.Axis("time", ticks=tuple((float(n + 1 - len(values)), _two_lines(times[n])) for n in places))
    # Series have their own axes, as their units may differ.
    panels = tuple(
        exhibits.Panel("", _lines(values[:, c], parts), x, exhibits.Axis(series))
        for c, (series, parts) in enumerate(shown)
    )
    names = ", ".join(series for series, _ in shown)
    interval = " Band: the interval between the outermost quantiles." if "low" in shown[0][1] else ""
    words = exhibits.Words(
        "Forecast", f"Line chart of {names}, followed by their forecasts.", f"Black: the series.{interval}"
    )
    return exhibits.Plot(name, words, panels, panel_inches=1.7)


def _two_lines(time: datetime) -> str:
    day, clock = time.replace(tzinfo=None).isoformat(" ", "minutes").split(" ")
    return f"{day}\n{clock}"


def _lines(values: np.ndarray, parts: Mapping[str, Sequence[float]]) -> tuple[exhibits.Line, ...]:
    before = tuple(float(n) for n in range(1 - len(values), 1))
    after = tuple(float(n) for n in range(1, len(parts["forecast"]) + 1))
    low, high = (exhibits.numbers(parts[end]) if end in parts else () for end in ("low", "high"))
    return (
        exhibits.Line("", "level", before, exhibits.numbers(values)),
        exhibits.Line("forecast", 0, after, exhibits.numbers(parts["forecast"]), low, high),
    )
