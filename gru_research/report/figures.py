"""The figures: `matplotlib.figure.Figure` objects made from the results of one task, with their words."""

import dataclasses
import itertools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gru_research import stats
from gru_research.report import drawing, results, summary, wording

_LEGEND_LABEL, _ROW_LABEL = 28, 20  # characters
_MARKS_PER_LINE = 8
_SUMMARY = 0.2  # how far below its row's middle a summary stands, in rows


@dataclasses.dataclass(frozen=True)
class Illustration:
    """A figure, the `name` of its file, and its words as plain text: not yet escaped for HTML."""

    name: str
    figure: Figure
    title: str
    alt: str
    caption: str


def illustrations(task: results.TaskResults) -> list[Illustration]:
    """The figures that there are results for: none without evaluations."""
    made = []
    if any(len(cell.curve.steps) for cell in task.cells):
        made.append(learning_curves(task))
    if task.complete:
        made.append(test_metric(task))
        if task.task.threshold is not None:
            made.append(steps_to_solve(task))
        made.append(speed_and_size(task))
    return made


def learning_curves(task: results.TaskResults) -> Illustration:
    """The validation metric against the step: the IQM over seeds, with a band or every seed's line."""
    shown = [(i, cell) for i, cell in enumerate(task.cells) if len(cell.curve.steps)]
    figure, axes = _new(task.task, height=3.9)
    values = np.concatenate([cell.curve.values.ravel() for _, cell in shown])
    _scale(axes, "y", [*values, *_references(task.task)], logarithmic=task.task.direction == "min")
    handles = [_draw_curve(axes, drawing.style(i), cell) for i, cell in shown]
    handles += _draw_references(axes.axhline, task.task, axes.get_ylim())
    axes.set_xlabel("updates")
    axes.xaxis.set_major_locator(_ticks_of_updates())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(drawing.text(f"validation {task.task.metric}"))
    drawing.legend(figure, handles)
    labels = ", ".join(cell.label for _, cell in shown)
    return Illustration(
        "learning_curves",
        figure,
        "Learning curves",
        f"Line chart of the validation {task.task.metric} on {task.task.name} against updates, for {labels}.",
        wording.curves_caption(task),
    )


def test_metric(task: results.TaskResults) -> Illustration:
    """The test metric of every seed as a dot, with the IQM and its interval."""
    figure, axes = _rows(task)
    metrics = [stats.rank_worst([s.test_metric for s in cell.seeds], task.task.direction) for cell in task.complete]
    logarithmic = task.task.direction == "min"
    values = np.concatenate(metrics)
    _scale(axes, "x", [*values, *_near(_references(task.task), values, logarithmic)], logarithmic)
    for y, (cell, metric) in enumerate(zip(task.complete, metrics, strict=True)):
        style = drawing.style(task.cells.index(cell))
        low, high = summary.interval(metric)
        if low is not None and high is not None:
            ends = np.clip([low, high], *axes.get_xlim())  # an infinite end stands at the edge
            axes.plot(ends, [y + _SUMMARY] * 2, color=style["color"], linewidth=2.5, solid_capstyle="butt")
        _draw_row(axes, metric, stats.iqm(metric), y, style)
    handles = _draw_references(axes.axvline, task.task, axes.get_xlim())
    _name_rows(axes, [cell.label for cell in task.complete], [_lost(cell) for cell in task.complete])
    axes.set_xlabel(drawing.text(f"test {task.task.metric}"))
    drawing.legend(figure, handles)
    labels = ", ".join(cell.label for cell in task.complete)
    return Illustration(
        "test_metric",
        figure,
        f"Test {task.task.metric}",
        f"Dot chart of the test {task.task.metric} of every seed, with the interquartile mean, for {labels}.",
        wording.test_caption(task),
    )


