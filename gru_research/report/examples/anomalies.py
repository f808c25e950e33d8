"""Series with their anomalies, and how surprised each cell was."""

from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.report import exhibits, results

Arrays = Mapping[str, np.ndarray]


def draw(task: results.TaskResults, cells: Mapping[str, Arrays]) -> Sequence[exhibits.Exhibit]:
    """Returns a figure of each series, from the arrays of the task's `collect`: the values, and a panel for each cell's
    surprise."""
    first = next(iter(cells.values()))
    keys = sorted(name.partition("/")[2] for name in first if name.startswith("name/"))
    return [_figure(task, cells, first, key) for key in keys]


def _figure(task: results.TaskResults, cells: Mapping[str, Arrays], first: Arrays, key: str) -> exhibits.Plot:
    name = str(first[f"name/{key}"])
    x = exhibits.Axis("point")
    value = exhibits.Axis("value, in standard deviations")
    surprise = exhibits.Axis(
        "surprise", references=(exhibits.Reference(float(first["threshold"]), "alarm without labels", "threshold"),)
    )
    counted = (float(first[f"start/{key}"]), float(first[f"place/{key}"].max()))
    panels = [exhibits.Panel("", (_values(first, key), *_windows(first, key, f"value/{key}")), x, value, counted)]
    for label, arrays in cells.items():
        line = exhibits.Line(
            label,
            task.labels.index(label),
            tuple(arrays[f"place/{key}"].astype(float).tolist()),
            exhibits.numbers(arrays[f"surprise/{key}"]),
        )
        panels.append(exhibits.Panel(label, (line, *_windows(arrays, key, f"surprise/{key}")), x, surprise, counted))
    shown = ", ".join(f"{label} with seed {int(arrays['seed'])}" for label, arrays in cells.items())
    words = exhibits.Words(
        f"Surprise at {name}",
        f"Line chart of the series {name} with its anomalies, above the surprise of {', '.join(cells)} at each point.",
        f"Bands: windows around anomalies, by the labels. Surprise: the decimal digits of the tail probability. The "
        f"shaded part is for learning. Shown: {shown}. Of a long series, the most surprising points are drawn.",
    )
    return exhibits.Plot(f"anomalies-{int(key) + 1}", words, tuple(panels), panel_inches=1.3)


def _values(arrays: Arrays, key: str) -> exhibits.Line:
    places = tuple(arrays[f"place/{key}"].astype(float).tolist())
    return exhibits.Line("", "level", places, exhibits.numbers(arrays[f"value/{key}"]))


def _windows(arrays: Arrays, key: str, name: str) -> list[exhibits.Line]:
    """Returns the windows as bands over the height of what is drawn."""
    height = arrays[name][np.isfinite(arrays[name])]
    low, high = (float(height.min()), float(height.max())) if len(height) else (0.0, 1.0)
    return [
        exhibits.Line("", "baseline", (float(a), float(b)), (None, None), (low, low), (high, high))
        for a, b in arrays[f"window/{key}"].tolist()
    ]
