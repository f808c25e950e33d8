"""Runs many trials of one config on several workers and reports on them: a grid, or a search by Optuna's TPE.

python -m experiments.sweep --config=configs/adding.py --sweep=configs/sweeps/adding_grid.py
python -m experiments.sweep --config=configs/adding.py --sweep=configs/sweeps/adding_tpe.py --engine=slurm --workers=20
python -m experiments.sweep --config=configs/adding.py --sweep=configs/sweeps/adding_tpe.py --engine=slurm --dry_run

The sweep file names the fields, how they are searched, and the limits of a trial. Workers share a journal in the
working directory; with several machines it must be on a file system that all of them see. The same command with the
same --workdir resumes an interrupted sweep.
"""

from pathlib import Path

import jax
from absl import flags

from experiments.cli import running
from experiments.cli.launcher import config_path, launch, load_mapping, read_config
from experiments.sweeps import config_check, directory, engines, search_space
from gru_research.config import UserError, to_mapping

running.define_flags()
SWEEP = flags.DEFINE_string("sweep", "", "path of a sweep file: configs/sweeps/FILE.py[:variant].")
ENGINE = flags.DEFINE_string("engine", "local", f"where workers run: {', '.join(engines.ENGINES)}.")
WORKERS = flags.DEFINE_integer("workers", 2, "how many trials run at the same time.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "with --engine=slurm: write and print the submission script, and stop.")
SCRIPT = "submission.sh"


def main() -> int:
    config = read_config()
    if not SWEEP.value:
        raise UserError("--sweep is missing: name a sweep file, e.g. --sweep=configs/sweeps/adding_grid.py")
    sweep = search_space.parse_sweep(load_mapping("--sweep=", SWEEP.value, "configs/sweeps"))
    engines.check_installed(ENGINE.value)
    if WORKERS.value < 1:
        raise UserError(f"--workers={WORKERS.value} must be at least 1")
    if DRY_RUN.value and ENGINE.value != "slurm":
        raise UserError(f"--dry_run writes Slurm's submission script: it needs --engine=slurm, not {ENGINE.value!r}")
    jax.config.update("jax_platforms", "cpu")  # this process only checks: the trials use the accelerator
    metric, direction, files = config_check.check_sweep(sweep, config, running.data_dirs())
    name = "-".join(Path(path.partition(":")[0]).stem for path in (config_path(), SWEEP.value))
    arguments = tuple(running.trial_arguments())
    described = directory.SweepDescription(sweep, to_mapping(config), metric, direction, name, arguments, files)
    claimed = directory.claim(running.workdir(name), described)
    if DRY_RUN.value:
        return dry_run(sweep, claimed)
    from experiments.sweeps import driver  # imports Optuna, which is an extra

    return driver.run(claimed, described, ENGINE.value, WORKERS.value)


def dry_run(sweep: search_space.Sweep, claimed: directory.SweepDirectory) -> int:
    from experiments.sweeps import submitit_engine

    script = submitit_engine.slurm_script(sweep, claimed.path, WORKERS.value)
    (claimed.path / SCRIPT).write_text(script, encoding="utf-8")
    print(script)
    print(f"Written: {claimed.path / SCRIPT}")
    return 0


if __name__ == "__main__":
    launch(main, config=True)
