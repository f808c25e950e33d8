"""Kills a comparison with SIGKILL again and again, and proves that it ends as one that was never interrupted.

python -m experiments.killtest
python -m experiments.killtest --kills=20 --seed=1 --workdir=runs/killtest
python -m experiments.killtest --config=configs/parity.py:updates=300

A comparison runs twice undisturbed; from the second, moments in every stage of a run are known. Then one is started,
killed at a random moment, started again with the same command, and so on. Where one comes to its end, every bit of its
parameters, and every record but for times and environments, has to be that of the undisturbed run, and another one
begins, until so many kills have landed.

Exit status: 0 all are equal, 1 one isn't (the first thing that differs is named), 2 a user's mistake.

config.json     the comparison's config       killtest.json   every kill, every victim, totals
reference/      the undisturbed run           kills.log       a line a kill, as they come
victim-N/       kept where it differs         output/         what the last processes printed
"""

import dataclasses
import json
import os
import random
import shlex
import shutil
import sys
import time
from pathlib import Path

import jax
import rich.console
from absl import flags

import experiments
from experiments import running
from experiments.benchmarks.progress import Progress
from experiments.killtests.account import Account, Kill, Victim
from experiments.killtests.equality import first_difference
from experiments.killtests.moments import ANYWHERE, Moment, draw
from experiments.killtests.processes import Life, Program
from experiments.killtests.stages import Watch
from experiments.launcher import experiment_from, launch, read_config
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.training import CONFIG_FILE, environment, is_open, make_plan

ROOT = Path(experiments.__file__).parents[1]
DEFAULT = "configs/killtest.py"
FILE_NAME = "killtest.json"
CACHE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
"""Programs are compiled once for all processes: a process that only compiles would be most of what is killed."""
MISSES = 2
"""So often a moment may be missed before it becomes an easier one."""

WORKDIR = flags.DEFINE_string("workdir", "", "directory for everything; default: a new one under runs/.")
KILLS = flags.DEFINE_integer("kills", 200, "how many kills have to land.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "of the moments at which runs are killed.")
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 0.3, "of the runs, between two checkpoints.", lower_bound=0.0
)
running.define_data_flags()


def main() -> int:
    named = flags.FLAGS["config"].value is not None
    config = read_config() if named else experiment_from("config", str(ROOT / DEFAULT), {})
    jax.config.update("jax_platforms", "cpu")  # for looking alone: an accelerator is for the runs
    folder = Path(WORKDIR.value) if WORKDIR.value else running.new_workdir("killtest")
    program = prepare(config, folder)
    running.StopRequest()  # SIGTERM ends it as Ctrl-C does: with what was found so far
    return carry_out(program, folder, KILLS.value, SEED.value)


def carry_out(program: Program, folder: Path, kills: int, seed: int) -> int:
    """The kill test; returns the exit status. Also one that is stopped writes and prints what it found."""
    account, started = Account(folder), time.monotonic()
    try:
        with Progress(rich.console.Console(), kills) as progress:
            KillTest(program, folder, account, progress).run(kills, random.Random(seed))
    except (KeyboardInterrupt, SystemExit):
        conclude(account, folder, time.monotonic() - started)
        print(f"stopped after {len(account.kills)} of {kills} kills", file=sys.stderr)
        raise
    return conclude(account, folder, time.monotonic() - started)


def conclude(account: Account, folder: Path, seconds: float) -> int:
    """Writes and prints what came of it; returns the exit status."""
    found = {"command": shlex.join(sys.argv), "seconds": seconds, "env": environment(), **account.to_json()}
    records.write_whole(folder / FILE_NAME, json.dumps(records.to_json(found), indent=1) + "\n")
    rich.console.Console().print(account.table())
    print(account.difference or f"all {len(account.victims)} runs that ended are equal to the reference, bit for bit")
    print(f"Written: {folder / FILE_NAME}")
    return 1 if account.difference else 0


def prepare(config: ExperimentConfig, folder: Path) -> Program:
    """Makes the directory and the command of a run in it. Raises UserError."""
    config = dataclasses.replace(config, trackers="")
    if config.horizon is not None:
        raise UserError("config.horizon makes many runs of one config: name one without")
    if is_open(config):
        raise UserError("config measures times, which differ from run to run: set match and seconds to something else")
    plan = make_plan(config, running.data_dirs())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"workdir={str(folder)!r} holds something: choose another, or leave --workdir out")
    try:
        (folder / "output").mkdir(parents=True)
        records.write_whole(folder / CONFIG_FILE, json.dumps(records.to_json(to_mapping(config)), indent=2) + "\n")
    except OSError as e:
        raise UserError(f"workdir={str(folder)!r} can't be written: {e.strerror}") from e
    folder = folder.absolute()
    command = [sys.executable, "-m", "experiments.compare", f"--config={ROOT / 'configs' / 'rerun.py'}:{folder}"]
    command += [f"--checkpoint_seconds={CHECKPOINT_SECONDS.value}"]
    given = {name: flags.FLAGS[name].value for name in ("data_dir", "manual_dir", "require_backend")}
    command += [f"--{name}={value}" for name, value in given.items() if value]
    env = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"), **CACHE, **os.environ}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return Program(command, env, tuple(cell.label for cell in plan.cells), config.seeds)


@dataclasses.dataclass
class KillTest:
    """A test under way, in `folder`."""

    program: Program
    folder: Path
    account: Account
    progress: Progress
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
            self.progress.begin(f"an undisturbed run, {name}")
            self.progress.say("")
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
        self.progress.begin(f"victim {number}")
        while (life := self.live(name, Watch(), next(iter(moments), None), seconds)).killed:
            kills, self.missed = kills + 1, 0
            self.account.killed(Kill(number, moments.pop(0), life))
            self.progress.end()
            self.progress.say(f"killed in {life.at.phase} {life.at.cell}")
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


if __name__ == "__main__":
    launch(main, config=True)
