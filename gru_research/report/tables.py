"""The tables of a run, each declared as a list of columns. Terminal, page and LaTeX show the same texts."""

import dataclasses
import functools
import html
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gru_research import stats
from gru_research.report import formatting, results, solve_times, summary


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
      heading: the text above the column.
      text: returns the column's text for a row; the row's items are its arguments.
      trivial: returns the text for a trivial answer with this value; only the summary has such rows.
    """

    heading: str
    text: Callable[..., str]
    trivial: Callable[[float], str] = lambda value: formatting.UNKNOWN


def texts(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[list[str]]]:
    """Returns the headings of `columns` and the texts of each row."""
    return [column.heading for column in columns], [[column.text(*row) for column in columns] for row in rows]


def summary_table(
    task: results.TaskResults, trivial: bool = False, narrow: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Returns the headings and, for each complete cell, the texts of its row.

    Args:
      trivial: whether to add rows of the trivial answers.
      narrow: for a terminal: omits the compilation time.
    """
    rows = [summary.row(task, cell) for cell in task.complete]
    columns = _summary_columns(task, rows, narrow)
    headings, found = texts(columns, zip(rows, task.complete, strict=True))
    answers = task.task.trivial.items() if trivial else ()
    return headings, [*found, *([name, *(column.trivial(value) for column in columns[1:])] for name, value in answers)]


def _summary_columns(task: results.TaskResults, rows: Sequence[summary.SummaryRow], narrow: bool) -> list[Column]:
    columns = [
        Column("cell", lambda row, cell: row.cell),
        Column("hidden size", lambda row, cell: formatting.count(row.hidden_size)),
        Column("params", lambda row, cell: formatting.count(row.parameters)),
        Column(f"test {task.task.metric} (IQM)", lambda row, cell: formatting.number(row.iqm), formatting.number),
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
    return columns


def mean(row: summary.SummaryRow) -> str:
    """Formats the mean and standard deviation over seeds; only the mean for one seed."""
    return _mean_text(row.mean, row.standard_deviation)


def _mean_text(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return formatting.NOT_FINITE
    text = formatting.number(mean, 3)
    return text if deviation is None else f"{text} \u00b1\u00a0{formatting.number(deviation, 2)}"


def metrics_table(task: results.TaskResults) -> tuple[list[str], list[list[str]]] | None:
    """Returns the headings and, for each complete cell, the IQM, mean and deviation of every test metric; None if there
    is only one metric."""
    names = [name for name in task.task.more_metrics if _measured(task, name)]
    if not names:
        return None
    columns = [Column("cell", lambda cell: cell.label)]
    for name in (task.task.metric, *names):
        ranked = functools.partial(_ranked, task, name)
        columns += [
            Column(f"test {name} (IQM)", lambda cell, ranked=ranked: formatting.number(stats.iqm(ranked(cell)))),
            Column(
                "mean \u00b1\u00a0SD",
                lambda cell, ranked=ranked: _mean_text(*summary.mean_and_deviation(ranked(cell))),
            ),
        ]
    return texts(columns, ((cell,) for cell in task.complete))


def _ranked(task: results.TaskResults, metric: str, cell: results.CellResults) -> np.ndarray:
    values = [seed.test_metrics.get(metric) for seed in cell.seeds]
    return stats.rank_worst(values, task.task.directions[metric])


def _measured(task: results.TaskResults, metric: str) -> bool:
    return any(metric in seed.test_metrics for cell in task.cells for seed in cell.seeds)


def seeds_table(task: results.TaskResults) -> tuple[list[str], list[list[str]]]:
    """Returns the headings and, for each seed of every cell that has a result, the texts of its row."""
    metric = task.task.metric
    rows = [(cell, seed) for cell in task.cells for seed in cell.seeds]
    columns = [
        Column("cell", lambda cell, seed: cell.label),
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
    return texts(columns, rows)


def _clipped(seed: results.SeedResult) -> str:
    return formatting.UNKNOWN if seed.clipped_share is None else formatting.percent(seed.clipped_share)


def solving_table(task: results.TaskResults) -> tuple[list[str], list[list[str]]] | None:
    """Returns the headings and each complete cell's row of times to solve; None without a threshold or any time."""
    units = solve_times.units(task.complete)
    if task.task.threshold is None or not units:
        return None
    columns = [
        Column("cell", lambda cell: cell.label),
        Column("solved", lambda cell: f"{sum(s.steps_to_solve is not None for s in cell.seeds)}/{len(cell.seeds)}"),
    ]
    for unit in units:
        end = solve_times.common_end(task.complete, unit)
        up_to = f" up to {formatting.count(_rounded(end))}" if end else ""
        columns += [
            Column(f"median {unit}", functools.partial(_median, unit=unit)),
            Column(f"mean {unit}{up_to}", functools.partial(_mean, task, unit=unit)),
        ]
    return texts(columns, ((cell,) for cell in task.complete))


def to_html(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    css_class: str,
    links: Sequence[str | None] = (),
) -> str:
    """Returns an escaped table for the page. Each table cell names its column, for narrow screens.

    `links` are addresses for the first text of each row.
    """
    head = "".join(f'<th scope="col">{html.escape(heading)}</th>' for heading in headings)
    body = "\n".join(_html_row(headings, row, links[i] if links else None) for i, row in enumerate(rows))
    return (
        f'<div class="scroll" role="region" aria-label="{html.escape(caption)}" tabindex="0">\n'
        f'<table class="{html.escape(css_class)}">\n<caption>{html.escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _html_row(headings: Sequence[str], row: Sequence[str], link: str | None) -> str:
    first, *rest = row
    name = f'<a href="{html.escape(link)}">{html.escape(first)}</a>' if link else html.escape(first)
    cells = "".join(
        f'<td data-heading="{html.escape(heading)}">{html.escape(text)}</td>'
        for heading, text in zip(headings[1:], rest, strict=True)
    )
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


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
