"""Kills a comparison with SIGKILL again and again, and checks that it ends equal to one that was never interrupted.

python -m experiments.killtest
python -m experiments.killtest --kills=20 --seed=1 --workdir=runs/killtest
python -m experiments.killtest --config=configs/parity.py:updates=300
python -m experiments.killtest --engine=slurm --kills=50

A comparison runs twice undisturbed; the second run gives the times of every stage. Then a run, the victim, is started,
killed at a random time, started again with the same command, and so on. When it ends, every bit of its parameters and
every record, except times and environments, must equal the undisturbed run's. Then the next victim begins, until
`--kills` kills have landed.

With --engine=slurm, the jobs of sweeps on a real Slurm are killed, cancelled, requeued, preempted and suspended. Every
trial must end once, equal to an undisturbed one, and no job, process or lock may be left. The Slurm is started for the
test, on this machine alone and without authentication; it needs root and Debian's packages slurmctld, slurmd and
slurm-client. Use it on a machine, or in a container, that nobody else uses.

Exit status: 0 all victims are equal, 1 one differs (the first difference is named), 2 a user's mistake.

config.json     the comparison's config       killtest.json   every kill, every victim, totals
reference/      the undisturbed run           kills.log       one line per kill, written as it happens
victim-N/       a victim that differs         output/         what the last processes printed
sweep-N/        a sweep that differs          slurm/          Slurm's files
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

import jax
from absl import flags

import experiments
from experiments.cli import running
from experiments.cli.launcher import experiment_from, launch, read_config
from experiments.crash_tests import local_slurm
from experiments.crash_tests.kill_loop import run_kill_test
from experiments.crash_tests.run_process import RunCommand
from experiments.sweeps import engines
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.runs.check_workdir import CONFIG_FILE
from gru_research.runs.directory import make_new
from gru_research.training import make_plan, needs_measurement

ROOT = Path(experiments.__file__).parents[1]
DEFAULTS = {"local": "configs/killtest.py", "slurm": "configs/killtest.py:sweep"}
SWEEP = ROOT / "configs" / "sweeps" / "killtest.py"
CACHE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}
"""Makes all processes share compiled programs; otherwise most kills would hit a compilation."""

WORKERS = 2

WORKDIR = flags.DEFINE_string("workdir", "", "where everything is written; default: a new directory under runs/.")
ENGINE = flags.DEFINE_enum(
    "engine", "local", list(DEFAULTS), "slurm: interrupt the jobs of sweeps on a Slurm that is started for the test."
)
KILLS = flags.DEFINE_integer("kills", 200, "the number of kills or interruptions.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "seed of the random times at which runs are killed.")
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 0.3, "seconds between two checkpoints of a run.", lower_bound=0.0
)
running.define_data_flags()


def main() -> int:
    named = flags.FLAGS["config"].value is not None
    config = read_config() if named else experiment_from("config", str(ROOT / DEFAULTS[ENGINE.value]), {})
    if ENGINE.value == "slurm" and (reason := local_slurm.missing()):
        raise UserError(f"--engine=slurm: {reason}")
    if ENGINE.value == "slurm":
        engines.check_installed("slurm")
    jax.config.update("jax_platforms", "cpu")  # this process only supervises: the runs use the accelerator
    folder = Path(WORKDIR.value) if WORKDIR.value else running.new_workdir("killtest")
    run_command = prepare(config, folder)
    running.StopRequest()  # SIGTERM ends it like Ctrl-C, with a report of the kills so far
    if ENGINE.value == "slurm":
        from experiments.crash_tests import slurm_kill_test  # imports Optuna, which is an extra

        return slurm_kill_test.run_slurm_kill_test(as_sweep(run_command, folder), folder, KILLS.value, SEED.value)
    return run_kill_test(run_command, folder, KILLS.value, SEED.value)


def prepare(config: ExperimentConfig, folder: Path) -> RunCommand:
    """Makes the directory and returns the command of a run in it. Raises UserError."""
    config = dataclasses.replace(config, trackers="")
    if config.horizon is not None:
        raise UserError("config.horizon makes many runs of one config: name one without")
    if needs_measurement(config):
        raise UserError("config measures times, which differ from run to run: set match and seconds to something else")
    plan = make_plan(config, running.data_dirs())
    make_new(folder)
    try:
        (folder / "output").mkdir(parents=True)
        records.write_whole(folder / CONFIG_FILE, json.dumps(records.to_json(to_mapping(config)), indent=2) + "\n")
    except OSError as e:
        raise UserError(f"workdir={str(folder)!r} can't be written: {e.strerror}") from e
    folder = folder.absolute()
    command = [sys.executable, "-m", "experiments.compare", f"--config={ROOT / 'configs' / 'rerun.py'}:{folder}"]
    command += [f"--checkpoint_seconds={CHECKPOINT_SECONDS.value}", *running.data_arguments()]
    env = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"), **CACHE, **os.environ}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return RunCommand(command, env, tuple(cell.label for cell in plan.cells), config.seeds)


def as_sweep(run: RunCommand, folder: Path) -> RunCommand:
    """Returns the command of a sweep on the test's own Slurm, with the same config and flags as the run's."""
    python, flag, _, *rest = run.command
    command = [python, flag, "experiments.sweep", *rest, f"--sweep={SWEEP}", "--engine=slurm", f"--workers={WORKERS}"]
    conf = str(folder.absolute() / "slurm" / local_slurm.CONF_FILE)
    return dataclasses.replace(run, command=command, env={**run.env, "SLURM_CONF": conf})


if __name__ == "__main__":
    launch(main, config=True)
