"""The figure of a horizon: which cells solve the task at each value, and the metric there."""

import itertools

import numpy as np

from gru_research import stats
from gru_research.report import exhibits, formatting, results
from gru_research.report.metric_axis import scale
from gru_research.report.study import captions, horizon, reading

_SPREAD = 0.2  # the spread of all cells' marks at one value, as a fraction of the distance to the next value


def figure(study: reading.Study) -> exhibits.Plot | None:
    """Shows the share of solved seeds and the test metric against the swept value; None without any results."""
    found = [reach for reach in horizon.reaches(study) if reach.values]
    tasks = [(run.value, run.outcome.task) for run in study.runs if run.outcome and run.value is not None]
    if not found:
        return None
    task = tasks[0][1]
    shares, metrics = [], []
    for i, reach in enumerate(found):
        place, at = study.labels.index(reach.label), _beside(study, reach, i, len(found))
        shares.append(_share(reach, place, at))
        metrics.append(_metric(reach, place, at, task.direction))
    values = _values(study)
    ticks = tuple((value, f"{value:g}") for value in values)
    x = exhibits.Axis(horizon.noun(study), "fitted log", limits=(min(values), max(values)), ticks=ticks)
    share = exhibits.Axis("seeds that solved it", "share", (exhibits.Reference(study.solved, kind="threshold"),))
    lines, references = _references(tasks)
    metric = exhibits.Axis(f"test {task.metric}", scale(task), tuple(references))
    panels = (
        exhibits.Panel(study.title, tuple(shares), x, share),
        exhibits.Panel("", (*metrics, *lines), x, metric),
    )
    words = exhibits.Words(
        "Horizon",
        f"Line charts of the share of solved seeds and of the test metric against {horizon.noun(study)}, for "
        f"{', '.join(reach.label for reach in found)}.",
        captions.horizon_caption(study),
    )
    return exhibits.Plot("horizon", words, panels)


def _share(reach: horizon.Reach, place: int, at: tuple[float, ...]) -> exhibits.Line:
    """Returns the share of solved seeds. Marks up to the cell's horizon are filled."""
    shares = tuple(horizon.solved(cell) / len(cell.seeds) for cell in reach.cells)
    passed = [reach.horizon is not None and value <= reach.horizon for value in reach.values]
    marks = [
        exhibits.Mark(x, y, "filled" if filled else "open") for x, y, filled in zip(at, shares, passed, strict=True)
    ]
    return exhibits.Line(reach.label, place, at, shares, marks=tuple(marks))


def _metric(reach: horizon.Reach, place: int, at: tuple[float, ...], direction: stats.Direction) -> exhibits.Line:
    """Returns the interquartile mean over seeds, and a whisker from the lowest to the highest."""
    values = [stats.rank_worst([seed.test_metric for seed in cell.seeds], direction) for cell in reach.cells]
    low, high = (tuple(float(end(of)) for of in values) for end in (np.min, np.max))
    middle = exhibits.numbers([stats.iqm(of) for of in values])
    return exhibits.Line(reach.label, place, at, middle, low, high, whiskers=True)


def _references(tasks: list[tuple[float, results.Task]]) -> tuple[list[exhibits.Line], list[exhibits.Reference]]:
    """Returns the baseline and the threshold as lines over the values, as both may depend on them. One known at a
    single value is a reference."""
    found: dict[exhibits.ReferenceKind, tuple[str, list[tuple[float, float | None]]]] = {
        "baseline": (tasks[0][1].baseline_name, [(value, task.baseline) for value, task in tasks]),
        "threshold": ("solved", [(value, task.threshold) for value, task in tasks]),
    }
    lines, references = [], []
    for kind, (label, points) in found.items():
        known = [(x, y) for x, y in points if y is not None]
        if len(known) == 1:
            references.append(exhibits.Reference(known[0][1], formatting.shortened(label), kind))
        elif known:
            lines.append(exhibits.Line(label, kind, tuple(x for x, _ in known), tuple(y for _, y in known)))
    return lines, references


def _beside(study: reading.Study, reach: horizon.Reach, index: int, count: int) -> tuple[float, ...]:
    """Returns the reach's values, slightly shifted so that cells at one value don't overlap."""
    every = _values(study)
    if len(every) < 2 or every[0] <= 0:
        return reach.values
    closest = min(after / before for before, after in itertools.pairwise(every))
    return tuple(value * closest ** (_SPREAD * (index - (count - 1) / 2) / count) for value in reach.values)


def _values(study: reading.Study) -> list[float]:
    return [run.value for run in study.runs if run.value is not None]
