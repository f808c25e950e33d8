"""Runs one comparison from its config to its report, for `compare`, `suite` and `replicate`."""

import contextlib
import dataclasses
import datetime
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import rich.console
from absl import flags

from experiments.cli.launcher import command
from experiments.cli.profiling import FOLDER, Profile
from experiments.cli.progress import ProgressLine
from gru_research import native, records
from gru_research.config import LONGEST_FILE_NAME, ExperimentConfig, UserError, experiment
from gru_research.data import DataDirs
from gru_research.full_disk import full_disk_named
from gru_research.plural import several
from gru_research.runs.check_workdir import HARMLESS, check_workdir
from gru_research.runs.comparison import CHECKPOINT_SECONDS, prepare_comparison, run_comparison
from gru_research.runs.directory import changed_files
from gru_research.training import Plan, Progress, needs_measurement, processes

INTERRUPTED = 128 + signal.SIGINT
PREEMPTED = 128 + signal.SIGTERM
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
"""XLA flag that excludes operations whose sums have no fixed order, and choosing algorithms by timing."""


def define_flags() -> None:
    """Defines the flags of every launcher that trains."""
    flags.DEFINE_string(
        "workdir", "", "directory of the run; default: a new one under runs/. An interrupted run in it is resumed."
    )
    define_data_flags()
    flags.DEFINE_float(
        "checkpoint_seconds",
        CHECKPOINT_SECONDS,
        "seconds between two checkpoints; a killed process loses about this much work.",
        lower_bound=0.0,
    )
    flags.DEFINE_bool(
        "allow_config_change",
        False,
        f"resume although the config differs, if only in fields that change no number: {', '.join(HARMLESS)}.",
    )
    flags.DEFINE_bool(
        "debug_nans",
        False,
        "repeat a diverged seed's last update, slowly; print and record the operation at which it diverged.",
    )
    flags.DEFINE_bool("profile", False, "trace a few calls of the first cell to WORKDIR/profile, for xprof.")


def define_data_flags() -> None:
    """Defines the flags of data and backend, also for launchers that write no run."""
    flags.DEFINE_string("data_dir", "", "where prepared data sets lie; default: TFDS's, ~/tensorflow_datasets.")
    flags.DEFINE_string("manual_dir", "", "folder with a data set's raw files, for machines without a network.")
    flags.DEFINE_enum("require_backend", None, ["cpu", "gpu", "tpu"], "stop unless jax runs on this backend.")
    flags.DEFINE_bool(
        "deterministic",
        False,
        "on a GPU: the same bits every time, by slower programs. Elsewhere the bits are the same anyway.",
    )


def data_dirs() -> DataDirs:
    return DataDirs(flags.FLAGS.data_dir, flags.FLAGS.manual_dir)


def workdir(name: str) -> Path:
    """Returns `--workdir`, or a new directory under runs/ named for `name` and the time."""
    return Path(flags.FLAGS.workdir) if flags.FLAGS.workdir else new_workdir(name)


def new_workdir(name: str) -> Path:
    """Returns a new directory directly under runs/. `name` may hold a path, as a variant does."""
    plain = re.sub(r"[^A-Za-z0-9_.,=-]+", "_", name).lstrip(".")[:LONGEST_FILE_NAME]
    stem = f"{plain}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    candidates = (Path("runs") / (stem + (f"-{n}" if n else "")) for n in range(1000))
    return next(path for path in candidates if not path.exists())


def members(config: ExperimentConfig) -> int:
    """Returns the largest number of seeds or draws that train side by side."""
    return max(config.seeds, config.tune.draws * config.tune.seeds)


def start_backend() -> None:
    """Starts JAX's backend; applies `--deterministic`. Raises UserError if the backend isn't `--require_backend`."""
    if flags.FLAGS.deterministic:  # XLA reads its flags when the backend starts
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    required, found = flags.FLAGS.require_backend, jax.default_backend()
    if required and found != required:
        raise UserError(f"--require_backend={required}, but jax found {found}: {jax.devices()[0].device_kind}")


def data_arguments() -> list[str]:
    """Returns the flags of `define_data_flags` as arguments for other launchers, with absolute paths."""
    dirs = {"data_dir": flags.FLAGS.data_dir, "manual_dir": flags.FLAGS.manual_dir}
    arguments = [f"--{name}={Path(value).absolute()}" for name, value in dirs.items() if value]
    if flags.FLAGS.require_backend:
        arguments.append(f"--require_backend={flags.FLAGS.require_backend}")
    return arguments + (["--deterministic"] if flags.FLAGS.deterministic else [])


def trial_arguments() -> list[str]:
    """Returns the flags of a run that a sweep passes to its trials, as arguments: flags of data, backend, checkpoints
    and diverging seeds."""
    arguments = [*data_arguments(), f"--checkpoint_seconds={flags.FLAGS.checkpoint_seconds:g}"]
    return arguments + (["--debug_nans"] if flags.FLAGS.debug_nans else [])


