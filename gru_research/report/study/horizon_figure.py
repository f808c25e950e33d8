"""The figure of a horizon: which cells solve the task at each value, and the metric there."""

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gru_research import stats
from gru_research.report import figure_style, results, scales
from gru_research.report.study import captions, horizon, reading

_SPREAD = 0.2  # the spread of all cells' marks at one value, as a fraction of the distance to the next value


def illustration(study: reading.Study) -> figure_style.Illustration | None:
    """Plots the share of solved seeds and the test metric against the swept value; None without any results."""
    found = [reach for reach in horizon.reaches(study) if reach.values]
    tasks = [(run.value, run.outcome.task) for run in study.runs if run.outcome and run.value is not None]
    if not found:
        return None
    figure = figure_style.sheet(6.0)
    above, below = figure.subplots(2, 1, sharex=True)
    figure_style.title(above, study.title)
    for axes in (above, below):
        figure_style.plain(axes)
    _draw_shares(above, study, found)
    handles = [figure_style.key(reach.label, study.labels.index(reach.label)) for reach in found]
    handles += _draw_metrics(below, study, found, tasks)
    values = _values(study)
    scales.fit(below, "x", values, logarithmic=True)
    below.set_xticks(values, [f"{value:g}" for value in values], minor=False)
    below.set_xticks([], minor=True)
    below.set_xlabel(figure_style.text(horizon.noun(study)))
    figure_style.legend(figure, handles)
    return figure_style.Illustration(
        "horizon",
        figure,
        "Horizon",
        f"Line charts of the share of solved seeds and of the test metric against {horizon.noun(study)}, for "
        f"{', '.join(reach.label for reach in found)}.",
        captions.horizon_caption(study),
    )


def _draw_shares(axes: Axes, study: reading.Study, found: list[horizon.Reach]) -> None:
    axes.axhline(study.solved, zorder=1, **scales.THRESHOLD)
    for i, reach in enumerate(found):
        shares = np.array([horizon.solved(cell) / len(cell.seeds) for cell in reach.cells])
        passed = np.array([reach.horizon is not None and value <= reach.horizon for value in reach.values])
        look = figure_style.style(study.labels.index(reach.label))
        at = _beside(study, reach, i, len(found))
        axes.plot(at, shares, linewidth=1.9, color=look["color"], linestyle=look["linestyle"], clip_on=False)
        for some, fill in ((passed, look["color"]), (~passed, "white")):
            if some.any():  # an empty unclipped line breaks the layout
                axes.plot(at[some], shares[some], linestyle="none", marker=look["marker"], color=look["color"],
                          markerfacecolor=fill, markersize=7, clip_on=False, zorder=3)  # fmt: skip
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_ylabel("seeds that solved it")


def _draw_metrics(
    axes: Axes, study: reading.Study, found: list[horizon.Reach], tasks: list[tuple[float, results.Task]]
) -> list[Line2D]:
    first = tasks[0][1]
    metrics = [
        [stats.rank_worst([seed.test_metric for seed in cell.seeds], first.direction) for cell in reach.cells]
        for reach in found
    ]
    references = [value for _, task in tasks for value in scales.values(task)]
    every = np.concatenate([values for row in metrics for values in row])
    scales.fit(axes, "y", [*every, *references], logarithmic=first.direction == "min")
    for i, (reach, row) in enumerate(zip(found, metrics, strict=True)):
        look = figure_style.style(study.labels.index(reach.label))
        at = _beside(study, reach, i, len(found))
        ends = np.clip([[values.min(), values.max()] for values in row], *axes.get_ylim())
        axes.vlines(at, ends[:, 0], ends[:, 1], color=look["color"], linewidth=1.6, alpha=0.6)
        middle = scales.drawable(np.array([stats.iqm(values) for values in row]))
        axes.plot(at, middle, linewidth=1.9, markersize=6, **look)
    axes.set_ylabel(figure_style.text(f"test {first.metric}"))
    return _draw_references(axes, tasks)


def _draw_references(axes: Axes, tasks: list[tuple[float, results.Task]]) -> list[Line2D]:
    """Draws the baseline and the threshold as curves over the values, as both may depend on them."""
    handles = []
    names = {"baseline": figure_style.shortened(tasks[0][1].baseline_name), "threshold": "solved"}
    looks = {"baseline": scales.BASELINE, "threshold": scales.THRESHOLD}
    for name in names:
        known = [(value, getattr(task, name)) for value, task in tasks if getattr(task, name) is not None]
        if known:
            line = axes.plot(*zip(*known, strict=True), label=figure_style.text(names[name]), zorder=1, **looks[name])
            handles += line
            if len(known) == 1:  # a curve of one point is invisible
                axes.axhline(known[0][1], zorder=1, **looks[name])
    return handles


def _beside(study: reading.Study, reach: horizon.Reach, index: int, count: int) -> np.ndarray:
    """Returns the reach's values, slightly shifted so that cells at one value don't overlap."""
    every, moved = _values(study), np.array(reach.values, dtype=float)
    if len(every) < 2 or every[0] <= 0:
        return moved
    closest = min(after / before for before, after in itertools.pairwise(every))
    return moved * closest ** (_SPREAD * (index - (count - 1) / 2) / count)


def _values(study: reading.Study) -> list[float]:
    return [run.value for run in study.runs if run.value is not None]
