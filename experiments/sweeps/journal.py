"""The trials of a sweep, in an Optuna journal: a file that all workers share.

A trial is a setting of the fields. Each attempt at it is one entry of the journal, with the numbers of the trial and of
the attempt among its attributes. Only `add_missing_attempts` makes entries; workers claim waiting ones. So a grid is
complete and no part of it runs twice, whichever worker dies. A failed attempt records one of these reasons:

    crashed   its process failed                      tried again up to `retries` times
    stopped   its worker was asked to stop            tried again
    lost      its worker's heartbeat stopped          taken over by another, up to LOST_LIMIT times
    refused   its config has a mistake                final
    time, memory   it exceeded a limit                final: it would exceed it again
"""

import os
import socket
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
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
ADDING_SECONDS = 600  # a lock older than this belongs to a dead process; a thousand entries take seconds


class TrialJournal:
    """The journal of a sweep, as one process sees it."""

    def __init__(self, directory: SweepDirectory, description: SweepDescription):
        self.directory, self.sweep, self.description = directory, description.sweep, description
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # This lock, a file made with O_EXCL, works on NFS from version 3 on.
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
        """Returns all attempts so far, in the order of their creation."""
        return self.study.get_trials(deepcopy=False)

    def add_missing_attempts(self) -> int:
        """Adds first attempts and retries that the journal lacks; returns how many."""
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

    def claim_attempt(self, is_in_use: Callable[[Path], bool] = lambda folder: False) -> optuna.Trial | None:
        """Claims a waiting attempt for this worker, further attempts first; returns None if none can begin.

        An attempt waits while a process uses its trial's directory: that process may be suspended, and continue later.
        """
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        for entry in sorted(waiting, key=lambda entry: entry.user_attrs["attempt"] == 1):
            if is_in_use(self.directory.run_folder(entry.user_attrs["trial"])):
                continue
            try:
                if not self._storage.set_trial_state_values(entry._trial_id, TrialState.RUNNING):
                    continue
            except UpdateFinishedTrialError:
                continue
            # A sampler per entry: its draws depend on the entry and the results so far, not on the worker.
            seed = self.sweep.seed * 100_003 + entry.number
            self.study.sampler = sampler(self.sweep, seed)
            trial = optuna.Trial(self.study, entry._trial_id)
            trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
            return trial
        return None

    def values(self, trial: optuna.Trial) -> dict[str, Any]:
        """Returns the trial's value of each field: the fixed one, or else Optuna's suggestion."""
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
        """Records a failed attempt; returns False if it had already ended."""
        try:
            for name, value in {"failure": how, "reason": reason, **attributes}.items():
                self._storage.set_trial_user_attr(trial._trial_id, name, value)
            self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        return True

    def complete(self, trial: optuna.Trial, value: float | None, **attributes: Any) -> bool:
        """Records a finished attempt with its value, or a pruned one with None.

        Returns False if another worker has taken it over; then that worker's attempt counts.
        """
        try:
            for name, given in attributes.items():
                trial.set_user_attr(name, given)
            state = TrialState.PRUNED if value is None else TrialState.COMPLETE
            self.study.tell(trial, value, state=state, skip_if_finished=True)
        except UpdateFinishedTrialError:
            return False
        return True

    def has_ended(self, trial: optuna.Trial) -> bool:
        """Returns whether another process has ended this attempt, after its worker's heartbeat stopped."""
        return self._storage.get_trial(trial._trial_id).state.is_finished()

    def running(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def unfinished(self) -> int:
        """Returns how many attempts wait or run."""
        return sum(not entry.state.is_finished() for entry in self.entries())

    def fail_lost_attempts(self, heartbeats: HeartbeatMonitor) -> int:
        """Fails the attempts whose heartbeat has stopped for `dead_after` seconds; returns how many."""
        found = 0
        for entry in self.running():
            still = heartbeats.seconds_unchanged(self.directory.heartbeat(entry.number))
            if still > self.sweep.dead_after:
                worker = entry.user_attrs.get("worker", "unknown")
                found += self.fail(entry, "lost", f"worker {worker} gave no sign of life for {still:.0f} s")
                self.directory.heartbeat(entry.number).unlink(missing_ok=True)
        return found


def repair(journal: Path) -> None:
    """Removes half a line that a machine's crash left at the journal's end, which would corrupt the next line."""
    if not journal.exists():
        return
    with _locked(JournalFileOpenLock(str(journal))), journal.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)


def missing_attempts(sweep: Sweep, entries: Sequence[FrozenTrial]) -> list[tuple[int, int, dict[str, Any]]]:
    """Returns the attempts to add, each as the trial's number, the attempt's number and the fixed values."""
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
    """Returns whether another attempt follows these, the last of which failed."""
    failures = Counter(entry.user_attrs.get("failure", "crashed") for entry in attempts)
    last = attempts[-1].user_attrs.get("failure", "crashed")
    if last == "crashed":
        return failures["crashed"] <= sweep.retries
    return last == "stopped" or (last == "lost" and failures["lost"] <= LOST_LIMIT)


def sampler(sweep: Sweep, seed: int) -> optuna.samplers.BaseSampler:
    """Returns the sampler of the values that aren't fixed."""
    if sweep.search == "grid":
        return optuna.samplers.RandomSampler(seed=seed)  # unused: all values are fixed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant_liar is marked experimental
        # Counts running trials as bad ones, so that workers don't all draw the same values.
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
