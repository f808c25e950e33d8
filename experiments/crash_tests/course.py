"""The course of a kill test: an undisturbed run, and others that are killed until so many kills have landed."""

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
from experiments.crash_tests.account import Account, Kill, Victim
from experiments.crash_tests.equality import first_difference
from experiments.crash_tests.moments import ANYWHERE, Moment, draw
from experiments.crash_tests.processes import Life, Program
from experiments.crash_tests.stages import Watch
from gru_research import records
from gru_research.config import UserError
from gru_research.runs.surroundings import environment

FILE_NAME = "killtest.json"
MISSES = 2
"""So often a moment may be missed before it becomes an easier one."""


def carry_out(program: Program, folder: Path, kills: int, seed: int) -> int:
    """The kill test; returns the exit status. Also one that is stopped writes and prints what it found."""
    account, started = Account(folder), time.monotonic()
    try:
        with StatusLine(rich.console.Console(), kills) as status:
            KillTest(program, folder, account, status).run(kills, random.Random(seed))
    except (KeyboardInterrupt, SystemExit):
        conclude(account, folder, time.monotonic() - started)
        print(f"stopped after {len(account.kills)} of {kills} kills", file=sys.stderr)
        raise
    return conclude(account, folder, time.monotonic() - started)


def conclude(account: Account, folder: Path, seconds: float) -> int:
    """Writes and prints what came of it; returns the exit status."""
    found = {"command": shlex.join(command()), "seconds": seconds, "env": environment(), **account.to_json()}
    records.write_whole(folder / FILE_NAME, json.dumps(records.to_json(found), indent=1) + "\n")
    rich.console.Console().print(account.table())
    print(account.difference or f"all {len(account.victims)} runs that ended are equal to the reference, bit for bit")
    print(f"Written: {folder / FILE_NAME}")
    return 1 if account.difference else 0


@dataclasses.dataclass
class KillTest:
    """A test under way, in `folder`."""

    program: Program
    folder: Path
    account: Account
    status: StatusLine
    missed: int = 0
    """How many runs ended before the next moment came."""

    def run(self, kills: int, source: random.Random) -> None:
        """Kills runs until so many kills have landed and the last run has ended, or one is different."""
        watch, seconds = self.reference()
        moments = [draw(source, watch) for _ in range(kills)]
        while not self.account.difference and len(self.account.kills) < kills:
            self.victim(len(self.account.victims) + 1, moments, seconds)

    def reference(self) -> tuple[Watch, dict[str, float]]:
        """The undisturbed run, and one more, with its programs compiled before, from which typical times are taken.

        Raises UserError where they fail; they are compared as a victim is.
        """
        for name in ("reference", "again"):
            self.status.begin(f"an undisturbed run, {name}")
            self.status.show("")
            watch = Watch()
            life = self.live(name, watch, None, {})
            if life.status:
                raise UserError(f"the undisturbed run in {self.folder / name} failed: {life.last}")
        if difference := first_difference(self.folder / "reference", self.folder / "again", self.program.labels):
            raise UserError(f"two undisturbed runs differ, so nothing can be said of killed ones: {difference}")
        shutil.rmtree(self.folder / "again")
        self.account.say(f"undisturbed runs are equal; visits: { {k: len(v) for k, v in watch.visits.items()} }")
        return watch, watch.seconds() | {ANYWHERE: watch.now}

    def victim(self, number: int, moments: list[Moment], seconds: dict[str, float]) -> None:
        """A run from its start to its end, killed at one moment after the other while there are any."""
        name, kills = f"victim-{number}", 0
        self.status.begin(f"victim {number}")
        while (life := self.live(name, Watch(), next(iter(moments), None), seconds)).killed:
            kills, self.missed = kills + 1, 0
            self.account.killed(Kill(number, moments.pop(0), life))
            self.status.end()
            self.status.show(f"killed in {life.at.phase} {life.at.cell}")
        self.missed += 1
        if moments and self.missed >= MISSES:
            moments[0] = moments[0].easier()
        if life.status:
            difference = f"it failed with status {life.status}: {life.last}"
        else:
            difference = first_difference(self.folder / "reference", self.folder / name, self.program.labels)
        self.account.ended(Victim(number, kills, difference, life))
        if not difference:
            shutil.rmtree(self.folder / name)

    def live(self, name: str, watch: Watch, moment: Moment | None, seconds: dict[str, float]) -> Life:
        return self.program.live(
            self.folder / name,
            self.folder / "output" / name,
            watch,
            lambda seen: moment is not None and moment.due(seen, seconds),
        )
