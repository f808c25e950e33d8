"""Judges finished runs against published numbers: a bound reached, a value matched, an order kept."""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from experiments.replications.table import Judge, RowResult
from gru_research import records
from gru_research.plural import several

if TYPE_CHECKING:
    from gru_research.report import summary


def summary_row(runs: Mapping[str, records.Run], run: str, label: str) -> "summary.SummaryRow | None":
    """Returns the summary of one cell of one run; None where the run isn't finished."""
    if run not in runs:
        return None
    from gru_research.report import summary  # here, as it brings matplotlib, which takes a second

    return next((row for row in summary.summarize(runs[run]) if row.cell == label), None)


def judged(run: str, cell: str, result: "Callable[[summary.SummaryRow, str], RowResult]") -> Judge:
    """Judges one cell of one run by `result`, from the cell's summary and the direction of its metric."""

    def judge(runs: Mapping[str, records.Run]) -> RowResult | None:
        row = summary_row(runs, run, cell)
        return row and result(row, _direction(runs[run]))

    return judge


def reaches(run: str, cell: str, limit: float, form: str = ".3g", scale: float = 1.0) -> Judge:
    """Judges the test metric's IQM over seeds, times `scale`: reached where it is at least as good as `limit`."""

    def result(row: "summary.SummaryRow", direction: str) -> RowResult:
        sign = 1 if direction == "min" else -1
        value = scale * row.iqm
        reached = sign * value <= sign * limit or math.isclose(value, limit)
        verdict = "reached" if reached else "not reached" + _within(row, limit / scale)
        return RowResult(format(value, form), interval_text(row, form, scale), verdict)

    return judged(run, cell, result)


def agrees_with(run: str, cell: str, published: float, tolerance: float, form: str = ".3g", what: str = "") -> Judge:
    """Judges whether the IQM is within the relative `tolerance` of the published value; else it is better or worse.

    `what` is appended to the verdict: what was compared with, where that isn't the row's published number.
    """

    def result(row: "summary.SummaryRow", direction: str) -> RowResult:
        if abs(row.iqm - published) <= tolerance * abs(published):
            verdict = f"agrees within {tolerance:.0%}"
        else:
            verdict = "better" if (row.iqm < published) == (direction == "min") else "worse"
            verdict += _within(row, published)
        return RowResult(format(row.iqm, form), interval_text(row, form), verdict + (f": {what}" if what else ""))

    return judged(run, cell, result)


def reported(run: str, cell: str, form: str, scale: float) -> Judge:
    """Reports the IQM without a verdict, where no published number is comparable."""
    return judged(
        run,
        cell,
        lambda row, _: RowResult(format(scale * row.iqm, form), interval_text(row, form, scale), "not comparable"),
    )


def _within(row: "summary.SummaryRow", value: float) -> str:
    """Returns the end of a verdict: whether the interval contains the value that ours was compared with."""
    if row.ci_low is None or row.ci_high is None:
        return ""
    return ", within the interval" if row.ci_low <= value <= row.ci_high else ""


def interval_text(row: "summary.SummaryRow", form: str, scale: float = 1.0) -> str:
    """Formats the 95 % interval of the IQM, or the number of seeds where they are too few for an interval."""
    if row.ci_low is None or row.ci_high is None:
        return several(row.seeds, "seed")
    return f"[{scale * row.ci_low:{form}}, {scale * row.ci_high:{form}}]"


def metrics_of_seeds(runs: Mapping[str, records.Run], run: str, cell: str) -> list[float | None]:
    """Returns the test metric of each seed of a cell, None for a seed that diverged; empty where the run is missing."""
    if run not in runs:
        return []
    return [result.test_metric for result in runs[run].results if result.cell == cell]


def same_order(run: str, cells: tuple[str, ...]) -> Judge:
    """Judges whether the order of the cells by IQM, best first, is the order of `cells`."""

    def judge(runs: Mapping[str, records.Run]) -> RowResult | None:
        rows = [summary_row(runs, run, cell) for cell in cells]
        if any(row is None for row in rows):
            return None
        known = [row for row in rows if row is not None]
        direction = _direction(runs[run])
        ranked = sorted(known, key=lambda row: row.iqm if direction == "min" else -row.iqm)
        apart = all(_apart(a, b) for a, b in itertools.pairwise(ranked))
        same = [row.cell for row in ranked] == list(cells)
        note = "" if apart else ", but intervals overlap or are missing"
        verdict = "same order" if same else "another order"
        intervals = "; ".join(f"{row.cell} {interval_text(row, '.3f')}" for row in ranked)
        return RowResult(" < ".join(row.cell for row in ranked), intervals, verdict + note)

    return judge


def _apart(a: "summary.SummaryRow", b: "summary.SummaryRow") -> bool:
    if a.ci_low is None or a.ci_high is None or b.ci_low is None or b.ci_high is None:
        return False
    return a.ci_high < b.ci_low or b.ci_high < a.ci_low


def _direction(run: records.Run) -> str:
    """Returns whether a lower ("min") or a higher ("max") metric is better."""
    return run.header.task["directions"][run.header.task["metric"]]
