"""Runs a kill test on a Slurm of its own: an undisturbed sweep first, then sweeps whose jobs are interrupted."""

import dataclasses
import json
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import rich.console

from experiments.benchmarks.status_line import StatusLine
from experiments.cli.launcher import command
from experiments.sweeps import directory, report
from experiments.sweeps.exec_guard import guarded
from experiments.sweeps.journal import TrialJournal
from experiments.sweeps.subprocess_limits import last_line
from experiments.sweeps.worker import is_in_use
from gru_research import records
from gru_research.config import UserError
from gru_research.runs.environment import environment
from gru_research.tables import terminal

from .interruptions import KILLED_TRIAL, Interruption, draw, interrupt, processes
from .kill_loop import FILE_NAME
from .local_slurm import LocalSlurm
from .run_difference import first_difference
from .run_process import RunCommand
from .slurm_kill_log import EndedSweep, Landed, SlurmKillLog
from .stages import locate_run

POLL_SECONDS = 0.2
PER_SWEEP = 6
"""Interruptions of one sweep: fewer than would use up a trial's takeovers (`journal.LOST_LIMIT`) many times over."""
SWEEP_SECONDS = 1200.0
"""A sweep that takes longer than this hangs."""
LEFT_SECONDS = 10.0
"""Processes of a sweep may take this long to end after its last job has."""
BETWEEN = "a worker between trials"


def run_slurm_kill_test(sweep: RunCommand, folder: Path, count: int, seed: int) -> int:
    """Runs the kill test and returns its exit status. A test that is stopped also reports what it found.

    Args:
      sweep: the command of the sweep, given --workdir, with the labels and seeds of its config.
      count: the number of interruptions.
    """
    log, started = SlurmKillLog(folder), time.monotonic()
    slurm = LocalSlurm(folder / "slurm")
    try:
        with StatusLine(rich.console.Console(), count) as status:
            SlurmKillTest(sweep, folder, slurm, log, status).run(draw(random.Random(seed), count))
    except (KeyboardInterrupt, SystemExit):
        report_result(log, folder, time.monotonic() - started)
        print(f"stopped after {len(log.landed)} of {count} interruptions", file=sys.stderr)
        raise
    finally:
        slurm.stop()
    return report_result(log, folder, time.monotonic() - started)


def report_result(log: SlurmKillLog, folder: Path, seconds: float) -> int:
    """Writes and prints the result; returns the exit status."""
    found = {"command": shlex.join(command()), "seconds": seconds, "env": environment(), **log.to_json()}
    records.write_whole(folder / FILE_NAME, json.dumps(records.to_json(found), indent=1) + "\n")
    rich.console.Console().print(terminal.grid(log.table(), title_justify="center", pad_edge=False))
    print(log.verdict)
    print(f"Written: {folder / FILE_NAME}")
    return 1 if log.difference else 0


@dataclasses.dataclass
class SlurmKillTest:
    """A kill test on Slurm in progress, in `folder`."""

    sweep: RunCommand
    folder: Path
    slurm: LocalSlurm
    log: SlurmKillLog
    status: StatusLine
    trial_seconds: float = 0.0
    """The length of the shortest undisturbed trial."""

    def run(self, wanted: list[Interruption]) -> None:
        """Interrupts sweeps until all `wanted` interruptions have landed and the last sweep has ended, or one differs.

        Raises UserError where the undisturbed sweep fails.
        """
        self.status.begin("an undisturbed sweep")
        undisturbed = DisturbedSweep(self, 0, self.folder / "reference")
        if difference := undisturbed.run([]):
            raise UserError(f"the undisturbed sweep in {undisturbed.path} failed: {difference}")
        # The first trials also compile, and leave the programs in a cache that all trials share.
        self.trial_seconds = min(entry.user_attrs["seconds"] for entry in undisturbed.journal().entries())
        self.log.write_line(f"an undisturbed trial takes {self.trial_seconds:.1f} s")
        while wanted and not self.log.difference:
            self.disturb(len(self.log.sweeps) + 1, wanted)

    def disturb(self, number: int, wanted: list[Interruption]) -> None:
        """Runs a sweep to its end, with the next interruptions, which it takes from `wanted`."""
        self.status.begin(f"sweep {number}")
        started, before = time.monotonic(), len(self.log.landed)
        sweep = DisturbedSweep(self, number, self.folder / f"sweep-{number}")
        difference = sweep.run(wanted) or sweep.difference(self.folder / "reference")
        made = Counter(map(report.outcome, sweep.journal().entries()))
        landed, seconds = len(self.log.landed) - before, time.monotonic() - started
        self.log.add_sweep(EndedSweep(number, landed, sweep.commands, dict(made), seconds, difference))
        if not difference:
            shutil.rmtree(sweep.path)


