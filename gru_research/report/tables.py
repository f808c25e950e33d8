"""The tables of a run, as headings and rows of text: one list of columns each, for terminal, page and LaTeX alike."""

import dataclasses
import html
import math
from collections.abc import Callable, Sequence

from gru_research import stats
from gru_research.report import formatting, results, solve_times, summary


@dataclasses.dataclass(frozen=True)
class _Column:
    """A column of the summary: what it says of a cell, and of a trivial answer from its value."""

    heading: str
    text: Callable[[summary.SummaryRow, results.CellResults], str]
    trivial: Callable[[float], str] = lambda value: formatting.UNKNOWN


def summary_table(
    task: results.TaskResults, trivial: bool = False, narrow: bool = False
) -> tuple[list[str], list[list[str]]]:
    """The headings and, for each complete cell, the texts of its row.

    Args:
      trivial: whether rows of the trivial answers follow.
      narrow: for a terminal, without what compilation took.
    """
    rows = [summary.row(task, cell) for cell in task.complete]
    columns = _summary_columns(task, rows, narrow)
    texts = [[column.text(row, cell) for column in columns] for row, cell in zip(rows, task.complete, strict=True)]
    answers = task.task.trivial.items() if trivial else ()
    texts += [[name, *(column.trivial(value) for column in columns[1:])] for name, value in answers]
    return [column.heading for column in columns], texts


def _summary_columns(task: results.TaskResults, rows: Sequence[summary.SummaryRow], narrow: bool) -> list[_Column]:
    columns = [
        _Column("cell", lambda row, cell: row.cell),
        _Column("hidden size", lambda row, cell: formatting.count(row.hidden_size)),
        _Column("params", lambda row, cell: formatting.count(row.parameters)),
        _Column(f"test {task.task.metric} (IQM)", lambda row, cell: formatting.number(row.iqm), formatting.number),
        _Column(interval_heading(rows), interval),
        _Column("mean \u00b1\u00a0SD", lambda row, cell: mean(row)),
    ]
    if task.task.threshold is not None:
        columns += [
            _Column("solved", lambda row, cell: f"{row.solved_seeds}/{row.seeds}"),
            _Column("steps to solve", lambda row, cell: formatting.count(row.steps_to_solve)),
        ]
    columns.append(_Column("ms/step", lambda row, cell: formatting.number(row.ms_per_step)))
    if not narrow:
        columns.append(_Column("compile s", lambda row, cell: formatting.number(row.compile_seconds)))
    return columns


def mean(row: summary.SummaryRow) -> str:
    """The mean over seeds and their standard deviation; the mean alone of one seed."""
    return _mean_text(row.mean, row.standard_deviation)


