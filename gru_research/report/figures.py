"""The figures of every run: `matplotlib.figure.Figure` objects with captions, made from the results of one task."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gru_research import stats
from gru_research.report import captions, figure_style, formatting, results, scales, solve_times, summary

_MARKS_PER_LINE, _MANY_BANDS = 8, 5
_SUMMARY = 0.2  # offset of a summary below the middle of its row, in rows
_ARROW_ROW = 0.45  # space above the rows for labels at an edge, in rows


def illustrations(task: results.TaskResults) -> list[figure_style.Illustration]:
    """Returns the figures for which there are results; none without evaluations."""
    made = []
    if any(len(cell.curve.steps) for cell in task.cells):
        made.append(learning_curves(task))
    if task.complete:
        made.append(test_metric(task))
        if task.task.threshold is not None and solve_times.units(task.complete):
            made.append(share_solved(task))
        made.append(speed_and_size(task))
    return made


def learning_curves(task: results.TaskResults) -> figure_style.Illustration:
    """Plots the validation metric against the step: the IQM over seeds, with a band or every seed's line."""
    shown = [(i, cell) for i, cell in enumerate(task.cells) if len(cell.curve.steps)]
    figure, axes = _new(task.task, height=3.9)
    measured = task.task.on_validation()
    values = np.concatenate([cell.curve.values.ravel() for _, cell in shown])
    scales.fit(axes, "y", values, scales.values(measured), logarithmic=measured.direction == "min")
    scales.make_room(axes, measured, inches=2.5)
    faint = 0.16 if len(shown) <= _MANY_BANDS else 0.07
    handles = [_draw_curve(axes, figure_style.style(i), cell, faint) for i, cell in shown]
    handles += scales.draw_references(axes, "y", measured)
    axes.set_xlabel("updates")
    axes.xaxis.set_major_locator(scales.update_ticks())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(figure_style.text(f"validation {measured.metric}"))
    figure_style.legend(figure, handles)
    labels = ", ".join(cell.label for _, cell in shown)
    return figure_style.Illustration(
        "learning_curves",
        figure,
        "Learning curves",
        f"Line chart of the validation {measured.metric} on {task.task.name} against updates, for {labels}.",
        captions.curves(task),
    )


def test_metric(task: results.TaskResults) -> figure_style.Illustration:
    """Plots the test metric of every seed as a dot, with the IQM and its interval."""
    figure, axes = _new(task.task, height=1.4 + 0.6 * len(task.complete))
    compared = task.task.on_test()
    metrics = [stats.rank_worst([s.test_metric for s in cell.seeds], compared.direction) for cell in task.complete]
    values = np.concatenate(metrics)
    scales.fit(axes, "x", values, scales.values(compared), logarithmic=compared.direction == "min")
    for y, (cell, metric) in enumerate(zip(task.complete, metrics, strict=True)):
        style = figure_style.style(task.cells.index(cell))
        low, high = summary.interval(metric)
        if low is not None and high is not None:
            ends = np.clip([low, high], *axes.get_xlim())  # an infinite end is drawn at the edge
            axes.plot(ends, [y + _SUMMARY] * 2, color=style["color"], linewidth=2.5, solid_capstyle="butt")
        _draw_row(axes, metric, stats.iqm(metric), y, style)
    figure_style.name_rows(axes, [cell.label for cell in task.complete], [_lost(cell) for cell in task.complete])
    axes.set_ylim(top=-0.5 - _ARROW_ROW * scales.far(axes, "x", compared))
    handles = scales.draw_references(axes, "x", compared)
    axes.set_xlabel(figure_style.text(f"test {task.task.metric}"))
    figure_style.legend(figure, handles)
    labels = ", ".join(cell.label for cell in task.complete)
    return figure_style.Illustration(
        "test_metric",
        figure,
        f"Test {task.task.metric}",
        f"Dot chart of the test {task.task.metric} of every seed, with the interquartile mean, for {labels}.",
        captions.test(task),
    )


def share_solved(task: results.TaskResults) -> figure_style.Illustration:
    """Plots the share of seeds that solved the task by each update, and by each second if recorded."""
    units = solve_times.units(task.complete)
    figure = figure_style.sheet(0.7 + 2.5 * len(units))
    for axes, unit in zip(figure.subplots(len(units), squeeze=False)[:, 0], units, strict=True):
        figure_style.plain(axes)
        found = [(task.cells.index(cell), solve_times.times(cell, unit)) for cell in task.complete]
        _draw_shares(axes, [(figure_style.style(i), at) for i, at in found if at], unit)
    figure_style.title(figure.axes[0], task.task.name)
    figure_style.legend(figure, [figure_style.key(cell.label, task.cells.index(cell)) for cell in task.complete])
    labels = ", ".join(cell.label for cell in task.complete)
    return figure_style.Illustration(
        "steps_to_solve",
        figure,
        "Time to solve",
        f"Step chart of the share of seeds that solved {task.task.name} against {' and '.join(units)}, for {labels}.",
        captions.solve(task),
    )


