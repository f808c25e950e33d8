"""The tables of a run. Terminal, page and LaTeX show the same texts."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np

from gru_research import stats, tables
from gru_research.report import captions, formatting, results, solve_times, summary
from gru_research.tables import Column


def summary_table(task: results.TaskResults, trivial: bool = False, narrow: bool = False) -> tables.Table:
    """Returns the table of complete cells.

    Args:
      trivial: whether to add rows of the trivial answers.
      narrow: for a terminal: omits the compilation time, and has a short caption.
    """
    rows = [summary.row(task, cell) for cell in task.complete]
    metric = f"test {task.task.metric} (IQM)"
    columns = [
        Column("cell", lambda row, cell: row.cell, "left"),
        Column("hidden size", lambda row, cell: formatting.count(row.hidden_size)),
        Column("params", lambda row, cell: formatting.count(row.parameters)),
        Column(metric, lambda row, cell: formatting.number(row.iqm)),
        Column(interval_heading(rows), interval),
        Column("mean \u00b1\u00a0SD", lambda row, cell: mean(row)),
    ]
    if task.task.threshold is not None:
        columns += [
            Column("solved", lambda row, cell: f"{row.solved_seeds}/{row.seeds}"),
            Column("steps to solve", lambda row, cell: formatting.count(row.steps_to_solve)),
        ]
    columns.append(Column("ms/step", lambda row, cell: formatting.number(row.ms_per_step)))
    if not narrow:
        columns.append(Column("compile s", lambda row, cell: formatting.number(row.compile_seconds)))
    caption = task.task.name if narrow else _summary_caption(task)
    made = tables.tabulate(columns, zip(rows, task.complete, strict=True), caption)
    known = [{"cell": name, metric: formatting.number(value)} for name, value in task.task.trivial.items() if trivial]
    answers = (tuple(texts.get(heading, formatting.UNKNOWN) for heading in made.headings) for texts in known)
    return dataclasses.replace(made, rows=(*made.rows, *answers))


def _summary_caption(task: results.TaskResults) -> str:
    better = "less" if task.task.direction == "min" else "more"
    return (
        f"{task.task.name}: test {task.task.metric} ({better} is better). IQM is the interquartile mean over seeds, "
        "SD the standard deviation between them (n - 1); ms/step is training time for each update and seed."
    )


def mean(row: summary.SummaryRow) -> str:
    """Formats the mean and standard deviation over seeds; only the mean for one seed."""
    return _mean_text(row.mean, row.standard_deviation)


def _mean_text(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return formatting.NOT_FINITE
    text = formatting.number(mean, 3)
    return text if deviation is None else f"{text} \u00b1\u00a0{formatting.number(deviation, 2)}"


def metrics_table(task: results.TaskResults) -> tables.Table | None:
    """Returns each complete cell's IQM, mean and deviation of every test metric; None if there is only one metric."""
    names = [name for name in task.task.more_metrics if _measured(task, name)]
    if not names:
        return None
    columns = [Column("cell", lambda cell: cell.label, "left")]
    for name in (task.task.metric, *names):
        ranked = functools.partial(_ranked, task, name)
        columns += [
            Column(f"test {name} (IQM)", lambda cell, ranked=ranked: formatting.number(stats.iqm(ranked(cell)))),
            Column(
                "mean \u00b1\u00a0SD",
                lambda cell, ranked=ranked: _mean_text(*summary.mean_and_deviation(ranked(cell))),
            ),
        ]
    caption = f"{task.task.name}: every metric of the test set, the interquartile mean over seeds, mean and SD"
    return tables.tabulate(columns, zip(task.complete), caption)


def _ranked(task: results.TaskResults, metric: str, cell: results.CellResults) -> np.ndarray:
    values = [seed.test_metrics.get(metric) for seed in cell.seeds]
    return stats.rank_worst(values, task.task.directions[metric])


def _measured(task: results.TaskResults, metric: str) -> bool:
    return any(metric in seed.test_metrics for cell in task.cells for seed in cell.seeds)


