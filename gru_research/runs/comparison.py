"""Runs a whole comparison in one directory: writes the header, trains every cell in turn, and records the end."""

import contextlib
import dataclasses
import datetime
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gru_research import records, trackers
from gru_research.config import ExperimentConfig, UserError, split_names, to_mapping
from gru_research.data import DataDirs
from gru_research.data.disk_arrays import DiskArrays
from gru_research.full_disk import full_disk_named
from gru_research.run_files import save_learned, save_vocabularies
from gru_research.tasks import Task
from gru_research.training import evaluation_hooks, processes
from gru_research.training.batch_maker import Sets
from gru_research.training.calibration import needs_measurement, resolve_measured
from gru_research.training.check_shapes import check_measures
from gru_research.training.loop import Hooks, InterruptedRun, Progress
from gru_research.training.plan import Plan, make_plan
from gru_research.training.resumption import Resumption
from gru_research.training.train_variant import Saving, train_variant

from .check_workdir import CONFIG_FILE, check_workdir
from .environment import environment
from .lock import locked
from .resume import environment_changes, find_resumption, remove_snapshots, share_resumption

NOTED_ENVIRONMENT = ("backend", "engine", "devices", "xla_flags", "versions", "git_commit", "command")
"""Parts of the environment that are recorded each time a run is resumed."""
CHECKPOINT_SECONDS = 60.0
"""Seconds between two snapshots: about the most work that a killed process loses."""


def prepare_comparison(
    config: ExperimentConfig, dirs: DataDirs, say: Callable[[str], None] = lambda line: None
) -> tuple[Plan, Sets]:
    """Returns the plan, with all measured values filled in, and the data.

    Raises:
      UserError: the config has a mistake, or the data can't be loaded.
    """
    plan = make_plan(config, dirs)
    sets = load_sets(plan, dirs)
    if needs_measurement(config):
        plan = make_plan(resolve_measured(config, dirs, sets, say), dirs)
    return plan, sets


def load_sets(plan: Plan, dirs: DataDirs) -> Sets:
    """Loads the data of the plan's task, with the first `config.train_examples` training examples.

    Raises:
      UserError: the data can't be loaded, or have fewer examples than requested or than a batch.
    """
    kept = plan.config.train_examples
    sets = plan.task.data.load(dirs)
    evaluation_hooks.check_fit(plan.config.probes, {cell.label: cell.model for cell in plan.cells}, sets["validation"])
    check_measures(plan.cells[0].model, plan.task, sets["validation"])
    if "train" not in sets:
        return sets
    train_size = len(next(iter(sets["train"].values())))
    if kept > train_size:
        raise UserError(f"config.train_examples={kept} must be at most {train_size}, the training set")
    if plan.config.batch_size > (kept or train_size):
        raise UserError(
            f"config.batch_size={plan.config.batch_size} must be at most {kept or train_size}, the training set"
        )
    return {**sets, "train": _first(sets["train"], kept)} if kept else sets


