"""Series with their anomalies, and how surprised each cell was."""

from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.report import exhibits, results

Arrays = Mapping[str, np.ndarray]
HIGHEST = 20.0
"""The highest surprise in a figure. One anomaly may have hundreds of digits."""


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns a figure of each series, from the arrays of the task's `collect`: the values, and a panel for each cell's
    surprise."""
    first = next(iter(cells.values()))
    keys = sorted(name.partition("/")[2] for name in first if name.startswith("name/"))
    return [_figure(task, cells, first, key) for key in keys]


def _figure(task: results.TaskResults, cells: Mapping[str, Arrays], first: Arrays, key: str) -> exhibits.Plot:
    name = str(first[f"name/{key}"])
    places = first[f"place/{key}"]
    x = exhibits.Axis("point", limits=(0.0, float(places.max())))
    alarm = exhibits.Reference(float(first["threshold"]), "alarm without labels", "threshold")
    surprise = exhibits.Axis("surprise", references=(alarm,), limits=(0.0, HIGHEST))
    values = _line("", "level", places, first[f"value/{key}"])
    height = exhibits.numbers(first[f"value/{key}"])
    ends = min(v for v in height if v is not None), max(v for v in height if v is not None)
    panels = [exhibits.Panel("", (values, *_windows(first, key, *ends)), x, exhibits.Axis("scaled value"))]
    for label, arrays in cells.items():
        counted = arrays[f"place/{key}"] >= arrays[f"start/{key}"]
        shown = np.minimum(arrays[f"surprise/{key}"], HIGHEST)[counted]
        line = _line(label, task.labels.index(label), arrays[f"place/{key}"][counted], shown)
        panels.append(exhibits.Panel(label, (line, *_windows(arrays, key, 0.0, HIGHEST)), x, surprise))
    seeds = ", ".join(f"{label} with seed {int(arrays['seed'])}" for label, arrays in cells.items())
    words = exhibits.Words(
        f"Surprise at {name}",
        f"Line chart of the series {name} with its anomalies, above the surprise of {', '.join(cells)} at each point.",
        f"Bands: windows around anomalies, by the labels. Surprise: the decimal digits of the tail probability, cut at "
        f"{HIGHEST:g}, after the points for learning. Shown: {seeds}. Of a long series, the most surprising points are "
        f"drawn.",
    )
    return exhibits.Plot(f"anomalies-{int(key) + 1}", words, tuple(panels), panel_inches=1.3)


def _line(label: str, place: int | exhibits.ReferenceKind, x: np.ndarray, y: np.ndarray) -> exhibits.Line:
    return exhibits.Line(label, place, tuple(x.astype(float).tolist()), exhibits.numbers(y))


def _windows(arrays: Arrays, key: str, low: float, high: float) -> list[exhibits.Line]:
    """Returns the windows as bands from `low` to `high`."""
    return [
        exhibits.Line("", "trivial", (float(a), float(b)), (None, None), (low, low), (high, high))
        for a, b in arrays[f"window/{key}"].tolist()
    ]
