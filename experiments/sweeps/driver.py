"""Drives a sweep: starts the workers, prints trials as they end, and writes the report."""

import sys
import time
from collections.abc import Sequence

import rich.console
from optuna.trial import FrozenTrial, TrialState

from experiments.cli.stop_signal import StopSignal
from gru_research.plural import several
from gru_research.report import formatting

from . import engines, report
from .directory import SweepDescription, SweepDirectory
from .journal import TrialJournal, repair, will_retry
from .worker import COMPARE

POLL_SECONDS = 1.0


def run(
    directory: SweepDirectory,
    description: SweepDescription,
    engine: str,
    workers: int,
    program: Sequence[str] = COMPARE,
) -> int:
    """Runs the trials that aren't finished and writes the report over all trials.

    Returns:
      The exit status: 0 if every trial has ended, failed ones included, and at least one has a value; 1 if trials are
      left or none has a value; 128 + the signal that stopped the sweep.
    """
    repair(directory.journal_file)
    journal, stop = TrialJournal(directory, description), StopSignal("stopping the workers")
    journal.add_missing_attempts()
    printer = AttemptPrinter(journal)
    if journal.unfinished():
        workers = min(workers, journal.unfinished())
        by = f"{several(workers, 'worker')} by --engine={engine}"
        print(f"{printer.summary()}; {by}, writing to {directory.path}", flush=True)
        started = engines.start(engine, description.sweep, directory.path, workers, program)
        _wait(started, printer, stop)
        for problem in started.problems():
            print(f"warning: {problem}", file=sys.stderr)
    else:
        print(f"{directory.path} holds this sweep, finished: its report is made again")
    report.write(journal, rich.console.Console())
    if stop.signal:
        return 128 + stop.signal
    journal.add_missing_attempts()
    if left := journal.unfinished():
        print(
            f"{several(left, 'trial')} left: the same command with --workdir={directory.path} resumes the sweep",
            file=sys.stderr,
        )
    return 1 if left or not any(entry.state == TrialState.COMPLETE for entry in journal.entries()) else 0


class AttemptPrinter:
    """Prints a line for each attempt that ended since the last call."""

    def __init__(self, journal: TrialJournal):
        self._journal = journal
        self._known = {entry.number for entry in journal.entries() if entry.state.is_finished()}

    def print_ended(self) -> None:
        entries = self._journal.entries()
        for entry in entries:
            if entry.state.is_finished() and entry.number not in self._known:
                self._known.add(entry.number)
                print(f"{_line(entry, entries, self._journal)} [{self.summary()}]", flush=True)

    def summary(self) -> str:
        entries, total = self._journal.entries(), self._journal.sweep.count
        ended = report.attempts_by_trial(self._journal)
        over = sum(not _is_open(made, self._journal) for made in ended.values())
        found = report.best(entries, self._journal.description.direction)
        best = "" if found is None else f", best {formatting.number(found.value)} (trial {found.user_attrs['trial']})"
        return f"{over} of {total} trials done{best}"


def _is_open(attempts: Sequence[FrozenTrial], journal: TrialJournal) -> bool:
    last = attempts[-1]
    if not last.state.is_finished():
        return True
    return last.state == TrialState.FAIL and will_retry(journal.sweep, attempts)


def _line(entry: FrozenTrial, entries: Sequence[FrozenTrial], journal: TrialJournal) -> str:
    number, attempt = entry.user_attrs["trial"], entry.user_attrs["attempt"]
    name = f"trial {number}" + (f", attempt {attempt}" if attempt > 1 else "")
    values = ", ".join(f"{field}={report.text(value)}" for field, value in entry.params.items())
    if entry.state == TrialState.FAIL:
        made = [e for e in entries if e.user_attrs["trial"] == number and e.number <= entry.number]
        again = "tried again" if will_retry(journal.sweep, made) else "not tried again"
        return f"{name}: {report.outcome(entry)}, {again}: {entry.user_attrs.get('reason', '')}; {values}"
    metric = f"validation {journal.description.metric} {report.text(entry.value)}"
    return f"{name}: {report.outcome(entry)}, {metric}; {values}"


def _wait(workers: engines.Workers, printer: AttemptPrinter, stop: StopSignal) -> None:
    """Waits until no worker runs; after a signal, until the workers have stopped. Says what workers wait for."""
    said: list[str] = []
    while workers.running():
        printer.print_ended()
        if stop.signal:
            workers.stop()
            break
        waiting = workers.waiting()
        for line in waiting:
            if line not in said:
                print(line, flush=True)
        said = waiting
        time.sleep(POLL_SECONDS)
    printer.print_ended()