def _first(examples: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Returns the first `count` examples of a set, in memory."""
    if isinstance(examples, DiskArrays):
        return examples.take(np.arange(count))
    return {name: a[:count] for name, a in examples.items()}


def run_comparison(
    plan: Plan,
    workdir: Path,
    dirs: DataDirs = DataDirs(),
    *,
    sets: Sets | None = None,
    asked: ExperimentConfig | None = None,
    allow_config_change: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    debug_nans: bool = False,
    command: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda progress: None,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> bool:
    """Trains every cell of the plan and writes `config.json`, `vocabularies.json`, `learned.json`, `records.jsonl`,
    `arrays/` and `checkpoints/`.

    An interrupted run of the same config in the directory is resumed, and ends with the same bits as without the
    interruption. A finished run's directory is left unchanged.

    Args:
      sets: the data, where they are already loaded.
      asked: the requested config, without measured values.
      allow_config_change: resumes under a config that differs only in fields that change no number.
      checkpoint_seconds: about the most work, in seconds, that a killed process loses.
      debug_nans: repeats the update at which a seed diverged, operation by operation, and records the first one
        whose result isn't finite.
      say: called with lines for the user, such as where the run is resumed.

    Returns:
      True if the run finished; False after `stopping()` returned True, with all work so far on disk.

    Raises:
      UserError: as `load_sets` (before anything is written); or the directory can't be written, is in use, or holds
        something else.
      OSError: the disk is full or fails similarly; the message names the directory. Earlier files are undamaged.
    """
    sets = load_sets(plan, dirs) if sets is None else sets
    asked = asked or plan.config
    opened: tuple[records.Writer | None, Resumption | None] = (None, None)
    with contextlib.ExitStack() as held:

        def open_run() -> bool:
            nonlocal opened
            opened = _open(held, plan, workdir, _header(plan, asked, dirs, command), allow_config_change, say)
            return opened[0] is None

        if processes.from_first(open_run):
            return True
        writer, resumption = opened
        hooks = Hooks(lambda record: None, progress, stopping, say)
        return _train(plan, workdir, sets, writer, share_resumption(resumption), checkpoint_seconds, debug_nans, hooks)


def _open(
    held: contextlib.ExitStack,
    plan: Plan,
    workdir: Path,
    header: records.Header,
    allow_config_change: bool,
    say: Callable[[str], None],
) -> tuple[records.Writer | None, Resumption | None]:
    """Takes the directory's lock. Returns the records' writer, None where the run is finished, and the resumption."""
    check_workdir(
        workdir, plan.config, allow_config_change, plan.files
    )  # before a lock file is put into a directory of something else
    held.enter_context(locked(workdir))
    held.enter_context(full_disk_named(workdir))
    begun = check_workdir(workdir, plan.config, allow_config_change, plan.files)
    if begun is None:
        return _begin_records(workdir, header, plan.task), None
    labels = [cell.label for cell in plan.cells]
    resumption = find_resumption(workdir, labels, plan.config.seeds, say)
    if begun.finished and set(labels) <= set(resumption.done):
        return None, resumption
    return _continue_records(workdir, header, begun, resumption, say), resumption


def _train(
    plan: Plan,
    workdir: Path,
    sets: Sets,
    writer: records.Writer | None,
    resumption: Resumption | None,
    checkpoint_seconds: float,
    debug_nans: bool,
    hooks: Hooks,
) -> bool:
    """Trains every cell. Only the first of several processes has a writer, and so hooks that record."""
    started = time.perf_counter() - (resumption.seconds if resumption else 0.0)
    config, task = records.to_json(to_mapping(plan.config)), plan.task
    about = trackers.RunInfo(workdir, config, task.metric, task.validation_metric)
    tracked = trackers.start(split_names(plan.config.trackers) if writer else (), about)

    def record(made: records.Record) -> None:
        if writer is not None:
            writer.write(made)
            tracked.record(made)

    def written() -> int:
        return 0 if writer is None else writer.sync()

    hooks = dataclasses.replace(hooks, record=record)
    saving = Saving(workdir, checkpoint_seconds, written, lambda: time.perf_counter() - started, resumption)
    status = "interrupted"
    try:
        for cell in plan.cells:
            if resumption is None or cell.label not in resumption.done:
                train_variant(plan, cell, sets, hooks, saving, debug_nans)
        status = "finished"
        if writer is not None:
            remove_snapshots(workdir)
    except InterruptedRun:
        return False
    finally:
        try:
            if writer is not None:
                with contextlib.closing(writer):
                    writer.write(records.End(status=status, time={"seconds": time.perf_counter() - started}))
                    writer.sync()
        finally:
            tracked.close(status == "finished")
    return True


def _begin_records(workdir: Path, header: records.Header, task: Task) -> records.Writer:
    """Writes the config, what the task took from its data, and the header. Raises UserError where writing fails."""
    try:
        records.write_whole(workdir / CONFIG_FILE, json.dumps(header.config, indent=2) + "\n")
        save_vocabularies(workdir, task.vocabularies)
        save_learned(workdir, task.learned)
        return records.Writer.begin(workdir / records.FILE_NAME, header)
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e


def _continue_records(
    workdir: Path, header: records.Header, begun: records.Run, resumption: Resumption, say: Callable[[str], None]
) -> records.Writer:
    """Truncates the records to where the run resumes. The header keeps its first environment and lists resumptions."""
    say(resumption.describe())
    if others := environment_changes(begun, header.env):
        say(f"warning: not as the run began, so bits may differ: {', '.join(others)}")
    noted = {
        "at": header.time["started"],
        "cell": resumption.label,
        "phase": resumption.phase,
        "step": resumption.snapshot.step if resumption.snapshot else 0,
        "dropped": resumption.dropped,
        **{name: header.env[name] for name in NOTED_ENVIRONMENT},
    }
    env = {**begun.header.env, "resumed": [*begun.header.env.get("resumed", []), noted]}
    new = dataclasses.replace(begun.header, config=header.config, asked=header.asked, warnings=header.warnings, env=env)
    try:
        return records.Writer.resume(workdir / records.FILE_NAME, resumption.keep, new)
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e


def _header(plan: Plan, asked: ExperimentConfig, dirs: DataDirs, command: Sequence[str]) -> records.Header:
    return records.Header(
        config=records.to_json(to_mapping(plan.config)),
        asked=records.to_json(to_mapping(asked)),
        task=plan.task.summary(),
        warnings=plan.warnings,
        files=plan.files,
        env=environment() | {"command": list(command), **dirs.absolute()},
        time={"started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")},
    )