def seeds_table(task: results.TaskResults) -> tables.Table:
    """Returns a row for each seed of every cell that has a result."""
    metric = task.task.metric
    rows = [(cell, seed) for cell in task.cells for seed in cell.seeds]
    columns = [
        Column("cell", lambda cell, seed: cell.label, "left"),
        Column("seed", lambda cell, seed: str(seed.seed)),
        Column("updates", lambda cell, seed: formatting.count(seed.updates)),
        Column("tested at", lambda cell, seed: formatting.count(seed.selected_step)),
        Column(f"test {metric}", lambda cell, seed: formatting.number(seed.test_metric)),
        Column("test loss", lambda cell, seed: formatting.number(seed.test_loss)),
        Column(
            f"validation {task.task.validation_metric}", lambda cell, seed: formatting.number(seed.validation_metric)
        ),
        Column("train loss (mean)", lambda cell, seed: formatting.number(seed.train_loss)),
    ]
    if task.task.threshold is not None:
        columns.append(Column("steps to solve", lambda cell, seed: formatting.count(seed.steps_to_solve)))
    columns += [
        Column("diverged at", lambda cell, seed: formatting.count(seed.diverged_at)),
        Column("last good loss", lambda cell, seed: formatting.number(seed.last_good_loss)),
        Column("ms/step", lambda cell, seed: formatting.number(seed.ms_per_step)),
    ]
    if any(seed.clipped_share is not None for _, seed in rows):
        columns.append(Column("clipped", lambda cell, seed: _clipped(seed)))
    if any(seed.train_set_metric is not None for _, seed in rows):
        columns.append(Column(f"training set {metric}", lambda cell, seed: formatting.number(seed.train_set_metric)))
    for name in task.task.more_metrics:
        if _measured(task, name):
            columns.append(
                Column(f"test {name}", lambda cell, seed, name=name: formatting.number(seed.test_metrics.get(name)))
            )
    caption = (
        "One row a seed, as in seeds.csv, where numbers have all their digits. Train loss: the mean over the updates "
        "between the last two evaluations."
    )
    return tables.tabulate(columns, rows, caption)


def _clipped(seed: results.SeedResult) -> str:
    return formatting.UNKNOWN if seed.clipped_share is None else formatting.percent(seed.clipped_share)


def solving_table(task: results.TaskResults) -> tables.Table | None:
    """Returns each complete cell's times to solve; None without a threshold or any time."""
    units = solve_times.units(task.complete)
    if task.task.threshold is None or not units:
        return None
    columns = [
        Column("cell", lambda cell: cell.label, "left"),
        Column("solved", lambda cell: f"{sum(s.steps_to_solve is not None for s in cell.seeds)}/{len(cell.seeds)}"),
    ]
    for unit in units:
        end = solve_times.common_end(task.complete, unit)
        up_to = f" up to {formatting.count(_rounded(end))}" if end else ""
        columns += [
            Column(f"median {unit}", functools.partial(_median, unit=unit)),
            Column(f"mean {unit}{up_to}", functools.partial(_mean, task, unit=unit)),
        ]
    return tables.tabulate(columns, zip(task.complete), captions.solving_table(task))


def _median(cell: results.CellResults, unit: solve_times.Unit) -> str:
    found = solve_times.times(cell, unit)
    return (
        formatting.UNKNOWN if found is None else formatting.count(_rounded(stats.median_with_infinite(found.solved_at)))
    )


def _mean(task: results.TaskResults, cell: results.CellResults, unit: solve_times.Unit) -> str:
    mean = solve_times.restricted_mean(task, cell, unit)
    if mean is None:
        return formatting.UNKNOWN
    text = formatting.count(_rounded(mean.value))
    if len(cell.seeds) < summary.MIN_SEEDS_FOR_INTERVAL:
        return text
    return f"{text} [{formatting.count(_rounded(mean.low))}, {formatting.count(_rounded(mean.high))}]"


def _rounded(value: float) -> float:
    """Rounds a time to three significant digits, and to an integer from 100 on."""
    if not math.isfinite(value) or value == 0:
        return value
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def interval_heading(rows: Sequence[summary.SummaryRow]) -> str:
    """Returns the heading of the column of `interval` for these rows."""
    shown = {row.ci_low is not None for row in rows}
    return {frozenset([True]): "95\u00a0% interval", frozenset([False]): "seeds"}.get(
        frozenset(shown), "interval or seeds"
    )


def interval(row: summary.SummaryRow, cell: results.CellResults) -> str:
    """Formats the interval of the IQM; every seed's value if there are too few seeds."""
    if row.ci_low is not None:
        return f"[{formatting.number(row.ci_low, 3)}, {formatting.number(row.ci_high, 3)}]"
    values = (math.inf if seed.test_metric is None else seed.test_metric for seed in cell.seeds)
    return ", ".join(formatting.number(value, 3) for value in values)
