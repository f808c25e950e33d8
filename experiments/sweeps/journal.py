"""The trials of a sweep in Optuna's journal, which several workers share through a file.

A trial is a setting of the fields. Each attempt at it is one entry of the journal, with the numbers of the trial and of
the attempt among its attributes. Only `add_missing_attempts` makes entries; workers claim waiting ones. So a grid is
complete and no part of it runs twice, whichever worker dies. A failed attempt records one of these reasons:

    crashed   its process failed                      tried again up to `retries` times
    stopped   its worker was told to stop             tried again
    lost      its worker gave no sign of life         taken over by another, up to LOST_LIMIT times
    refused   its config has a mistake                final
    time, memory   it passed a limit                  final: it would pass it again
"""

import os
import socket
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from .directory import SweepDescription, SweepDirectory
from .heartbeat import HeartbeatMonitor
from .search_space import Choices, Sweep

STUDY = "sweep"
LOST_LIMIT = 5
ADDING_SECONDS = 600  # after so long, whoever settled must be dead; a thousand entries take some seconds


class TrialJournal:
    """The journal of a sweep; every worker and the launcher has one of its own."""

    def __init__(self, directory: SweepDirectory, description: SweepDescription):
        self.directory, self.sweep, self.description = directory, description.sweep, description
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # The lock that works on NFS from version 3 on: a file made with O_EXCL.
        backend = JournalFileBackend(str(directory.journal_file), JournalFileOpenLock(str(directory.journal_file)))
        self._storage = optuna.storages.JournalStorage(backend)
        self.study = optuna.create_study(
            storage=self._storage,
            study_name=STUDY,
            direction="minimize" if description.direction == "min" else "maximize",
            pruner=pruner(self.sweep),
            load_if_exists=True,
        )

    def entries(self) -> list[FrozenTrial]:
        """All attempts so far, in the order in which they were made."""
        return self.study.get_trials(deepcopy=False)

    def add_missing_attempts(self) -> int:
        """Makes the entries that are missing: first attempts, and those that follow a failed one; says how many."""
        with _locked(JournalFileOpenLock(str(self.directory.path / "add_attempts"), grace_period=ADDING_SECONDS)):
            wanted = missing_attempts(self.sweep, self.entries())
            for number, attempt, values in wanted:
                self.study.add_trial(
                    create_trial(
                        state=TrialState.WAITING,
                        user_attrs={"trial": number, "attempt": attempt},
                        system_attrs={"fixed_params": values},
                    )
                )
        return len(wanted)

    def claim_attempt(self) -> optuna.Trial | None:
        """An attempt that waited and is now this worker's alone; None where none waits."""
        for entry in self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            try:
                if not self._storage.set_trial_state_values(entry._trial_id, TrialState.RUNNING):
                    continue
            except UpdateFinishedTrialError:
                continue
            # A sampler for each entry: what it draws depends on it and on the results so far, not on the worker.
            seed = self.sweep.seed * 100_003 + entry.number
            self.study.sampler = sampler(self.sweep, seed)
            trial = optuna.Trial(self.study, entry._trial_id)
            trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
            return trial
        return None

    def values(self, trial: optuna.Trial) -> dict[str, Any]:
        """The trial's value of every field: what is fixed, and otherwise what Optuna suggests."""
        values: dict[str, Any] = {}
        for name, field in self.sweep.fields.items():
            if isinstance(field, Choices):
                values[name] = trial.suggest_categorical(name, field.values)
            elif field.whole:
                values[name] = trial.suggest_int(name, int(field.low), int(field.high), log=field.log)
            else:
                values[name] = trial.suggest_float(name, field.low, field.high, log=field.log)
        return values

    def fail(self, trial: optuna.Trial | FrozenTrial, how: str, reason: str, **attributes: Any) -> bool:
        """Records a failed attempt; False where somebody had already ended it."""
        try:
            for name, value in {"failure": how, "reason": reason, **attributes}.items():
                self._storage.set_trial_user_attr(trial._trial_id, name, value)
            self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        return True

    def complete(self, trial: optuna.Trial, value: float | None, **attributes: Any) -> bool:
        """Records a finished attempt with its value, or with None a pruned one; False where another worker had taken
        it over meanwhile, whose attempt counts."""
        try:
            for name, given in attributes.items():
                trial.set_user_attr(name, given)
            state = TrialState.PRUNED if value is None else TrialState.COMPLETE
            self.study.tell(trial, value, state=state, skip_if_finished=True)
        except UpdateFinishedTrialError:
            return False
        return True

    def has_ended(self, trial: optuna.Trial) -> bool:
        """Whether somebody else ended this attempt, having taken its worker for dead."""
        return self._storage.get_trial(trial._trial_id).state.is_finished()

    def running(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def unfinished(self) -> int:
        """How many attempts wait or run."""
        return sum(not entry.state.is_finished() for entry in self.entries())

    def fail_lost_attempts(self, heartbeats: HeartbeatMonitor) -> int:
        """Fails the attempts whose workers gave no sign of life for long enough; says how many."""
        found = 0
        for entry in self.running():
            still = heartbeats.seconds_unchanged(self.directory.heartbeat(entry.number))
            if still > self.sweep.dead_after:
                worker = entry.user_attrs.get("worker", "unknown")
                found += self.fail(entry, "lost", f"worker {worker} gave no sign of life for {still:.0f} s")
                self.directory.heartbeat(entry.number).unlink(missing_ok=True)
        return found


def repair(journal: Path) -> None:
    """Cuts off half a line that a machine's crash left at the journal's end: the next line would make it unreadable."""
    if not journal.exists():
        return
    with _locked(JournalFileOpenLock(str(journal))), journal.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def missing_attempts(sweep: Sweep, entries: Sequence[FrozenTrial]) -> list[tuple[int, int, dict[str, Any]]]:
    """The attempts to be made: the trial's number, the attempt's, and the values that are fixed."""
    attempts: dict[int, list[FrozenTrial]] = defaultdict(list)
    for entry in entries:
        attempts[entry.user_attrs["trial"]].append(entry)
    wanted = []
    for number, point in enumerate(sweep.fixed_values()):
        made = attempts[number]
        if not made:
            wanted.append((number, 1, point))
        elif made[-1].state == TrialState.FAIL and will_retry(sweep, made):
            wanted.append((number, len(made) + 1, {**point, **made[-1].params}))
    return wanted


def will_retry(sweep: Sweep, attempts: Sequence[FrozenTrial]) -> bool:
    """Whether another attempt follows the last of these, which failed."""
    failures = Counter(entry.user_attrs.get("failure", "crashed") for entry in attempts)
    last = attempts[-1].user_attrs.get("failure", "crashed")
    if last == "crashed":
        return failures["crashed"] <= sweep.retries
    return last == "stopped" or (last == "lost" and failures["lost"] <= LOST_LIMIT)


def sampler(sweep: Sweep, seed: int) -> optuna.samplers.BaseSampler:
    """What draws the values that aren't fixed."""
    if sweep.search == "grid":
        return optuna.samplers.RandomSampler(seed=seed)  # never asked: everything is fixed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant_liar is marked experimental
        # Takes running trials for bad ones, so that workers side by side don't all draw the same.
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=sweep.startup, constant_liar=True)


def pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    if sweep.pruning.kind == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=sweep.pruning.startup, n_warmup_steps=sweep.pruning.warmup)


@contextmanager
def _locked(lock: JournalFileOpenLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
