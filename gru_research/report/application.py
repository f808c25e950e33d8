"""What a report adds for an application: trivial answers, published figures, groups of examples, a verdict."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from gru_research import stats, tables
from gru_research.plural import several
from gru_research.report import exhibits, formatting, results

Row = tuple[str, Mapping[str, float | None], str]
"""A name, the values by metric, and how they were measured."""
_SHIFT = 0.15
"""The distance between cells' marks in a group, where groups are 1 apart."""


def references(task: results.TaskResults) -> tables.Table | None:
    """Returns the test metrics of the complete cells, the trivial answers and the literature; None for a task that
    isn't an application."""
    application = task.task.application
    if application is None:
        return None
    metrics = [task.task.metric, *task.task.more_metrics]
    own: list[Row] = [(cell.label, {name: _iqm(task, cell, name) for name in metrics}, "") for cell in task.complete]
    trivial: list[Row] = [
        (name, {task.task.metric: value, **application.trivial_metrics.get(name, {})}, "trivial answer")
        for name, value in task.task.trivial.items()
    ]
    published: list[Row] = [
        (one.name, one.metrics, f"published{f', {one.protocol}' if one.protocol else ''}")
        for one in application.published
    ]
    columns = [
        tables.Column("", lambda name, values, how: name, "left"),
        *(tables.Column(f"test {metric}", _value(metric)) for metric in metrics),
        tables.Column("", lambda name, values, how: how, "left"),
    ]
    caption = (
        f"{task.task.name}: cells (IQM over seeds) beside trivial answers and figures from the literature, whose "
        "protocols differ as stated"
    )
    return tables.tabulate(columns, [*own, *trivial, *published], caption)


def _value(metric: str) -> Callable[..., str]:
    def text(name: str, values: Mapping[str, float | None], how: str) -> str:
        return formatting.number(values[metric]) if metric in values else formatting.UNKNOWN

    return text


def _iqm(task: results.TaskResults, cell: results.CellResults, metric: str) -> float | None:
    compared = metric == task.task.metric
    values = [seed.test_metric if compared else seed.test_metrics.get(metric) for seed in cell.seeds]
    found = stats.iqm(stats.rank_worst(values, task.task.directions[metric]))
    return found if np.isfinite(found) else None


def verdict(task: results.TaskResults, label: str) -> list[str]:
    """Returns what the numbers show about this use of a GRU, as sentences.

    The use is shown if each seed of the cell `label` is better than the best trivial answer. Between cells a difference
    is shown if each seed of one is better than each seed of the other. Anything else is "not shown here", and so is
    everything with one seed.
    """
    application, cells = task.task.application, {cell.label: cell for cell in task.complete}
    if application is None or label not in cells:
        return []
    found = {name: _scores(task, cell) for name, cell in cells.items()}
    if len(found[label]) == 1:
        return [f"One seed shows nothing about {application.use} as a use of a GRU: train several."]
    lines = [f"Tutorials name {application.use} among the uses of a GRU.", _against_trivial(task, label, found[label])]
    lines += [_against_cell(label, found[label], name, found[name]) for name in found if name != label]
    lines.append(
        "Rule: a cell is ahead of another, or of a trivial answer, only if each of its seeds is better. Sizes of "
        "differences and tests are in the table of pairs."
    )
    return lines


def _scores(task: results.TaskResults, cell: results.CellResults) -> np.ndarray:
    return stats.as_scores([seed.test_metric for seed in cell.seeds], task.task.direction)


def _against_trivial(task: results.TaskResults, label: str, scores: np.ndarray) -> str:
    about = task.task
    if about.baseline is None:
        return "No trivial answer is known, so whether the use is worth a network is not shown here."
    (least,) = stats.as_scores([about.baseline], about.direction)
    ahead, seeds = int((scores > least).sum()), len(scores)
    beside = f"the best trivial answer, {about.baseline_name} ({about.metric} {formatting.number(about.baseline)})"
    if ahead == seeds:
        return f"Each of the {several(seeds, 'seed')} of {label} is better than {beside}: the use is shown here."
    if not ahead:
        return f"No seed of {label} is better than {beside}: the use is not shown here."
    return f"Only {ahead} of {several(seeds, 'seed')} of {label} are better than {beside}: the use is not shown here."


def _against_cell(x: str, of_x: np.ndarray, y: str, of_y: np.ndarray) -> str:
    if of_x.min() > of_y.max():
        return f"{x} is ahead of {y}: each of its seeds is better than each seed of {y}."
    if of_x.max() < of_y.min():
        return f"{x} is behind {y}: each of its seeds is worse than each seed of {y}."
    return f"Between {x} and {y} a difference is not shown here: their seeds overlap."


def breakdowns(task: results.TaskResults) -> list[exhibits.Plot]:
    """Returns a figure for each breakdown: the IQM of every group and the values of seeds, for each cell.

    Numeric groups are connected by lines; others, which have no order, are marks beside each other."""
    application = task.task.application
    if application is None or not task.complete:
        return []
    return [_plot(task, name, one) for name, one in application.breakdowns.items()]


def _plot(task: results.TaskResults, name: str, one: results.Breakdown) -> exhibits.Plot:
    groups, metrics = list(one.groups), list(one.groups.values())
    places = tuple(float(group) if one.numeric else float(i) for i, group in enumerate(groups))
    lines, said = [], []
    for n, cell in enumerate(task.complete):
        seeds = tuple(exhibits.numbers(map(seed.test_metrics.get, metrics)) for seed in cell.seeds)
        middle = exhibits.numbers(_iqm(task, cell, metric) for metric in metrics)
        place = task.labels.index(cell.label)
        said.append(f"{cell.label}: {_listed(groups, middle)}")
        if one.numeric:
            lines.append(exhibits.Line(cell.label, place, places, middle, seeds=seeds))
        else:
            shifted = [x + _SHIFT * (n - (len(task.complete) - 1) / 2) for x in places]
            marks = [mark for values in seeds for mark in _marks(shifted, values, "open")]
            lines.append(exhibits.Line(cell.label, place, marks=(*marks, *_marks(shifted, middle, "filled"))))
    ticks = () if one.numeric else tuple(zip(places, groups, strict=True))
    shown = "Thick lines are interquartile means over seeds, thin lines" if one.numeric else (
        "Filled marks are interquartile means over seeds, open marks"
    )  # fmt: skip
    words = exhibits.Words(
        one.title,
        f"Chart of {one.title}. {'; '.join(said)}.",
        f"Test set, {one.unit} by {one.by}. {shown} single seeds.",
    )
    panel = exhibits.Panel("", tuple(lines), exhibits.Axis(one.by, ticks=ticks), exhibits.Axis(one.unit))
    return exhibits.Plot(f"breakdown-{name}", words, (panel,))


def _marks(places: Sequence[float], values: Sequence[float | None], kind: exhibits.MarkKind) -> Iterator[exhibits.Mark]:
    return (exhibits.Mark(x, y, kind) for x, y in zip(places, values, strict=True) if y is not None)


def _listed(groups: Sequence[str], values: Sequence[float | None]) -> str:
    return ", ".join(f"{group} {formatting.number(value)}" for group, value in zip(groups, values, strict=True))
