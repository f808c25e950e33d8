"""Predicts what a config takes on this machine, in time and memory, from a few timed updates of each cell.

python -m experiments.plan --config=configs/adding.py
python -m experiments.plan --config=configs/adding.py --seeds=10,20
python -m experiments.plan --config=configs/adding.py --check
python -m experiments.plan --config=configs/horizon.py --json > plan.json

Nothing is written. docs/planning.md says what is measured, what is predicted, and how far predictions were off.
"""

import json
import shlex
import sys

import jax
import rich.console
from absl import flags

from experiments.cli import running
from experiments.cli.launcher import command, launch, read_config, use_cores
from gru_research.config import UserError
from gru_research.planning import ConfigForecast, PlanRequest, forecast_cell, horizon_configs, tables
from gru_research.planning.machine import load_average, memory_limit, seconds_since_start
from gru_research.runs.comparison import prepare_comparison
from gru_research.runs.environment import environment

running.define_data_flags()
SEEDS = flags.DEFINE_list("seeds", [], "plan for these numbers of seeds too, e.g. 5,10.")
SECONDS = flags.DEFINE_float("seconds", 3.0, "how long updates are timed in each measurement.", lower_bound=1e-3)
CHECK = flags.DEFINE_bool("check", False, "train ten times the timed updates; compare the result with the prediction.")
JSON = flags.DEFINE_bool("json", False, "print one JSON object instead of tables; progress goes to stderr.")


def main() -> int:
    request = PlanRequest(SECONDS.value, counts("seeds", SEEDS.value), CHECK.value)
    config = read_config()
    configs = horizon_configs(config)
    use_cores(max([running.members(config), *request.seeds]), config.data_parallel)
    running.start_backend()
    found = {"load_average": load_average(), "memory_limit": memory_limit(), "devices": jax.device_count()}
    if not JSON.value:
        print(f"command: {shlex.join(command())}")
        print(tables.machine(found), flush=True)
    made: list[ConfigForecast] = []
    for each in configs:
        plan, sets = prepare_comparison(each, running.data_dirs(), say)
        startup = 0.0 if made else seconds_since_start()  # all configs run in one process
        cells = [forecast_cell(plan, cell, sets, request, say) for cell in plan.cells]
        made.append(ConfigForecast(plan, startup, tuple(cells)))
    if JSON.value:
        header = {"command": command(), "machine": found, "env": environment()}
        print(json.dumps(header | {"runs": [each.as_json() for each in made]}, indent=2))
    else:
        tables.show(made, config.horizon, found["memory_limit"], rich.console.Console())
    return 0


def say(line: str) -> None:
    print(f"measured: {line}", file=sys.stderr if JSON.value else sys.stdout, flush=True)


def counts(flag: str, values: list[str]) -> tuple[int, ...]:
    """Returns a flag's whole numbers, each at least 1. Raises UserError."""
    if not all(value.strip().isdecimal() and int(value) >= 1 for value in values):
        raise UserError(f"--{flag}={','.join(values)} must be whole numbers of at least 1, separated by commas")
    return tuple(int(value) for value in values)


if __name__ == "__main__":
    launch(main, config=True)
