"""Aggregates a suite over tasks: normalised scores, their interquartile mean, and how often one cell beats another.

A score is 0 at the task's trivial baseline and 1 at its threshold of "solved". Cells are only compared over the tasks
that have all cells, as means over different tasks aren't comparable.
"""

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np

from gru_research import stats
from gru_research.report import results
from gru_research.report.study import reading

# An interval stratified over tasks needs fewer seeds per task than an interval within one task.
MIN_SEEDS_FOR_INTERVAL = 3


@dataclasses.dataclass(frozen=True)
class Scores:
    """Normalised scores [S] by run and cell, where available. `cells` are the cells with any scores.

    `common` are the runs with scores of all `cells`. `without` gives the reason for each other run.
    """

    by_run: Mapping[str, Mapping[str, np.ndarray]]
    cells: tuple[str, ...]
    common: tuple[str, ...]
    without: Mapping[str, str]

    def of(self, label: str) -> list[np.ndarray]:
        """Returns a cell's scores on the common runs."""
        return [self.by_run[name][label] for name in self.common]

    @property
    def least_seeds(self) -> int:
        return min((len(values) for label in self.cells for values in self.of(label)), default=0)


def scores(study: reading.Study) -> Scores:
    """Normalises the test metrics of a study."""
    by_run, without = {}, {}
    for run in study.runs:
        if run.outcome is None:
            without[run.name] = "it has no results"
        elif reason := _not_normalised(run.outcome.task):
            without[run.name] = reason
        else:
            by_run[run.name] = {cell.label: _normalised(run.outcome.task, cell) for cell in run.outcome.complete}
    cells = tuple(label for label in study.labels if any(label in found for found in by_run.values()))
    for name, found in by_run.items():
        if lacking := [label for label in cells if label not in found]:
            without[name] = f"it has no complete results of {', '.join(lacking)}"
    common = tuple(name for name in by_run if name not in without)
    return Scores(by_run, cells, common, without)


def iqms(found: Scores) -> dict[str, stats.Estimate]:
    """Returns the interquartile mean of each cell's scores over the common runs, with its stratified interval."""
    return {label: stats.aggregate_iqm(found.of(label)) for label in found.cells} if found.common else {}


def profiles(found: Scores) -> dict[str, stats.Profile]:
    """Returns each cell's performance profile, the share of runs above each score, over the common runs."""
    # Scores are at most 1, so the share above 1 would be 0.
    thresholds = np.append(np.linspace(0, 0.99, 100), 1 - 1e-6)
    return {label: stats.performance_profile(found.of(label), thresholds) for label in found.cells if found.common}


def improvements(study: reading.Study) -> list[tuple[str, str, int, stats.Estimate]]:
    """Returns each pair of cells, the number of their common tasks, and the probability that the first is better."""
    found = []
    for x, y in itertools.combinations(study.labels, 2):
        met = [(run, a, b) for run in study.runs if (a := run.cell(x)) and (b := run.cell(y))]
        if met:
            x_scores, y_scores = ([_as_scores(run, pair[i]) for run, *pair in met] for i in range(2))
            found.append((x, y, len(met), stats.probability_of_improvement(x_scores, y_scores)))
    return found


def _as_scores(run: reading.StudyRun, cell: results.CellResults) -> np.ndarray:
    assert run.outcome is not None
    return stats.as_scores([seed.test_metric for seed in cell.seeds], run.outcome.task.direction)


def _not_normalised(task: results.Task) -> str | None:
    """Returns why the scores of a task can't be normalised; None if they can."""
    if task.baseline is None or task.threshold is None:
        return f"its task has no {'trivial answer' if task.baseline is None else 'threshold'}"
    if task.metric != task.validation_metric:
        return f"its threshold is of {task.validation_metric} and not of {task.metric}"
    better = task.threshold < task.baseline if task.direction == "min" else task.threshold > task.baseline
    return None if better else "its threshold is no better than its baseline"


def _normalised(task: results.Task, cell: results.CellResults) -> np.ndarray:
    assert task.baseline is not None and task.threshold is not None
    values = stats.rank_worst([seed.test_metric for seed in cell.seeds], task.direction)
    return stats.normalized(values, task.baseline, task.threshold, task.direction)