class StopRequest:
    """Handles requests to stop: Ctrl-C; or SIGTERM and SIGUSR2, which announce preemption.

    While cells train, a request takes effect between two calls, after a checkpoint. At other times a first request
    stops at once. Only a second Ctrl-C cuts an orderly stop short: Slurm signals a trial and its worker, and the worker
    signals the trial too, so that one request arrives twice. `status` is the exit status, 0 without a request.
    """

    def __init__(self) -> None:
        self.status = 0
        self._waits = False
        self._interrupts = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, self._on_signal)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Within this context, a first request only sets `status`."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _on_signal(self, number: int, frame: object) -> None:
        del frame
        first, interrupted = not self.status, number == signal.SIGINT
        self._interrupts += interrupted
        self.status = self.status or (INTERRUPTED if interrupted else PREEMPTED)
        if self._interrupts > 1 or (first and not self._waits):
            if interrupted:
                raise KeyboardInterrupt
            raise SystemExit(PREEMPTED)
        if first or interrupted:
            again = "; Ctrl-C again stops at once" if interrupted else ""
            print(f"\nstopping after this step, with a checkpoint{again}", file=sys.stderr, flush=True)


def run(config: ExperimentConfig, folder: Path, stop: StopRequest, workdir: Path | None = None) -> int:
    """Trains, or resumes, the cells that aren't finished, and writes the report.

    `workdir` is the command's `--workdir`, if that isn't the run's own `folder`.

    Returns the process's exit status: 0 if the run reached its end.

    Raises:
      UserError: the config has a mistake, the data can't be loaded, or `folder` holds something else.
    """
    begun = processes.from_first(lambda: _begun(folder, config))
    if begun is not None and begun["complete"]:
        print(f"{folder} holds this run, finished: its report is made again")
        for file, how in changed_files(folder).items():
            print(f"warning: {file} {how} since the run", file=sys.stderr)
        write_report(folder)
        return 0
    asked = config
    if begun is not None and needs_measurement(config):  # the earlier measurements hold
        found = experiment(begun["config"])
        config = dataclasses.replace(found, only=config.only, trackers=config.trackers)
    plan, sets = prepare_comparison(config, data_dirs(), say=lambda line: print(f"measured: {line}", flush=True))
    announce(plan, folder)
    with (
        ProgressLine(plan) as line,
        Profile(folder / FOLDER, flags.FLAGS.profile and processes.is_first()) as profile,
        stop.deferred(),
    ):

        def progress(at: Progress) -> None:
            line.show(at)
            profile.on_call(at)

        finished = run_comparison(
            plan,
            folder,
            data_dirs(),
            sets=sets,
            asked=asked,
            allow_config_change=flags.FLAGS.allow_config_change,
            checkpoint_seconds=flags.FLAGS.checkpoint_seconds,
            debug_nans=flags.FLAGS.debug_nans,
            command=command(),
            progress=progress,
            stopping=lambda: bool(stop.status),
            say=lambda said: print(said, file=sys.stderr, flush=True),
        )
    status = 0 if finished else stop.status or PREEMPTED  # another process may have requested the stop
    if status and processes.is_first():
        print(
            f"stopped; the same command with --workdir={workdir or folder} resumes from here",
            file=sys.stderr,
            flush=True,
        )
    if status != PREEMPTED:  # preemption leaves no time for a report
        write_report(folder)
    return status


def is_finished(folder: Path, config: ExperimentConfig) -> bool:
    """Returns whether `folder` holds this run, finished. Raises UserError if it holds something else."""
    found = check_workdir(folder, config)
    return found is not None and found.finished


def _begun(folder: Path, config: ExperimentConfig) -> dict[str, Any] | None:
    """Returns the config recorded in the directory and whether the run is complete; None if there is no run."""
    run = check_workdir(folder, config, flags.FLAGS.allow_config_change)
    if run is None:
        return None
    return {"config": dict(run.header.config), "complete": run.finished and is_complete(run, config)}


def write_report(folder: Path) -> None:
    """Writes the report from the records. Imports matplotlib here, which takes a second."""
    if not processes.is_first():
        return
    from gru_research import report

    with full_disk_named(folder):
        report.write(folder, rich.console.Console())


def is_complete(run: records.Run, config: ExperimentConfig) -> bool:
    """Returns whether every cell that the config selects has results for all its seeds."""
    labels = [result.cell for result in run.results]
    return all(labels.count(label) == config.seeds for label in config.selected_labels)


def announce(plan: Plan, folder: Path) -> None:
    """Prints the plan, its directory and its devices before training."""
    config, tune = plan.config, plan.config.tune
    devices = jax.devices()
    print(f"jax {jax.__version__} on {jax.default_backend()}: {len(devices)} x {devices[0].device_kind}")
    print(f"recurrent layers: {native.describe()}")
    print(f"command: {shlex.join(command())}")
    first, last = plan.seeds[0], plan.seeds[-1]
    seeds = f"seeds {first} to {last}" if first != last else f"seed {first}"
    ranges = ", ".join(map(_range, tune.ranges.items()))
    tuned = f", after {several(tune.draws, 'draw')} of {ranges}" if tune.draws else ""
    print(f"{plan.task.name}: batches of {config.batch_size} sequences, {seeds}{tuned}")
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
