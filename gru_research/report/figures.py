"""The figures of every run, made from the results of one task."""

from collections.abc import Sequence

import numpy as np

from gru_research import stats
from gru_research.report import captions, exhibits, formatting, results, solve_times, summary
from gru_research.report.metric_axis import metric_axis


def figures(task: results.TaskResults) -> list[exhibits.Figure]:
    """Returns the figures for which there are results; none without evaluations."""
    made: list[exhibits.Figure] = []
    if any(len(cell.curve.steps) for cell in task.cells):
        made.append(learning_curves(task))
    if task.complete:
        made.append(test_metric(task))
        if task.task.threshold is not None and solve_times.units(task.complete):
            made.append(share_solved(task))
        made.append(speed_and_size(task))
    return made


def learning_curves(task: results.TaskResults) -> exhibits.Plot:
    """Shows the validation metric against the step: the IQM over seeds, with a band or every seed's line."""
    measured = task.task.on_validation()
    shown = [cell for cell in task.cells if len(cell.curve.steps)]
    values = np.concatenate([cell.curve.values.ravel() for cell in shown])
    finite = values[np.isfinite(values)]
    limits = (float(finite.min()), float(finite.max())) if finite.size else ()
    lines = [line for cell in shown for line in _curve(cell, task.cells.index(cell))]
    updates, metric = exhibits.Axis("updates", "updates"), metric_axis(measured, "validation", limits)
    words = exhibits.Words(
        "Learning curves",
        f"Line chart of the validation {measured.metric} on {task.task.name} against updates, for {_labels(shown)}.",
        captions.curves(task),
    )
    panel = exhibits.Panel(task.task.name, tuple(lines), updates, metric)
    return exhibits.Plot("learning_curves", words, (panel,), panel_inches=3.0)


def _curve(cell: results.CellResults, place: int) -> list[exhibits.Line]:
    """Returns the IQM of a cell with its band, and a cross at the last finite value of each seed that diverged."""
    values, steps = cell.curve.values, tuple(map(float, cell.curve.steps))
    enough = values.shape[1] >= summary.MIN_SEEDS_FOR_INTERVAL
    bands = [stats.iqm_interval(row) if enough else (row.min(), row.max()) for row in values]
    seeds = () if enough or values.shape[1] == 1 else tuple(exhibits.numbers(seed) for seed in values.T)
    low, high = (tuple(map(float, ends)) for ends in zip(*bands, strict=True))
    crosses = []
    for seed in values.T:
        finite = np.flatnonzero(np.isfinite(seed))
        if 0 < len(finite) < len(steps):
            crosses.append(exhibits.Mark(steps[finite[-1]], float(seed[finite[-1]]), "cross"))
    middle = exhibits.numbers([stats.iqm(row) for row in values])
    return [
        exhibits.Line(cell.label, place, steps, middle, low, high, seeds),
        exhibits.Line("", place, marks=tuple(crosses)),
    ]


def test_metric(task: results.TaskResults) -> exhibits.Dots:
    """Shows the test metric of every seed, with the IQM and its interval."""
    compared = task.task.on_test()
    rows = []
    for cell in task.complete:
        seeds = stats.rank_worst([seed.test_metric for seed in cell.seeds], compared.direction)
        lost = sum(seed.test_metric is None for seed in cell.seeds)
        (middle,), (low, high) = exhibits.numbers([stats.iqm(seeds)]), summary.interval(seeds)
        remark = f"({lost} of {len(cell.seeds)} not finite)" if lost else ""
        place = task.cells.index(cell)
        rows.append(exhibits.Dot(cell.label, middle, low, high, place, exhibits.numbers(seeds), remark))
    words = exhibits.Words(
        f"Test {compared.metric}",
        f"Dot chart of the test {compared.metric} of every seed, with the interquartile mean, for "
        f"{_labels(task.complete)}.",
        captions.test(task),
    )
    return exhibits.Dots("test_metric", words, tuple(rows), metric_axis(compared, "test"), title=task.task.name)


def share_solved(task: results.TaskResults) -> exhibits.Plot:
    """Shows the share of seeds that solved the task by each update, and by each second if recorded."""
    units = solve_times.units(task.complete)
    words = exhibits.Words(
        "Time to solve",
        f"Step chart of the share of seeds that solved {task.task.name} against {' and '.join(units)}, for "
        f"{_labels(task.complete)}.",
        captions.solve(task),
    )
    return exhibits.Plot("steps_to_solve", words, tuple(_shares(task, unit, unit == units[0]) for unit in units))


def _shares(task: results.TaskResults, unit: solve_times.Unit, titled: bool) -> exhibits.Panel:
    """Returns steps up with a mark at each solve, and a bar where training ended with unsolved seeds."""
    lines, last = [], 0.0
    for cell in task.complete:
        if not (at := solve_times.times(cell, unit)):
            continue
        curve = at.curve()
        times, shares = tuple(map(float, curve.times)), tuple(map(float, 1 - curve.unsolved))
        marks = [exhibits.Mark(time, share) for time, share in zip(times[1:], shares[1:], strict=True)]
        marks += [exhibits.Mark(at.end, shares[-1], "bar")] * (shares[-1] < 1)
        lines.append(
            exhibits.Line(
                cell.label,
                task.cells.index(cell),
                (*times, at.end),
                (*shares, shares[-1]),
                marks=tuple(marks),
                steps=True,
            )
        )
        last = max(last, at.end)
    x = exhibits.Axis("updates" if unit == "updates" else "seconds of training", unit, limits=(0.0, last))
    y = exhibits.Axis("seeds that solved it", "share", (exhibits.Reference(0.5, kind="baseline"),))
    return exhibits.Panel(task.task.name if titled else "", tuple(lines), x, y)


def speed_and_size(task: results.TaskResults) -> exhibits.Bars:
    """Shows the training time per update and seed, and the parameters."""
    rows = [summary.row(task, cell) for cell in task.complete]
    words = exhibits.Words(
        "Speed and size",
        "Bar charts of the training time for each update and seed, and of the parameters, for "
        f"{_labels(task.complete)}.",
        captions.speed(rows),
    )
    bars = [
        exhibits.Bar(
            row.cell,
            task.cells.index(cell),
            (row.ms_per_step, row.parameters),
            (formatting.number(row.ms_per_step), formatting.count(row.parameters)),
        )
        for cell, row in zip(task.complete, rows, strict=True)
    ]
    quantities = ("ms per update and seed", "parameters")
    return exhibits.Bars("speed_and_size", words, tuple(bars), quantities, task.task.name)


def _labels(cells: Sequence[results.CellResults]) -> str:
    return ", ".join(cell.label for cell in cells)
