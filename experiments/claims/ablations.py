"""Claim: both of a GRU's gates are needed."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from experiments.claims import verdicts
from experiments.claims.context import ClaimContext, check_cells, check_named, folder
from experiments.diagnosis.gate_panels import plain_label
from gru_research.config import UserError, split_names
from gru_research.plural import several
from gru_research.report import exhibits, pairwise_tests, results
from gru_research.report.claims.findings import Finding
from gru_research.tables import Table
from gru_research.training import Plan

CLAIM = "The reset gate and the update gate each do work that the cell can't do without."


@dataclasses.dataclass(frozen=True)
class Ablations:
    """Compares cells without a gate with the whole cells.

    Attributes:
      runs_of: names of the runs, separated by commas. Each run has one task, and all have the same cells.
      whole: labels of the whole cells, separated by commas. The label of an ablated cell is a whole cell's label, an
        underscore and a suffix.
      needed: labels of the cells without a gate that decide the claim, separated by commas.
    """

    runs_of: str
    whole: str = "gru,lstm"
    needed: str = "gru_no_reset,gru_no_update"

    @property
    def runs(self) -> tuple[str, ...]:
        return split_names(self.runs_of)

    @property
    def whole_labels(self) -> tuple[str, ...]:
        return split_names(self.whole)

    @property
    def needed_labels(self) -> tuple[str, ...]:
        return split_names(self.needed)

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        whole, needed = self.whole_labels, self.needed_labels
        check_named(path, {"runs_of": self.runs, "whole": whole, "needed": needed})
        for run in self.runs:
            labels = [*(("whole", label) for label in whole), *(("needed", label) for label in needed)]
            check_cells(plans, path, run, labels)
        for label in needed:
            if not any(label.startswith(f"{cell}_") for cell in whole):
                raise UserError(f"{path}.needed={label!r} must begin with one of {', '.join(whole)} and _")

    def find(self, context: ClaimContext, name: str) -> Finding:
        whole, needed = self.whole_labels, self.needed_labels
        shown: list[exhibits.Exhibit] = []
        worse: dict[str, dict[str, bool | None]] = {label: {} for label in needed}
        ran = []
        for run_name in self.runs:
            run = context.finished(run_name)
            task, config = verdicts.collect(run), run.plan.config
            ran.append(
                f"{task.task.name} with {task.task.length} steps, {config.updates:,} updates, "
                f"{several(config.seeds, 'seed')}"
            )
            families = {cell: _family(task, cell, whole) for cell in whole}
            for cell, found in families.items():
                row = verdicts.rows(task).get(cell)
                end = math.nan if row is None else verdicts.worse_end(row, task.task.direction)
                learned = verdicts.learned(task.task, end)
                for label, is_better in verdicts.better(found).items():
                    if label in worse:
                        worse[label][task.task.name] = is_better if learned else None
                caption = f"{task.task.name}: {plain_label(cell)} and what is left of it without a gate"
                shown.append(_only(verdicts.table(task, found, caption), [cell, *(pair.y for pair in found)]))
            shown.append(verdicts.dots(task, f"ablations-{run_name}", _words(task), task.task.baseline))
        return Finding(
            name=name,
            claim=CLAIM,
            ran=f"{'; '.join(ran)}. All cells with the same number of units, the rate of each by the same search.",
            rule=(
                "A gate is needed on a task if the whole cell's test metric is better than without the gate, by the "
                f"exact paired test corrected over the cell's ablations (Holm, p at most {pairwise_tests.LEVEL}). "
                f"The claim holds if each of {', '.join(map(plain_label, needed))} is worse on some task. If only one "
                "is, the verdict is: holds when. Otherwise it doesn't hold. A task decides nothing if there are too "
                "few seeds to show a difference, or if the interval of the whole cell doesn't lie a tenth of the way "
                "from the trivial answer to a solution; the claim then isn't shown."
            ),
            verdict=verdicts.verdict([needed_anywhere(list(of.values())) for of in worse.values()]),
            says=" ".join(f"{plain_label(label)}: {_says(of)}." for label, of in worse.items()),
            shown=tuple(shown),
            runs=tuple(folder(run) for run in self.runs),
            left="More tasks and seeds: what a gate is for depends on the task.",
        )


def needed_anywhere(worse: Sequence[bool | None]) -> bool | None:
    """Returns True if `worse` holds on any task; otherwise None if any task is undecided, else False."""
    return True if any(worse) else None if None in worse else False


def _says(worse: Mapping[str, bool | None]) -> str:
    on = [task for task, is_worse in worse.items() if is_worse]
    undecided = [task for task, is_worse in worse.items() if is_worse is None]
    text = f"worse on {', '.join(on)}" if on else "not shown to be worse anywhere"
    return f"{text}, but {', '.join(undecided)} decides nothing" if undecided else text


def _family(task: results.TaskResults, cell: str, whole: tuple[str, ...]) -> list[pairwise_tests.Pair]:
    """Returns the pairs of a whole cell with its ablated variants."""
    longest = sorted(whole, key=len, reverse=True)
    labels = [c.label for c in task.complete]
    mine = [
        label
        for label in labels
        if label not in whole and next((w for w in longest if label.startswith(f"{w}_")), None) == cell
    ]
    return pairwise_tests.against(task, cell, mine)


def _only(table: Table, labels: list[str]) -> Table:
    names = {plain_label(label) for label in labels}
    return dataclasses.replace(table, rows=tuple(row for row in table.rows if row[0] in names))


def _words(task: results.TaskResults) -> exhibits.Words:
    rows = verdicts.rows(task)
    return exhibits.Words(
        f"What is left without a gate, on {task.task.name}",
        "; ".join(f"{plain_label(label)} {verdicts.estimate(row)}" for label, row in rows.items()),
        "Interquartile means of the test metric over seeds with their intervals; the line is the trivial baseline."
        + verdicts.without_mark(task),
    )