def _mean_text(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return formatting.NOT_FINITE
    text = formatting.number(mean, 3)
    return text if deviation is None else f"{text} \u00b1\u00a0{formatting.number(deviation, 2)}"


def metrics_table(task: results.TaskResults) -> tuple[list[str], list[list[str]]] | None:
    """The headings and, for each complete cell, the IQM of every test metric, and their means and deviations; None
    where there is one metric alone."""
    names = [name for name in task.task.more_metrics if _measured(task, name)]
    if not names:
        return None
    rows = []
    for cell in task.complete:
        values = [[seed.test_metrics.get(name) for seed in cell.seeds] for name in (task.task.metric, *names)]
        ranked = [
            stats.rank_worst(each, task.task.directions[name])
            for each, name in zip(values, (task.task.metric, *names), strict=True)
        ]
        said = [(formatting.number(stats.iqm(each)), _mean_text(*summary.mean_and_deviation(each))) for each in ranked]
        rows.append([cell.label, *(text for texts in said for text in texts)])
    headings = [(f"test {name} (IQM)", "mean \u00b1\u00a0SD") for name in (task.task.metric, *names)]
    return ["cell", *(heading for both in headings for heading in both)], rows


def _measured(task: results.TaskResults, metric: str) -> bool:
    return any(metric in seed.test_metrics for cell in task.cells for seed in cell.seeds)


def seeds_table(task: results.TaskResults) -> tuple[list[str], list[list[str]]]:
    """The headings and, for each seed of every cell that has a result, the texts of its row."""
    metric, solvable = task.task.metric, task.task.threshold is not None
    headings = [
        "cell",
        "seed",
        "updates",
        "tested at",
        f"test {metric}",
        "test loss",
        f"validation {task.task.validation_metric}",
        "train loss (mean)",
    ]
    headings += [*(["steps to solve"] if solvable else []), "diverged at", "last good loss", "ms/step"]
    seeds = [seed for cell in task.cells for seed in cell.seeds]
    more = {
        "clipped": lambda seed: (
            formatting.UNKNOWN if seed.clipped_share is None else formatting.percent(seed.clipped_share)
        ),
        f"training set {metric}": lambda seed: formatting.number(seed.train_set_metric),
    }
    for name in task.task.more_metrics:
        more[f"test {name}"] = lambda seed, name=name: formatting.number(seed.test_metrics.get(name))
    there = {f"test {name}": _measured(task, name) for name in task.task.more_metrics}
    there |= {"clipped": any(s.clipped_share is not None for s in seeds),
              f"training set {metric}": any(s.train_set_metric is not None for s in seeds)}  # fmt: skip
    shown = [name for name in more if there[name]]
    rows = [
        [*_seed_texts(cell, seed, solvable), *(more[name](seed) for name in shown)]
        for cell in task.cells
        for seed in cell.seeds
    ]
    return [*headings, *shown], rows


def solving_table(task: results.TaskResults) -> tuple[list[str], list[list[str]]] | None:
    """The headings and a row for each complete cell on its time to solve; None without a threshold or any time."""
    units = solve_times.units(task.complete)
    if task.task.threshold is None or not units:
        return None
    headings = ["cell", "solved"]
    for unit in units:
        end = solve_times.common_end(task.complete, unit)
        headings += [f"median {unit}", f"mean {unit}" + (f" up to {formatting.count(_rounded(end))}" if end else "")]
    rows = []
    for cell in task.complete:
        row = [cell.label, f"{sum(s.steps_to_solve is not None for s in cell.seeds)}/{len(cell.seeds)}"]
        for unit in units:
            row += [_median(cell, unit), _mean(task, cell, unit)]
        rows.append(row)
    return headings, rows


def to_html(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    css_class: str,
    links: Sequence[str | None] = (),
) -> str:
    """A table for the page, everything escaped; each cell names its column, for narrow screens.

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
    """A time to three digits, or to whole numbers where it has more."""
    if not math.isfinite(value) or value == 0:
        return value
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def _seed_texts(cell: results.CellResults, seed: results.SeedResult, solvable: bool) -> list[str]:
    return [
        cell.label,
        str(seed.seed),
        formatting.count(seed.updates),
        formatting.count(seed.selected_step),
        formatting.number(seed.test_metric),
        formatting.number(seed.test_loss),
        formatting.number(seed.validation_metric),
        formatting.number(seed.train_loss),
        *([formatting.count(seed.steps_to_solve)] if solvable else []),
        formatting.count(seed.diverged_at),
        formatting.number(seed.last_good_loss),
        formatting.number(seed.ms_per_step),
    ]


def interval_heading(rows: Sequence[summary.SummaryRow]) -> str:
    """What `interval` shows in these rows."""
    shown = {row.ci_low is not None for row in rows}
    return {frozenset([True]): "95\u00a0% interval", frozenset([False]): "seeds"}.get(
        frozenset(shown), "interval or seeds"
    )


def interval(row: summary.SummaryRow, cell: results.CellResults) -> str:
    """The interval of the IQM; every seed's value where there are too few for one."""
    if row.ci_low is not None:
        return f"[{formatting.number(row.ci_low, 3)}, {formatting.number(row.ci_high, 3)}]"
    values = (math.inf if seed.test_metric is None else seed.test_metric for seed in cell.seeds)
    return ", ".join(formatting.number(value, 3) for value in values)
