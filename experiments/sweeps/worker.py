"""A worker: claims trials from the sweep's journal until none is left, and runs each in a process of its own."""

import dataclasses
import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna

import experiments
from gru_research import lookup, records
from gru_research.config import with_fields
from gru_research.runs.lock import FILE_NAME

from . import objective, subprocess_limits
from .directory import SweepDescription, SweepDirectory, read
from .heartbeat import Heartbeat, HeartbeatMonitor
from .journal import TrialJournal
from .trial_monitor import TrialMonitor

ROOT = Path(experiments.__file__).parents[1]
COMPARE = (sys.executable, "-m", "experiments.compare")
IDLE_SECONDS = 1.0
BEATS = 5  # heartbeats within `dead_after` seconds
REFUSED = 2  # a launcher's exit status for a user's mistake
STOPPED = tuple(128 + number for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT))
SIGNAL_SECONDS = 2.0  # between a signal to a trial and the same signal to its worker


def work(workdir: str, index: int, program: Sequence[str] = COMPARE) -> int:
    """Runs trials until none waits and none runs anywhere; returns the number of attempts it made.

    An idle worker watches the other workers' heartbeats and takes over the trials of dead ones. On SIGTERM, or when
    anything else ends the worker, its trial is stopped and waits for another worker.

    Args:
      workdir: the sweep's directory, as `directory.claim` made it.
      index: the worker's number, which selects its share of the machine's cores.
      program: the command that runs a trial, given --config and --workdir.
    """
    directory, description = read(Path(workdir))
    journal, heartbeats, stop = TrialJournal(directory, description), HeartbeatMonitor(), StopFlag()
    made = 0
    while not stop.requested:
        journal.fail_lost_attempts(heartbeats)
        journal.add_missing_attempts()
        trial = journal.claim_attempt(is_in_use)
        if trial is not None:
            made += 1
            Attempt(directory, description, journal, trial, tuple(program), index, stop).run()
        elif not journal.unfinished():
            break
        else:
            time.sleep(IDLE_SECONDS)
    return made