def steps_to_solve(task: results.TaskResults) -> Illustration:
    """The step at which each seed solved the task; unsolved ones stand in a column at the end."""
    figure, axes = _rows(task)
    steps = [seed.steps_to_solve for cell in task.complete for seed in cell.seeds if seed.steps_to_solve is not None]
    trained = [int(cell.curve.steps[-1]) for cell in task.complete if len(cell.curve.steps)]
    end = max([1, *steps, *trained])
    unsolved = 1.11 * end
    for y, cell in enumerate(task.complete):
        style = drawing.style(task.cells.index(cell))
        at = stats.rank_worst([seed.steps_to_solve for seed in cell.seeds], "min")
        median = stats.median_with_infinite(at)
        _draw_row(axes, at, unsolved if math.isinf(median) else median, y, style)
        if lost := int(np.isinf(at).sum()):
            axes.plot([unsolved], [y - 0.15], marker="x", color=style["color"], markersize=7, markeredgewidth=2)
            axes.annotate(f"{lost}", (unsolved, y - 0.15), xytext=(8, 0), textcoords="offset points", va="center")
    axes.axvspan(1.05 * end, 1.22 * end, color="#eeeeee", zorder=0)
    axes.text(1.135 * end, 1.02, "unsolved", transform=axes.get_xaxis_transform(), ha="center", va="bottom")
    axes.set_xlim(-0.02 * end, 1.22 * end)
    axes.set_xticks([tick for tick in _ticks_of_updates().tick_values(0, end) if 0 <= tick <= end])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _name_rows(axes, [cell.label for cell in task.complete])
    axes.set_xlabel("updates to solve")
    return Illustration(
        "steps_to_solve",
        figure,
        "Steps to solve",
        f"Dot chart of the updates that every seed needed to solve {task.task.name}, for "
        f"{', '.join(cell.label for cell in task.complete)}.",
        wording.solve_caption(task),
    )


def speed_and_size(task: results.TaskResults) -> Illustration:
    """Training time for each update and seed, and parameters, as horizontal bars."""
    rows = [summary.row(task.task, cell) for cell in task.complete]
    figure = Figure(figsize=(drawing.WIDTH, 1.0 + 0.42 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    colours = [drawing.style(task.cells.index(cell))["color"] for cell in task.complete]
    _bars(left, [line.ms_per_step for line in rows], colours, wording.number, "ms per update and seed")
    _bars(right, [line.parameters for line in rows], colours, wording.count, "parameters")
    _name_rows(left, [cell.label for cell in task.complete])
    _title(left, task.task)
    return Illustration(
        "speed_and_size",
        figure,
        "Speed and size",
        "Bar charts of the training time for each update and seed, and of the parameters, for "
        f"{', '.join(cell.label for cell in task.complete)}.",
        wording.speed_caption(rows),
    )


def _draw_curve(axes: Axes, style: dict, cell: results.CellResults) -> Line2D:
    steps, values, colour = cell.curve.steps, cell.curve.values, style["color"]
    if values.shape[1] >= summary.MIN_SEEDS_FOR_INTERVAL:
        low, high = np.array([stats.iqm_interval(row) for row in values]).T
    else:
        low, high = values.min(axis=1), values.max(axis=1)
        if values.shape[1] > 1:
            axes.plot(steps, _drawable(values), color=colour, linewidth=0.7, alpha=0.55)
    band = np.clip([low, high], *axes.get_ylim())  # an infinite end stands at the edge
    axes.fill_between(steps, *band, color=colour, alpha=0.16, linewidth=0)
    middle = _drawable(np.array([stats.iqm(row) for row in values]))
    spacing = max(1, math.ceil(len(steps) / _MARKS_PER_LINE))
    (line,) = axes.plot(
        steps,
        middle,
        label=drawing.text(_shortened(cell.label)),
        linewidth=1.9,
        markevery=spacing,
        markersize=5,
        **style,
    )
    for seed in range(values.shape[1]):
        finite = np.flatnonzero(np.isfinite(values[:, seed]))
        if 0 < len(finite) < len(steps):  # this seed diverged: a cross where its finite values end
            axes.plot(steps[finite[-1]], values[finite[-1], seed], marker="x", color=colour, markersize=8, mew=2)
    return line


def _draw_references(draw: Callable[..., Line2D], task: results.Task, limits: tuple[float, float]) -> list[Line2D]:
    """Draws the baseline and the threshold within `limits` with `axhline` or `axvline`; returns the lines."""
    lines = []
    if task.baseline is not None and limits[0] <= task.baseline <= limits[1]:
        label = drawing.text(f"{_shortened(task.baseline_name)} ({wording.number(task.baseline)})")
        lines.append(
            draw(task.baseline, label=label, color=drawing.FAINT, linestyle=(0, (6, 3)), linewidth=1, zorder=1)
        )
    if task.threshold is not None and limits[0] <= task.threshold <= limits[1]:
        label = f"solved: {wording.threshold(task)}"
        lines.append(
            draw(task.threshold, label=label, color=drawing.INK, linestyle=(0, (1, 2)), linewidth=1.3, zorder=1)
        )
    return lines


def _references(task: results.Task) -> list[float]:
    return [value for value in (task.baseline, task.threshold) if value is not None]


def _near(references: Sequence[float], values: np.ndarray, logarithmic: bool) -> list[float]:
    """The references that stand no further from the finite `values` than these spread.

    A far one would press the values together until nobody sees how they differ.
    """
    logarithmic = logarithmic and min([*values, *references]) > 0
    position = math.log if logarithmic else float
    positions = [position(value) for value in values if math.isfinite(value)]
    if not positions:
        return list(references)
    low, high = min(positions), max(positions)
    reach = (high - low) or math.inf
    return [value for value in references if low - reach <= position(value) <= high + reach]


def _scale(axes: Axes, which: Literal["x", "y"], values: Iterable[float], logarithmic: bool) -> None:
    """Fits an axis to the finite `values`, with a margin; logarithmic only where all of them are above 0."""
    finite = np.array([v for v in values if math.isfinite(v)])
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    axis = axes.yaxis if which == "y" else axes.xaxis
    if logarithmic and low > 0:
        margin = max((high / low) ** 0.06, 1.05)
        axes.set(**{f"{which}scale": "log", f"{which}lim": (low / margin, high * margin)})
        # Within two decades a label at the decades alone could leave none.
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
        axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    else:
        margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        axes.set(**{f"{which}lim": (low - margin, high + margin)})
        axis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=6))


