"""What a published table is: the runs that repeat it, and what its rows say of them."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gru_research import records
from gru_research.plural import several

if TYPE_CHECKING:
    from gru_research.report import summary

TRAINING_SHARE = 0.75
"""How much of a budget is training: the rest is compilation, evaluation and reports."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One comparison of a table.

    Attributes:
      config: as a config file gives it; where `share` is above 0 its `seconds` come from the budget.
      share: of the table's budget, spent alike by the run's cells; 0: the config says how many updates.
      gpu: whether it is for a GPU and left out elsewhere, unless it is named by `--runs`.
    """

    config: Mapping[str, Any]
    share: float = 0.0
    gpu: bool = False

    def within(self, budget_minutes: float) -> dict[str, Any]:
        """The config with its part of the budget as seconds of training for each cell."""
        if not self.share:
            return dict(self.config)
        seconds = 60 * budget_minutes * TRAINING_SHARE * self.share / len(self.config["cells"])
        return {**self.config, "seconds": round(seconds, 1)}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: what was published, and how ours is judged.

    Attributes:
      label: what the line is about; `published` as the source prints it.
      ours: from the finished runs by name to (value, interval or None, verdict); None where its run wasn't made.
    """

    label: str
    published: str
    ours: Callable[[Mapping[str, records.Run]], "Ours | None"]


@dataclasses.dataclass(frozen=True)
class Ours:
    """Our number for a line, as text: the value, its interval or what stands for it, and the verdict."""

    value: str
    interval: str
    verdict: str


@dataclasses.dataclass(frozen=True)
class Table:
    """A published table.

    Attributes:
      title, source: what and where it was published.
      runs: what is trained, by name; nothing where the table only counts.
      rows: the lines.
      differences: from the published protocol, a sentence each.
    """

    title: str
    source: str
    rows: tuple[Row, ...]
    differences: tuple[str, ...]
    runs: Mapping[str, Run] = dataclasses.field(default_factory=dict)


def cell_row(runs: Mapping[str, records.Run], run: str, label: str) -> "summary.SummaryRow | None":
    """The summary of one cell of one run; None where that hasn't been run to its end."""
    if run not in runs:
        return None
    from gru_research.report import summary  # here, as it brings matplotlib, which takes a second

    return next((row for row in summary.summarize(runs[run]) if row.cell == label), None)


def bound(
    run: str, cell: str, limit: float, form: str = ".3g", scale: float = 1.0
) -> Callable[[Mapping[str, records.Run]], Ours | None]:
    """Ours is the test metric's IQM over seeds, times `scale`; reached where it is at least as good as `limit`."""

    def judge(runs: Mapping[str, records.Run]) -> Ours | None:
        row = cell_row(runs, run, cell)
        if row is None:
            return None
        direction = _direction(runs[run])
        sign = 1 if direction == "min" else -1
        value = scale * row.iqm
        reached = sign * value <= sign * limit or math.isclose(value, limit)
        verdict = "reached" if reached else "not reached" + _within(row, limit / scale)
        return Ours(format(value, form), interval(row, form, scale), verdict)

    return judge


def compared(
    run: str,
    cell: str,
    published: float,
    tolerance: float,
    form: str = ".3g",
    scale: float = 1.0,
    what: str = "",
) -> Callable[[Mapping[str, records.Run]], Ours | None]:
    """Ours agrees where its IQM is within a share of `tolerance` of the published value; otherwise better or worse.

    `what` says in the verdict what it agrees with, where that isn't the number in the row.
    """

    def judge(runs: Mapping[str, records.Run]) -> Ours | None:
        row = cell_row(runs, run, cell)
        if row is None:
            return None
        direction = _direction(runs[run])
        value = scale * row.iqm
        if abs(value - published) <= tolerance * abs(published):
            verdict = f"agrees within {tolerance:.0%}"
        else:
            verdict = "better" if (value < published) == (direction == "min") else "worse"
            verdict += _within(row, published / scale)
        return Ours(format(value, form), interval(row, form, scale), verdict + (f": {what}" if what else ""))

    return judge


def measured(
    run: str, cell: str, form: str = ".3g", scale: float = 1.0
) -> Callable[[Mapping[str, records.Run]], Ours | None]:
    """Ours alone, where nothing that was published is comparable."""

    def judge(runs: Mapping[str, records.Run]) -> Ours | None:
        row = cell_row(runs, run, cell)
        return row and Ours(format(scale * row.iqm, form), interval(row, form, scale), "not comparable")

    return judge


def _within(row: "summary.SummaryRow", value: float) -> str:
    """What a verdict adds where the interval holds the value that ours was compared with."""
    if row.ci_low is None or row.ci_high is None:
        return ""
    return ", within the interval" if row.ci_low <= value <= row.ci_high else ""


def interval(row: "summary.SummaryRow", form: str, scale: float = 1.0) -> str:
    """The 95 % interval of the IQM, or how many seeds there are where they are too few for one."""
    if row.ci_low is None or row.ci_high is None:
        return several(row.seeds, "seed")
    return f"[{scale * row.ci_low:{form}}, {scale * row.ci_high:{form}}]"


def metrics(runs: Mapping[str, records.Run], run: str, cell: str) -> list[float | None]:
    """The test metric of every seed of a cell, None for one that diverged; empty where the run wasn't made."""
    if run not in runs:
        return []
    return [result.test_metric for result in runs[run].results if result.cell == cell]


def order(run: str, cells: tuple[str, ...]) -> Callable[[Mapping[str, records.Run]], Ours | None]:
    """Ours is the order of the cells by IQM, best first; it agrees where it is the order of `cells`."""

    def judge(runs: Mapping[str, records.Run]) -> Ours | None:
        rows = [cell_row(runs, run, cell) for cell in cells]
        if any(row is None for row in rows):
            return None
        known = [row for row in rows if row is not None]
        direction = _direction(runs[run])
        ranked = sorted(known, key=lambda row: row.iqm if direction == "min" else -row.iqm)
        apart = all(_apart(a, b) for a, b in itertools.pairwise(ranked))
        same = [row.cell for row in ranked] == list(cells)
        note = "" if apart else ", but intervals overlap or are missing"
        ends = "; ".join(f"{row.cell} {interval(row, '.3f')}" for row in ranked)
        return Ours(" < ".join(row.cell for row in ranked), ends, ("same order" if same else "another order") + note)

    return judge


def _apart(a: "summary.SummaryRow", b: "summary.SummaryRow") -> bool:
    if a.ci_low is None or a.ci_high is None or b.ci_low is None or b.ci_high is None:
        return False
    return a.ci_high < b.ci_low or b.ci_high < a.ci_low


def _direction(run: records.Run) -> str:
    """Whether less ("min") or more ("max") of what a run compares is better."""
    return run.header.task["directions"][run.header.task["metric"]]
