"""Forecasts of a few test windows, with the cells in one panel."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gru_research.report import exhibits, results

Arrays = Mapping[str, np.ndarray]


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns a figure of each series, with a panel for each window, from the arrays of the task's `collect`."""
    first = next(iter(cells.values()))
    return [_figure(task, cells, first, k, int(series)) for k, series in enumerate(first["series"])]


def _figure(
    task: results.TaskResults, cells: Mapping[str, Arrays], first: Arrays, k: int, series: int
) -> exhibits.Plot:
    x, y = exhibits.Axis("steps after the end of the look-back"), exhibits.Axis("value")
    panels = tuple(
        exhibits.Panel(f"test window {int(window)}", tuple(_lines(task, cells, first, w, k)), x, y)
        for w, window in enumerate(first["windows"])
    )
    shown = ", ".join(f"{label} with seed {int(arrays['seed'])}" for label, arrays in cells.items())
    interval = " Bands: the interval between the outermost quantiles." if "low" in first else ""
    words = exhibits.Words(
        f"Forecasts of series {series + 1}",
        f"Line chart of series {series + 1} around the start of a forecast in {len(panels)} test windows, with the "
        f"forecasts of {', '.join(cells)}.",
        f"Black: what happened. Shown: {shown}.{interval} The windows are evenly spaced over the test set.",
    )
    return exhibits.Plot(f"forecasts-{series + 1}", words, panels)


def _lines(
    task: results.TaskResults, cells: Mapping[str, Arrays], first: Arrays, w: int, k: int
) -> list[exhibits.Line]:
    before, after = first["before"][w, :, k], first["after"][w, :, k]
    known = _line("", "level", np.arange(1 - len(before), len(after) + 1), np.concatenate([before, after]))
    steps = np.arange(1, len(after) + 1)
    made = []
    for label, arrays in cells.items():
        low, high = (exhibits.numbers(arrays[end][w, :, k]) if end in arrays else () for end in ("low", "high"))
        place = task.labels.index(label)
        made.append(dataclasses.replace(_line(label, place, steps, arrays["forecast"][w, :, k]), low=low, high=high))
    return [known, *made]


def _line(label: str, place: Any, x: np.ndarray, y: np.ndarray) -> exhibits.Line:
    return exhibits.Line(label, place, tuple(map(float, x)), exhibits.numbers(y))
