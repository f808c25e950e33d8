"""Trains the cells of a config on its task, several seeds each, and reports on them.

python -m experiments.compare --config=configs/adding.py
python -m experiments.compare --config=configs/smnist.py:rows --config.seeds=3 --workdir=runs/rows
"""

import datetime
import json
import shlex
import signal
import sys
from pathlib import Path

import jax
import rich.console
from absl import flags

from experiments.launcher import config_path, launch, read_config, use_cores
from experiments.progress import ProgressLine
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.data import DataDirs
from gru_research.training import Plan, make_plan, run_comparison

WORKDIR = flags.DEFINE_string("workdir", "", "directory of the run; default: a new one under runs/.")
DATA_DIR = flags.DEFINE_string("data_dir", "", "where prepared data sets lie; default: TFDS's, ~/tensorflow_datasets.")
MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", "", "folder with a data set's raw files, for machines without a network."
)
PRINT_CONFIG = flags.DEFINE_bool("print_config", False, "print the config with every default filled in, and stop.")
REQUIRE_BACKEND = flags.DEFINE_enum("require_backend", None, ["cpu", "gpu", "tpu"], "stop unless jax runs on this.")


def main() -> int:
    config = read_config()
    if PRINT_CONFIG.value:
        make_plan(config)
        print(json.dumps(to_mapping(config), indent=2))
        return 0
    use_cores(config.seeds)
    check_backend(REQUIRE_BACKEND.value)
    plan = make_plan(config)
    workdir = Path(WORKDIR.value or default_workdir(config_path()))
    if already_finished(workdir, config):
        print(f"{workdir} holds this very run, finished: its report is made again")
        write_report(workdir)
        return 0
    announce(plan, workdir)
    stop = StopRequest()
    with ProgressLine([cell.label for cell in plan.cells], config) as line:
        finished = run_comparison(
            plan,
            workdir,
            DataDirs(DATA_DIR.value, MANUAL_DIR.value),
            command=sys.argv,
            progress=line.show,
            stopping=lambda: stop.requested,
        )
    write_report(workdir)
    return 0 if finished else 128 + signal.SIGINT


def write_report(workdir: Path) -> None:
    """The report from what is on record; matplotlib, a second of import, is loaded only now."""
    from gru_research import report

    report.write(workdir, rich.console.Console())


def check_backend(required: str | None) -> None:
    """Raises UserError unless jax runs on `required`."""
    found = jax.default_backend()
    if required and found != required:
        raise UserError(f"--require_backend={required}, but jax found {found}: {jax.devices()[0].device_kind}")


def default_workdir(config: str) -> Path:
    """A new directory under runs/: the config's name and the time, and a number where that is taken."""
    path, _, variant = config.partition(":")
    name = "-".join(filter(None, [Path(path).stem, variant, f"{datetime.datetime.now():%Y%m%d-%H%M%S}"]))
    candidates = (Path("runs") / (name + (f"-{n}" if n else "")) for n in range(1000))
    return next(path for path in candidates if not path.exists())


def already_finished(workdir: Path, config: ExperimentConfig) -> bool:
    """Whether `workdir` holds this run, finished. Raises UserError where it holds anything else."""
    if not workdir.exists() or (workdir.is_dir() and not any(workdir.iterdir())):
        return False
    refusal = f"workdir={str(workdir)!r} holds something else: choose another, or leave --workdir out for a new one"
    if not (workdir / records.FILE_NAME).is_file():
        raise UserError(refusal)
    run = records.read(workdir / records.FILE_NAME)
    if run.header["config"] != records.to_json(to_mapping(config)):
        raise UserError(f"workdir={str(workdir)!r} holds a run of another config: choose another")
    if not run.finished:
        raise UserError(
            f"workdir={str(workdir)!r} holds this run, interrupted, and it can't be resumed: choose another"
        )
    return True


def announce(plan: Plan, workdir: Path) -> None:
    """Says what is about to run, where, and on what."""
    config = plan.config
    devices = jax.devices()
    print(f"jax {jax.__version__} on {jax.default_backend()}: {len(devices)} x {devices[0].device_kind}")
    print(f"command: {shlex.join(sys.argv)}")
    print(
        f"{plan.task.name}: {config.updates:,} updates of {config.batch_size} sequences, "
        f"seeds {plan.seeds[0]} to {plan.seeds[-1]}, evaluated every {config.eval_every}"
    )
    for cell in plan.cells:
        print(f"  {cell.label}: {cell.hidden_size} units, {cell.parameters:,} parameters, rate {cell.learning_rate:g}")
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"writing to {workdir}", flush=True)


class StopRequest:
    """Ctrl-C asks for a stop after the current call; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        print("\nstopping after this step; Ctrl-C again stops at once", file=sys.stderr, flush=True)


if __name__ == "__main__":
    launch(main, config=True)
