"""Tables, figures and verdicts on a run's test results, shared by several claims."""

import math
from collections.abc import Mapping, Sequence

from experiments.diagnosis.gate_panels import plain_label
from gru_research import stats
from gru_research.report import exhibits, formatting, pairwise_tests, results, summary
from gru_research.report.claims.findings import Verdict
from gru_research.runs.trained import FinishedRun
from gru_research.tables import Column, Table, tabulate
from gru_research.tasks import Task

LEARNED = 0.1
"""The least normalised score of a cell that has learned something: 0 is the trivial answer, 1 is "solved"."""


def collect(run: FinishedRun) -> results.TaskResults:
    """Returns the results of the run's one task."""
    return results.collect(run.records)[0]


def rows(task: results.TaskResults) -> dict[str, summary.SummaryRow]:
    """Returns each cell's summary, by label."""
    return {cell.label: summary.row(task, cell) for cell in task.complete}


def estimate(row: summary.SummaryRow) -> str:
    """Formats IQM and interval, as "0.0021 [0.0018, 0.0035]"."""
    if row.ci_low is None:
        return formatting.number(row.iqm, 3)
    return f"{formatting.number(row.iqm, 3)} [{formatting.number(row.ci_low, 3)}, {formatting.number(row.ci_high, 3)}]"


def table(task: results.TaskResults, found: Sequence[pairwise_tests.Pair], caption: str) -> Table:
    """Makes a table of each cell's test metric, solved seeds and verdict; `found` pairs one cell with the others."""
    tests = {pair.y: pair for pair in found}
    columns = [
        Column("cell", lambda label, row: plain_label(label), "left"),
        Column("parameters", lambda label, row: formatting.count(row.parameters)),
        Column(f"test {task.task.metric}, IQM and 95 % interval", lambda label, row: estimate(row)),
        Column("solved", lambda label, row: f"{row.solved_seeds}/{row.seeds}"),
        Column("steps to solve", lambda label, row: formatting.count(row.steps_to_solve)),
        Column(
            f"p against {plain_label(found[0].x)} (Holm)" if found else "p",
            lambda label, row: _tested(tests[label]) if label in tests else formatting.UNKNOWN,
        ),
    ]
    return tabulate(columns, rows(task).items(), caption)


def _tested(pair: pairwise_tests.Pair) -> str:
    return f"{formatting.number(pair.verdict.adjusted_p, 3)}: {plain_label(pairwise_tests.verdict(pair))}"


def dots(task: results.TaskResults, name: str, words: exhibits.Words, reference: float | None = None) -> exhibits.Dots:
    """Makes a figure of each cell's test metric with its interval."""
    shown = [exhibits.dot(plain_label(label), (row.iqm, row.ci_low, row.ci_high)) for label, row in rows(task).items()]
    axis = exhibits.Axis(f"test {task.task.metric}", references=exhibits.level(reference))
    return exhibits.Dots(name, words, tuple(shown), axis)


def better(found: Sequence[pairwise_tests.Pair]) -> Mapping[str, bool | None]:
    """Returns, by the other cell's label, whether the first is shown to be better; None if there are too few seeds."""
    return {pair.y: None if pair.verdict.answer == "too few seeds" else pair.verdict.answer == "better"
            for pair in found}  # fmt: skip


def verdict(held: Sequence[bool | None]) -> Verdict:
    """Returns the verdict on whether all, some or none of `held` are true; None means undecided."""
    if any(held):
        return "holds" if all(held) else "holds when"
    return "not shown" if None in held else "doesn't hold"


def learned(task: Task | results.Task, value: float) -> bool:
    """Returns whether a value of the task's metric has a normalised score of at least `LEARNED`."""
    if task.baseline is None or task.threshold is None or math.isnan(value):
        return False
    return bool(stats.normalized(value, task.baseline, task.threshold, task.direction) >= LEARNED)


def worse_end(row: summary.SummaryRow, direction: stats.Direction) -> float:
    """Returns the worse end of a cell's interval, or the IQM if few seeds leave no interval."""
    end = row.ci_high if direction == "min" else row.ci_low
    return row.iqm if end is None else end


def without_mark(task: results.TaskResults) -> str:
    """Returns a sentence naming the cells without a finite IQM, which a figure can't mark; "" if there are none."""
    lacking = [plain_label(label) for label, row in rows(task).items() if not math.isfinite(row.iqm)]
    return f" No mark: too many seeds diverged ({', '.join(lacking)})." if lacking else ""