def is_in_use(workdir: Path) -> bool:
    """Whether a process has locked a run's directory, such as the trial of a suspended job."""
    try:
        with (workdir / FILE_NAME).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class StopFlag:
    """Whether SIGTERM asked this worker to stop. It is a flag, as an exception might interrupt the journal's lock."""

    def __init__(self) -> None:
        self.requested = False
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.requested = True


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt at a trial, from its config to its result in the journal."""

    directory: SweepDirectory
    description: SweepDescription
    journal: TrialJournal
    trial: optuna.Trial
    program: tuple[str, ...]
    index: int
    stop: StopFlag

    def run(self) -> None:
        number, attempt = (self.trial.user_attrs[name] for name in ("trial", "attempt"))
        log, beat = self.directory.log(number, attempt), self.description.sweep.dead_after / BEATS
        self.trial.set_user_attr("log", str(log.relative_to(self.directory.path)))
        with Heartbeat(self.directory.heartbeat(self.trial.number), beat):
            print(f"trial {number}, attempt {attempt}: {self.trial.number} in the journal", flush=True)
            if stale := [f"{file} {how}" for file, how in lookup.changed_files(self.description.files).items()]:
                self.journal.fail(self.trial, "refused", f"of other files than the sweep: {', '.join(stale)} since")
                return
            try:
                ended = self._train(number, log)
            except BaseException as e:
                # SystemExit is submitit's, before it puts the job back into Slurm's queue.
                how = "crashed" if isinstance(e, Exception) else "stopped"
                self.journal.fail(self.trial, how, f"its worker ended: {type(e).__name__}: {e}")
                raise
            self._record(number, log, ended)
            print(f"trial {number}, attempt {attempt}: {ended}", flush=True)

    def _train(self, number: int, log: Path) -> subprocess_limits.ProcessEnd:
        """Runs the trial in its directory, where it resumes from an earlier attempt's checkpoint."""
        folder, config_folder = self.directory.run_folder(number), self.directory.config_folder(number)
        config = with_fields(self.description.config, self.journal.values(self.trial))
        config_folder.mkdir(exist_ok=True)
        (config_folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        rerun = f"--config={ROOT / 'configs' / 'rerun.py'}:{config_folder}"
        command = [*self.program, rerun, f"--workdir={folder}", *self.description.arguments]
        return self._run(command, log, folder)

    def _run(self, command: Sequence[str], log: Path, folder: Path) -> subprocess_limits.ProcessEnd:
        limits = self.description.sweep.limits
        return subprocess_limits.run(
            command,
            log,
            env=trial_environment(limits.gpu_memory_fraction),
            minutes=limits.minutes,
            memory_gb=limits.memory_gb,
            cores=worker_cores(self.index, limits.cpus),
            monitor=TrialMonitor(self.journal, self.trial, folder / records.FILE_NAME, lambda: self.stop.requested),
        )

    def _record(self, number: int, log: Path, ended: subprocess_limits.ProcessEnd) -> None:
        """Records in the journal how the attempt ended."""
        limits = self.description.sweep.limits
        # To the kB, so that a peak above its limit by a page is above it in the journal too.
        spent: dict[str, Any] = {"seconds": round(ended.seconds, 1), "peak_gb": round(ended.peak_gb, 6)}
        if ended.why == "lost":
            return
        if ended.why == "pruned":
            self._complete(number, None, spent)
        elif ended.why == "stopped":
            self.journal.fail(self.trial, "stopped", "its worker was told to stop", **spent)
        elif ended.why == "time":
            self.journal.fail(self.trial, "time", f"ran for more than {limits.minutes:g} min", **spent)
        elif ended.why == "memory":
            reason = f"had {ended.peak_gb:.2f} GB resident, more than {limits.memory_gb:g}"
            self.journal.fail(self.trial, "memory", reason, **spent)
        elif ended.status in STOPPED and self._is_stopping():
            self.journal.fail(self.trial, "stopped", "it was told to stop, as was its worker", **spent)
        elif ended.status:
            how = "refused" if ended.status == REFUSED else "crashed"
            self.journal.fail(
                self.trial,
                how,
                f"{subprocess_limits.status_text(ended.status)}: {subprocess_limits.last_line(log)}",
                **spent,
            )
        else:
            self._judge(number, spent)

    def _is_stopping(self) -> bool:
        """Whether this worker was told to stop. Slurm signals both at once, so its own signal may come a bit later."""
        deadline = time.monotonic() + SIGNAL_SECONDS
        while not self.stop.requested and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.stop.requested

    def _judge(self, number: int, spent: dict[str, Any]) -> None:
        try:
            run = records.read(self.directory.run_folder(number) / records.FILE_NAME)
            if not run.finished:
                raise records.RecordsError("its records don't end with a finished run")
            value = objective.value(run, self.description.sweep.objective.cell, self.description.direction)
        except records.RecordsError as e:
            self.journal.fail(self.trial, "crashed", str(e), **spent)
            return
        self._complete(number, value, spent)

    def _complete(self, number: int, value: float | None, spent: dict[str, Any]) -> None:
        if not self.journal.complete(self.trial, value, **spent):
            print(f"trial {number}: another worker had taken it over, whose attempt counts", flush=True)


def trial_environment(gpu_memory_fraction: float) -> dict[str, str]:
    """Returns a trial's environment: this one, with the checkout on the path and JAX's share of a GPU's memory.

    JAX reads the share at import, so it can't be a flag of the trial.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    share = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{gpu_memory_fraction:g}"} if gpu_memory_fraction else {}
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | share


def worker_cores(index: int, count: int) -> list[int]:
    """Returns the worker's own share of the machine's cores; empty, which means all, if too few are left.

    A worker that a scheduler has given cores of its own sees only those.
    """
    if not count or not hasattr(os, "sched_getaffinity"):
        return []
    share = sorted(os.sched_getaffinity(0))[index * count : (index + 1) * count]
    return share if len(share) == count else []
