"""Trains the cells of a config on its task, several seeds each, and reports on them.

python -m experiments.compare --config=configs/adding.py
python -m experiments.compare --config=configs/smnist.py:rows --config.seeds=3 --workdir=runs/rows
python -m experiments.compare --config=configs/horizon.py
python -m experiments.compare --config=configs/adding.py --engine=slurm --slurm=configs/slurm/cluster.py:partition=gpu

A config with `horizon` is trained at growing values of a field, until its cells fail. Several processes train one run
together with --coordinator=HOST:PORT --processes=N --process=K, or --distributed on a cluster. With --engine=slurm the
command submits itself as a job, shows its progress and ends with it; --array submits a job for each cell.
"""

import json
from pathlib import Path

from absl import flags

from experiments.cli import distributed, running, studies
from experiments.cli.launcher import config_path, launch, read_config, use_cores
from experiments.slurm import spread, submitted
from gru_research.config import ExperimentConfig, UserError
from gru_research.runs.check_workdir import check_workdir
from gru_research.runs.study import horizon
from gru_research.training import make_plan, processes, with_every_option

running.define_flags()
distributed.define_flags()
submitted.define_flags(array="the cells")
PRINT_CONFIG = flags.DEFINE_bool(
    "print_config",
    False,
    "print the config with every default filled in, of the task, the model and the cells too, and stop.",
)


def main() -> int:
    config = read_config()
    if PRINT_CONFIG.value:
        print(json.dumps(with_every_option(make_plan(config, running.data_dirs()).config), indent=2))
        return 0
    if submitted.is_asked():
        return submit(config)
    use_cores(running.members(config), config.data_parallel, distributed.count())
    distributed.connect()
    if config.horizon is not None and not processes.alone():
        raise UserError("config.horizon makes many runs: several processes train one")
    running.start_backend()
    workdir = running.workdir(run_name())
    stop = running.StopRequest()
    if config.horizon is not None:
        return studies.run(horizon(config, run_name()), workdir, stop)
    return running.run(config, workdir, stop)


def submit(config: ExperimentConfig) -> int:
    """Checks the config and submits the command, or each of its cells with --array. Returns the exit status."""
    plan, workdir = make_plan(config, running.data_dirs()), running.workdir(run_name())
    if submitted.is_spread():
        return spread.run_cells(config, plan, workdir)
    if config.horizon is None:
        check_workdir(workdir, config, flags.FLAGS.allow_config_change)
    return submitted.run_whole(workdir)


def run_name() -> str:
    """Returns the name of the config's file and its variant."""
    path, _, variant = config_path().partition(":")
    return "-".join(filter(None, [Path(path).stem, Path(variant).name]))


if __name__ == "__main__":
    launch(main, config=True)
