"""One comparison from a config to a report: what `compare`, `suite` and `replicate` share."""

import datetime
import shlex
import signal
import sys
from pathlib import Path

import jax
import rich.console
from absl import flags

from experiments.progress import ProgressLine
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.data import DataDirs
from gru_research.training import Plan, prepare_comparison, run_comparison

INTERRUPTED = 128 + signal.SIGINT


def define_flags() -> None:
    """The flags of every launcher that trains."""
    flags.DEFINE_string("workdir", "", "directory of the run; default: a new one under runs/.")
    flags.DEFINE_string("data_dir", "", "where prepared data sets lie; default: TFDS's, ~/tensorflow_datasets.")
    flags.DEFINE_string("manual_dir", "", "folder with a data set's raw files, for machines without a network.")
    flags.DEFINE_enum("require_backend", None, ["cpu", "gpu", "tpu"], "stop unless jax runs on this.")


def data_dirs() -> DataDirs:
    return DataDirs(flags.FLAGS.data_dir, flags.FLAGS.manual_dir)


def workdir(name: str) -> Path:
    """What `--workdir` says, or a new directory under runs/ of that name and the time."""
    return Path(flags.FLAGS.workdir) if flags.FLAGS.workdir else new_workdir(name)


def new_workdir(name: str) -> Path:
    stem = f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    candidates = (Path("runs") / (stem + (f"-{n}" if n else "")) for n in range(1000))
    return next(path for path in candidates if not path.exists())


def members(config: ExperimentConfig) -> int:
    """The most seeds and draws that train side by side."""
    return max(config.seeds, config.tune.draws * config.tune.seeds)


def check_backend() -> None:
    """Raises UserError unless jax runs on `--require_backend`."""
    required, found = flags.FLAGS.require_backend, jax.default_backend()
    if required and found != required:
        raise UserError(f"--require_backend={required}, but jax found {found}: {jax.devices()[0].device_kind}")


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


def run(config: ExperimentConfig, folder: Path, stop: StopRequest) -> bool:
    """Trains what isn't trained yet and writes the report; whether it ran to its end.

    Raises:
      UserError: the config has a mistake, the data can't be had, or `folder` holds something else.
    """
    if already_finished(folder, config):
        print(f"{folder} holds this very run, finished: its report is made again")
        write_report(folder)
        return True
    plan, sets = prepare_comparison(config, data_dirs(), say=lambda line: print(f"measured: {line}", flush=True))
    announce(plan, folder)
    with ProgressLine(plan) as line:
        finished = run_comparison(
            plan,
            folder,
            sets=sets,
            asked=config,
            command=sys.argv,
            progress=line.show,
            stopping=lambda: stop.requested,
        )
    write_report(folder)
    return finished


def write_report(folder: Path) -> None:
    """The report from what is on record; matplotlib, a second of import, is loaded only now."""
    from gru_research import report

    report.write(folder, rich.console.Console())


def already_finished(folder: Path, config: ExperimentConfig) -> bool:
    """Whether `folder` holds this run, finished. Raises UserError where it holds anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / records.FILE_NAME).is_file():
        raise UserError(
            f"workdir={str(folder)!r} holds something else: choose another, or leave --workdir out for a new one"
        )
    run = records.read(folder / records.FILE_NAME)
    if not is_run_of(run, config):
        raise UserError(f"workdir={str(folder)!r} holds a run of another config: choose another")
    if not run.finished:
        raise UserError(f"workdir={str(folder)!r} holds this run, interrupted, and it can't be resumed: choose another")
    return True


def is_run_of(run: records.Run, config: ExperimentConfig) -> bool:
    """Whether a run has this config, before or after something of it was measured."""
    wanted = records.to_json(to_mapping(config))
    return wanted in (run.header.get("asked"), run.header["config"])


def announce(plan: Plan, folder: Path) -> None:
    """Says what is about to run, where, and on what."""
    config, tune = plan.config, plan.config.tune
    devices = jax.devices()
    print(f"jax {jax.__version__} on {jax.default_backend()}: {len(devices)} x {devices[0].device_kind}")
    print(f"command: {shlex.join(sys.argv)}")
    print(
        f"{plan.task.name}: batches of {config.batch_size} sequences, seeds {plan.seeds[0]} to {plan.seeds[-1]}"
        + (f", after {tune.draws} draws of {', '.join(map(_range, tune.ranges.items()))}" if tune.draws else "")
    )
    for cell in plan.cells:
        rate = "" if tune.draws else f", rate {cell.scalars['learning_rate']:g}"
        print(
            f"  {cell.label}: {cell.hidden_size} units, {cell.parameters:,} parameters, "
            f"{cell.updates:,} updates, evaluated every {cell.eval_every}{rate}"
        )
    for warning in plan.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"writing to {folder}", flush=True)


def _range(item: tuple[str, tuple[float, float]]) -> str:
    name, (low, high) = item
    return f"{name} in {low:g} to {high:g}"