def speed_and_size(task: results.TaskResults) -> figure_style.Illustration:
    """Plots the training time per update and seed, and the parameters, as horizontal bars."""
    rows = [summary.row(task, cell) for cell in task.complete]
    figure = figure_style.sheet(1.0 + 0.42 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    colours = [figure_style.style(task.cells.index(cell))["color"] for cell in task.complete]
    _bars(left, [line.ms_per_step for line in rows], colours, formatting.number, "ms per update and seed")
    _bars(right, [line.parameters for line in rows], colours, formatting.count, "parameters")
    figure_style.name_rows(left, [cell.label for cell in task.complete])
    figure_style.title(left, task.task.name)
    return figure_style.Illustration(
        "speed_and_size",
        figure,
        "Speed and size",
        "Bar charts of the training time for each update and seed, and of the parameters, for "
        f"{', '.join(cell.label for cell in task.complete)}.",
        captions.speed(rows),
    )


def _draw_curve(axes: Axes, style: dict[str, Any], cell: results.CellResults, alpha: float) -> Line2D:
    steps, values, colour = cell.curve.steps, cell.curve.values, style["color"]
    if values.shape[1] >= summary.MIN_SEEDS_FOR_INTERVAL:
        low, high = np.array([stats.iqm_interval(row) for row in values]).T
    else:
        low, high = values.min(axis=1), values.max(axis=1)
        if values.shape[1] > 1:
            axes.plot(steps, scales.drawable(values), color=colour, linewidth=0.7, alpha=0.55)
    band = np.clip([low, high], *axes.get_ylim())  # an infinite end is drawn at the edge
    axes.fill_between(steps, *band, color=colour, alpha=alpha, linewidth=0)
    middle = scales.drawable(np.array([stats.iqm(row) for row in values]))
    spacing = max(1, math.ceil(len(steps) / _MARKS_PER_LINE))
    (line,) = axes.plot(
        steps,
        middle,
        label=figure_style.text(figure_style.shortened(cell.label)),
        linewidth=1.9,
        markevery=spacing,
        markersize=5,
        **style,
    )
    for seed in range(values.shape[1]):
        finite = np.flatnonzero(np.isfinite(values[:, seed]))
        if 0 < len(finite) < len(steps):  # this seed diverged: mark its last finite value
            axes.plot(steps[finite[-1]], values[finite[-1], seed], marker="x", color=colour, markersize=8, mew=2)
    return line


def _draw_row(axes: Axes, values: np.ndarray, middle: float, y: float, style: dict[str, Any]) -> None:
    """Draws every finite value as an open mark in row `y`, and their `middle` as a filled mark below them."""
    # Marks are spread over the row's height to separate equal values.
    heights = y - (np.linspace(0.05, 0.33, len(values)) if len(values) > 1 else np.array([0.15]))
    finite = np.isfinite(values)
    marks = {"linestyle": "none", "marker": style["marker"], "color": style["color"], "zorder": 3}
    axes.plot(values[finite], heights[finite], markersize=5, markerfacecolor="white", **marks)
    if math.isfinite(middle):
        axes.plot([middle], [y + _SUMMARY], markersize=7, **marks)


def _draw_shares(axes: Axes, cells: Sequence[tuple[dict[str, Any], solve_times.Times]], unit: solve_times.Unit) -> None:
    """Draws a step up with a mark at each solve, and a bar where training ended with unsolved seeds."""
    last = max(at.end for _, at in cells)
    for style, at in cells:
        curve = at.curve()
        share = 1 - np.append(curve.unsolved, curve.unsolved[-1])
        look: dict[str, Any] = style | {"marker": "", "drawstyle": "steps-post"}
        (line,) = axes.plot(np.append(curve.times, at.end), share, linewidth=1.9, **look)
        line.set_clip_on(False)  # at 0 and 1, half of the line is outside the axes
        marks: dict[str, Any] = {"linestyle": "none", "color": style["color"], "clip_on": False, "zorder": 3}
        if at.solved.any():  # an empty unclipped line breaks the layout
            axes.plot(curve.times[1:], share[1:-1], marker=style["marker"], markersize=5, **marks)
        if share[-1] < 1:
            axes.plot([at.end], [share[-1]], marker="|", markersize=11, markeredgewidth=2, **marks)
    axes.axhline(0.5, color=figure_style.FAINT, linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
    axes.set_xlim(0, 1.02 * last)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_ylabel("seeds that solved it")
    axes.set_xlabel(unit if unit == "updates" else "seconds of training")
    axes.xaxis.set_major_locator(scales.update_ticks() if unit == "updates" else matplotlib.ticker.MaxNLocator(6))
    axes.xaxis.set_major_formatter("{x:,.0f}" if unit == "updates" else "{x:,.4g}")


def _bars(
    axes: Axes, lengths: Sequence[float | None], colours: Sequence[str], text: Callable[[float], str], label: str
) -> None:
    drawn = axes.barh(range(len(lengths)), [length or 0 for length in lengths], height=0.55, color=colours)
    axes.bar_label(drawn, [formatting.UNKNOWN if n is None else text(n) for n in lengths], padding=3)
    axes.set_xlim(0, 1.4 * max([n for n in lengths if n] or [1]))  # room for the labels
    axes.set_xlabel(label)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    figure_style.plain(axes, grid=False)


def _new(task: results.Task, height: float) -> tuple[Figure, Axes]:
    figure = figure_style.sheet(height)
    axes = figure.add_subplot()
    figure_style.title(axes, task.name)
    figure_style.plain(axes)
    return figure, axes


def _lost(cell: results.CellResults) -> str:
    lost = sum(seed.test_metric is None for seed in cell.seeds)
    return f"({lost} of {len(cell.seeds)} not finite)" if lost else ""