@dataclasses.dataclass
class DisturbedSweep:
    """A sweep, number 0 for the undisturbed one, in the directory `path`."""

    test: SlurmKillTest
    number: int
    path: Path
    commands: int = 0
    killed_trials: int = 0

    def journal(self) -> TrialJournal:
        return TrialJournal(*directory.read(self.path))

    def run(self, wanted: list[Interruption]) -> str:
        """Gives the sweep's command until no trial is left, and interrupts its jobs meanwhile.

        Returns what is wrong, or "".
        """
        self.started = self.last = time.monotonic()
        self.left = min(PER_SWEEP, len(wanted))
        while True:
            self.commands += 1
            out = self.test.folder / "output" / f"sweep-{self.number}.out"
            with out.open("ab") as file:
                command = guarded([*self.test.sweep.command, f"--workdir={self.path}"])
                process = subprocess.Popen(command, env=dict(self.test.sweep.env), stdout=file, stderr=file)
            try:
                while process.poll() is None:
                    if time.monotonic() - self.started > SWEEP_SECONDS:
                        return f"it hasn't ended after {SWEEP_SECONDS:.0f} s; jobs: {self.test.slurm.jobs()}"
                    self.test.slurm.start_requeued()
                    self.interrupt_if_due(wanted)
                    time.sleep(POLL_SECONDS)
            finally:
                process.kill()
                process.wait()
            if process.returncode == 0:
                return ""
            if process.returncode != 1 or not self.journal().unfinished():
                return f"its command ended with status {process.returncode}: {last_line(out)}"

    def interrupt_if_due(self, wanted: list[Interruption]) -> None:
        """Interrupts a running job if the next interruption's time has come."""
        test, slurm = self.test, self.test.slurm
        if not self.left or time.monotonic() < self.last + wanted[0].gap * test.trial_seconds:
            return
        running = sorted(job for job, state in slurm.jobs().items() if state == "RUNNING")
        if not running:
            return
        what = wanted[0]
        job = running[int(what.target * len(running))]
        stage, seconds = self.stage(job), time.monotonic() - self.started
        test.status.show(f"{what.kind} in {stage}")
        if not interrupt(slurm, what, job, slurm.start_requeued):
            return
        del wanted[0]
        self.left, self.last = self.left - 1, time.monotonic()
        self.killed_trials += what.kind == KILLED_TRIAL
        test.log.add_interruption(Landed(self.number, what.kind, job, stage, seconds))
        test.status.end()

    def stage(self, job: str) -> str:
        """Returns what a running job's trial does."""
        workers = processes("submitit.core._submit", self.test.slurm.raw_job_id(job))
        if not (self.path / directory.FILE_NAME).is_file():
            return BETWEEN
        made = self.journal()
        for entry in made.running():
            worker = entry.user_attrs.get("worker", "").rpartition(":")[2]
            if worker.isdecimal() and int(worker) in workers and entry.datetime_start is not None:
                trial, attempt = entry.user_attrs["trial"], entry.user_attrs["attempt"]
                printed = made.directory.log(trial, attempt)
                text = printed.read_text(encoding="utf-8", errors="replace") if printed.is_file() else ""
                since, sweep = entry.datetime_start.timestamp(), self.test.sweep
                return locate_run(made.directory.run_folder(trial), text, since, sweep.labels, sweep.seeds).phase
        return BETWEEN

    def difference(self, reference: Path) -> str:
        """Returns the first thing that isn't as it must be after a sweep has ended; "" if there is none."""
        if left := self.left_behind():  # first, as opening the journal releases an old lock
            return left
        made = self.journal()
        outcomes = Counter((entry.user_attrs["trial"], report.outcome(entry)) for entry in made.entries())
        for trial in range(made.sweep.count):
            if outcomes[trial, "finished"] != 1:
                return f"trial {trial} ended {outcomes[trial, 'finished']} times"
        ended = Counter(report.outcome(entry) for entry in made.entries())
        for how, most in (("crashed", self.killed_trials), ("refused", 0), ("running", 0), ("waiting", 0)):
            if ended[how] > most:
                return f"{ended[how]} attempts are recorded as {how}, where {most} trials were killed"
        for trial in range(made.sweep.count):
            folder = made.directory.run_folder(trial)
            other = reference / folder.relative_to(made.directory.path)
            if found := first_difference(other, folder, self.test.sweep.labels):
                return f"trial {trial}: {found}"
        return ""

    def left_behind(self) -> str:
        """Returns which job, process or lock is left; "" if none is."""
        deadline = time.monotonic() + LEFT_SECONDS
        while (left := processes(str(self.path))) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if left:
            return f"processes are left: {left}"
        if jobs := self.test.slurm.jobs():
            return f"jobs are left: {jobs}"
        locks = [*self.path.glob("*.lock"), *(self.path / "heartbeats").iterdir()]
        locks += [folder for folder in (self.path / "trials").iterdir() if is_in_use(folder)]
        return f"{locks[0].relative_to(self.path)} is left" if locks else ""
