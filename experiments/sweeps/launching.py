"""The launcher's side of a sweep: starts workers, tells of trials as they end, and reports at the end."""

import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

import rich.console
from optuna.trial import FrozenTrial, TrialState

from gru_research.plural import several
from gru_research.report import wording

from . import engines, report
from .folder import Description, Folder
from .trials import Trials, is_tried_again, mend
from .worker import COMPARE

POLL_SECONDS = 1.0


def run(folder: Folder, description: Description, engine: str, workers: int, program: Sequence[str] = COMPARE) -> int:
    """Runs what isn't finished yet and writes the report over all trials.

    Returns:
      The exit status: 0 where every trial came to an end, failed ones included, and one of them has a value; 1 where
      trials are left, or none has a value; 128 + the signal that stopped it.
    """
    mend(folder.journal)
    trials, told = Trials(folder, description), Told()
    trials.settle()
    news = News(trials)
    if trials.open():
        print(f"{news.standing()}; {workers} workers by --engine={engine}, writing to {folder.path}", flush=True)
        started = engines.start(engine, description.sweep, folder.path, min(workers, trials.open()), program)
        _wait(started, news, told)
        for problem in started.problems():
            print(f"warning: {problem}", file=sys.stderr)
    else:
        print(f"{folder.path} holds this very sweep, finished: its report is made again")
    report.write(trials, rich.console.Console())
    if told.signal:
        return 128 + told.signal
    if left := trials.settle() + trials.open():
        print(
            f"{several(left, 'trial')} left: the same command with --workdir={folder.path} resumes the sweep",
            file=sys.stderr,
        )
    return 1 if left or not any(entry.state == TrialState.COMPLETE for entry in trials.entries()) else 0


class Told:
    """Ctrl-C and SIGTERM ask for an orderly stop; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.signal = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number
        print("\nstopping the workers; Ctrl-C again stops at once", file=sys.stderr, flush=True)


class News:
    """Prints a line for each attempt that ended since the last look."""

    def __init__(self, trials: Trials):
        self._trials = trials
        self._known = {entry.number for entry in trials.entries() if entry.state.is_finished()}

    def tell(self) -> None:
        entries = self._trials.entries()
        for entry in entries:
            if entry.state.is_finished() and entry.number not in self._known:
                self._known.add(entry.number)
                print(f"{_line(entry, entries, self._trials)} [{self.standing()}]", flush=True)

    def standing(self) -> str:
        entries, total = self._trials.entries(), self._trials.sweep.count
        ended = report.last_attempts(self._trials)
        over = sum(not _goes_on(made, self._trials) for made in ended.values())
        found = report.best(entries, self._trials.description.direction)
        best = "" if found is None else f", best {wording.number(found.value)} (trial {found.user_attrs['trial']})"
        return f"{over} of {total} trials done{best}"


def _goes_on(attempts: Sequence[FrozenTrial], trials: Trials) -> bool:
    last = attempts[-1]
    if not last.state.is_finished():
        return True
    return last.state == TrialState.FAIL and is_tried_again(trials.sweep, attempts)


def _line(entry: FrozenTrial, entries: Sequence[FrozenTrial], trials: Trials) -> str:
    number, attempt = entry.user_attrs["trial"], entry.user_attrs["attempt"]
    name = f"trial {number}" + (f", attempt {attempt}" if attempt > 1 else "")
    values = ", ".join(f"{field}={report.text(value)}" for field, value in entry.params.items())
    if entry.state == TrialState.FAIL:
        made = [e for e in entries if e.user_attrs["trial"] == number and e.number <= entry.number]
        again = "tried again" if is_tried_again(trials.sweep, made) else "not tried again"
        return f"{name}: {report.outcome(entry)}, {again}: {entry.user_attrs.get('reason', '')}; {values}"
    metric = f"validation {trials.description.metric} {report.text(entry.value)}"
    return f"{name}: {report.outcome(entry)}, {metric}; {values}"


def _wait(workers: engines.Workers, news: News, told: Told) -> None:
    """Until no worker runs; on a signal, until they have stopped."""
    while workers.running():
        news.tell()
        if told.signal:
            workers.stop()
            break
        time.sleep(POLL_SECONDS)
    news.tell()
