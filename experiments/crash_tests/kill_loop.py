"""Runs a kill test: undisturbed runs first, then victims, until the given number of kills has landed."""

import dataclasses
import json
import random
import shlex
import shutil
import sys
import time
from pathlib import Path

import rich.console

from experiments.benchmarks.status_line import StatusLine
from experiments.cli.launcher import command
from experiments.crash_tests.kill_log import Kill, KillLog, Victim
from experiments.crash_tests.kill_times import ANYWHERE, KillTime, draw_kill_time
from experiments.crash_tests.run_difference import first_difference
from experiments.crash_tests.run_process import ProcessOutcome, RunCommand
from experiments.crash_tests.stages import StageTimeline
from gru_research import records
from gru_research.config import UserError
from gru_research.runs.environment import environment
from gru_research.tables import terminal

FILE_NAME = "killtest.json"
MISSES = 2
"""How often a kill time may be missed before an earlier one replaces it."""


def run_kill_test(run_command: RunCommand, folder: Path, kills: int, seed: int) -> int:
    """Runs the kill test and returns its exit status. A test that is stopped also reports what it found."""
    log, started = KillLog(folder), time.monotonic()
    try:
        with StatusLine(rich.console.Console(), kills) as status:
            KillTest(run_command, folder, log, status).run(kills, random.Random(seed))
    except (KeyboardInterrupt, SystemExit):
        report_result(log, folder, time.monotonic() - started)
        print(f"stopped after {len(log.kills)} of {kills} kills", file=sys.stderr)
        raise
    return report_result(log, folder, time.monotonic() - started)


def report_result(log: KillLog, folder: Path, seconds: float) -> int:
    """Writes and prints the result; returns the exit status."""
    found = {"command": shlex.join(command()), "seconds": seconds, "env": environment(), **log.to_json()}
    records.write_whole(folder / FILE_NAME, json.dumps(records.to_json(found), indent=1) + "\n")
    rich.console.Console().print(terminal.grid(log.table(), title_justify="center", pad_edge=False))
    print(log.difference or f"all {len(log.victims)} runs that ended are equal to the reference, bit for bit")
    print(f"Written: {folder / FILE_NAME}")
    return 1 if log.difference else 0


@dataclasses.dataclass
class KillTest:
    """A kill test in progress, in `folder`."""

    run_command: RunCommand
    folder: Path
    log: KillLog
    status: StatusLine
    missed: int = 0
    """How many runs in a row ended before the next kill time."""

    def run(self, kills: int, source: random.Random) -> None:
        """Kills runs until `kills` kills have landed and the last run has ended, or until a run differs."""
        timeline, seconds = self.reference()
        kill_times = [draw_kill_time(source, timeline) for _ in range(kills)]
        while not self.log.difference and len(self.log.kills) < kills:
            self.victim(len(self.log.victims) + 1, kill_times, seconds)

    def reference(self) -> tuple[StageTimeline, dict[str, float]]:
        """Makes two undisturbed runs and compares them. Times come from the second, whose programs are cached.

        Raises UserError where a run fails or they differ.
        """
        for name in ("reference", "again"):
            self.status.begin(f"an undisturbed run, {name}")
            self.status.show("")
            timeline = StageTimeline()
            process = self.run_process(name, timeline, None, {})
            if process.status:
                raise UserError(f"the undisturbed run in {self.folder / name} failed: {process.last_line}")
        if difference := first_difference(self.folder / "reference", self.folder / "again", self.run_command.labels):
            raise UserError(f"two undisturbed runs differ, so killed runs can't be compared with them: {difference}")
        shutil.rmtree(self.folder / "again")
        self.log.write_line(f"undisturbed runs are equal; visits: { {k: len(v) for k, v in timeline.visits.items()} }")
        return timeline, timeline.seconds() | {ANYWHERE: timeline.now}

    def victim(self, number: int, kill_times: list[KillTime], seconds: dict[str, float]) -> None:
        """Runs a victim to its end, with kills at the next kill times while there are any."""
        name, kills = f"victim-{number}", 0
        self.status.begin(f"victim {number}")
        while (process := self.run_process(name, StageTimeline(), next(iter(kill_times), None), seconds)).killed:
            kills, self.missed = kills + 1, 0
            self.log.add_kill(Kill(number, kill_times.pop(0), process))
            self.status.end()
            self.status.show(f"killed in {process.at.phase} {process.at.cell}")
        self.missed += 1
        if kill_times and self.missed >= MISSES:
            kill_times[0] = kill_times[0].sooner()
        if process.status:
            difference = f"it failed with status {process.status}: {process.last_line}"
        else:
            difference = first_difference(self.folder / "reference", self.folder / name, self.run_command.labels)
        self.log.add_victim(Victim(number, kills, difference, process))
        if not difference:
            shutil.rmtree(self.folder / name)

    def run_process(
        self, name: str, timeline: StageTimeline, kill_time: KillTime | None, seconds: dict[str, float]
    ) -> ProcessOutcome:
        return self.run_command.run_process(
            self.folder / name,
            self.folder / "output" / name,
            timeline,
            lambda seen: kill_time is not None and kill_time.due(seen, seconds),
        )
