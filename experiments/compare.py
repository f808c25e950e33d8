"""Trains the cells of a config on its task, several seeds each, and reports on them.

python -m experiments.compare --config=configs/adding.py
python -m experiments.compare --config=configs/smnist.py:rows --config.seeds=3 --workdir=runs/rows
python -m experiments.compare --config=configs/horizon.py

A config with `horizon` is trained at growing values of a field, until its cells fail. Several processes train one run
together with --coordinator=HOST:PORT --processes=N --process=K, or --distributed on a cluster.
"""

import json
from pathlib import Path

from absl import flags

from experiments.cli import distributed, running, studies
from experiments.cli.launcher import config_path, launch, read_config, use_cores
from gru_research.config import UserError
from gru_research.runs.study import horizon
from gru_research.training import make_plan, processes, with_every_option

running.define_flags()
distributed.define_flags()
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


def run_name() -> str:
    """Returns the name of the config's file and its variant."""
    path, _, variant = config_path().partition(":")
    return "-".join(filter(None, [Path(path).stem, Path(variant).name]))


if __name__ == "__main__":
    launch(main, config=True)
