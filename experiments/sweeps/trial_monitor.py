"""Monitors a running trial: whether it must stop, has been taken over by another worker, or is to be pruned."""

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError

from gru_research import records

from . import objective
from .journal import TrialJournal


class TrialMonitor:
    """A function for polling: returns "stopped", "lost" (to another worker) or "pruned" if the trial must end, else "".

    Where trials are pruned, it reads new evaluations from the records and reports them to Optuna.
    """

    def __init__(self, journal: TrialJournal, trial: optuna.Trial, path: Path, stopping: Callable[[], bool]):
        self._journal, self._trial, self._path, self._stopping = journal, trial, path, stopping
        self._reported: set[int] = set()
        self._size = -1

    def __call__(self) -> str:
        if self._stopping():
            return "stopped"
        if self._journal.has_ended(self._trial):
            return "lost"
        if self._journal.sweep.pruning.kind == "none" or not self._has_grown():
            return ""
        try:
            return "pruned" if self._is_pruned() else ""
        except UpdateFinishedTrialError:
            return "lost"

    def _has_grown(self) -> bool:
        size = self._path.stat().st_size if self._path.is_file() else -1
        grown, self._size = size not in (-1, self._size), size
        return grown

    def _is_pruned(self) -> bool:
        """Reports new evaluations to Optuna; returns whether the trial is to be pruned."""
        try:
            run = records.read(self._path)
        except records.RecordsError:
            return False  # its header isn't written yet
        description = self._journal.description
        curve = objective.curve(run, description.sweep.objective.cell, description.direction)
        for step, value in curve.items():
            if step not in self._reported:
                self._reported.add(step)
                self._trial.report(value, step)
                if self._trial.should_prune():
                    return True
        return False