def _draw_row(axes: Axes, values: np.ndarray, middle: float, y: float, style: dict) -> None:
    """Every finite value as an open mark in row `y`, and their `middle` as a filled one below them."""
    # Spread over the row's height, so that equal values stay apart.
    heights = y - (np.linspace(0.05, 0.33, len(values)) if len(values) > 1 else np.array([0.15]))
    finite = np.isfinite(values)
    marks = {"linestyle": "none", "marker": style["marker"], "color": style["color"], "zorder": 3}
    axes.plot(values[finite], heights[finite], markersize=5, markerfacecolor="white", **marks)
    if math.isfinite(middle):
        axes.plot([middle], [y + _SUMMARY], markersize=7, **marks)


def _ticks_of_updates() -> matplotlib.ticker.MaxNLocator:
    return matplotlib.ticker.MaxNLocator(nbins=6, integer=True, steps=[1, 2, 2.5, 5, 10])


def _bars(
    axes: Axes, lengths: Sequence[float | None], colours: Sequence[str], text: Callable[[float], str], label: str
) -> None:
    drawn = axes.barh(range(len(lengths)), [length or 0 for length in lengths], height=0.55, color=colours)
    axes.bar_label(drawn, [wording.UNKNOWN if n is None else text(n) for n in lengths], padding=3)
    axes.set_xlim(0, 1.4 * max([n for n in lengths if n] or [1]))  # room for the labels
    axes.set_xlabel(label)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    drawing.plain(axes)


def _new(task: results.Task, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(drawing.WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    _title(axes, task)
    drawing.plain(axes)
    axes.grid(color=drawing.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _title(axes: Axes, task: results.Task) -> None:
    axes.set_title(drawing.text(task.name), loc="left", fontweight="bold")


def _rows(task: results.TaskResults) -> tuple[Figure, Axes]:
    return _new(task.task, _rows_height(len(task.complete)))


def _rows_height(count: int) -> float:
    return 1.4 + 0.6 * count


def _name_rows(axes: Axes, labels: Sequence[str], remarks: Sequence[str] = ()) -> None:
    """One row a label, the first on top; a label has two lines at most, then its remark."""
    wrapped = ["\n".join(textwrap.wrap(label, _ROW_LABEL, max_lines=2, placeholder="…")) for label in labels]
    names = [f"{label}\n{remark}" if remark else label for label, remark in itertools.zip_longest(wrapped, remarks)]
    axes.set_yticks(range(len(labels)), [drawing.text(name) for name in names])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _lost(cell: results.CellResults) -> str:
    lost = sum(seed.test_metric is None for seed in cell.seeds)
    return f"({lost} of {len(cell.seeds)} not finite)" if lost else ""


def _drawable(values: np.ndarray) -> np.ndarray:
    """Infinite values as NaN, where Matplotlib interrupts a line."""
    return np.where(np.isfinite(values), values, np.nan)


def _shortened(text: str) -> str:
    return text if len(text) <= _LEGEND_LABEL else text[: _LEGEND_LABEL - 1] + "…"
