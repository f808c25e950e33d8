"""What a config will take on this machine, in time and memory, from a few timed updates of each cell.

python -m experiments.plan --config=configs/adding.py
python -m experiments.plan --config=configs/adding.py --lengths=50,200,1000 --seeds=10,20
python -m experiments.plan --config=configs/adding.py --check
python -m experiments.plan --config=configs/horizon.py --json > plan.json

Nothing is written. docs/planning.md says what is measured, what is extrapolated, and how far that was off.
"""

import json
import shlex
import sys

import jax
import rich.console
from absl import flags

from experiments import plan_tables, planning
from experiments.cli import running
from experiments.cli.launcher import command, launch, read_config, use_cores
from gru_research.config import UserError
from gru_research.runs.comparison import prepare_comparison
from gru_research.runs.surroundings import environment
from gru_research.training.machine import load_average, memory_limit, seconds_since_start

running.define_data_flags()
LENGTHS = flags.DEFINE_list("lengths", [], "other values of config.task.length, as 50,100,200.")
SEEDS = flags.DEFINE_list("seeds", [], "other numbers of seeds, as 5,10.")
SECONDS = flags.DEFINE_float("seconds", 3.0, "how long updates are timed in each measurement.", lower_bound=1e-3)
CHECK = flags.DEFINE_bool("check", False, "train ten times what was timed, and print predicted against found.")
JSON = flags.DEFINE_bool("json", False, "print one JSON object instead of tables; progress goes to stderr.")


def main() -> int:
    asked = planning.Asked(SECONDS.value, counts("lengths", LENGTHS.value), counts("seeds", SEEDS.value), CHECK.value)
    config = read_config()
    runs = planning.spread_out(config, asked)
    use_cores(max([running.members(config), *asked.seeds]), config.data_parallel)
    running.start_backend()
    found = {"load_average": load_average(), "memory_limit": memory_limit(), "devices": jax.device_count()}
    if not JSON.value:
        print(f"command: {shlex.join(command())}")
        print(plan_tables.machine(found), flush=True)
    made = []
    for each, wanted in runs:
        plan, sets = prepare_comparison(each, running.data_dirs(), say)
        startup = seconds_since_start() if not made else 0.0  # all runs are one process
        cells = [planning.forecast_cell(plan, cell, sets, running.data_dirs(), wanted, say) for cell in plan.cells]
        made.append(plan_tables.Planned(plan, startup, tuple(cells)))
    if JSON.value:
        header = {"command": command(), "machine": found, "env": environment()}
        print(json.dumps(header | {"runs": [planned.as_json() for planned in made]}, indent=2))
    else:
        plan_tables.show(made, config.horizon, found["memory_limit"], rich.console.Console())
    return 0


def say(line: str) -> None:
    print(f"measured: {line}", file=sys.stderr if JSON.value else sys.stdout, flush=True)


def counts(flag: str, values: list[str]) -> tuple[int, ...]:
    """Whole numbers from a flag, each at least 1. Raises UserError."""
    if not all(value.strip().isdecimal() and int(value) >= 1 for value in values):
        raise UserError(f"--{flag}={','.join(values)} must be whole numbers of at least 1, separated by commas")
    return tuple(int(value) for value in values)


if __name__ == "__main__":
    launch(main, config=True)
