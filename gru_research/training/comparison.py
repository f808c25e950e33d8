"""A whole comparison into one directory: the header, every cell in turn, and how it ended."""

import datetime
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from gru_research import records
from gru_research.config import ExperimentConfig, UserError, to_mapping
from gru_research.data import DataDirs

from .cell import train_cell
from .loop import Hooks, InterruptedRun, Progress, Sets
from .pace import is_open, settle
from .plan import Plan, make_plan

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "tensorflow-datasets", "ml_collections")
CONFIG_FILE = "config.json"


def prepare_comparison(
    config: ExperimentConfig, dirs: DataDirs, say: Callable[[str], None] = lambda line: None
) -> tuple[Plan, Sets]:
    """The plan with everything settled, also what has to be measured first, and the data.

    Raises:
      UserError: the config has a mistake, or the data can't be had.
    """
    plan = make_plan(config, dirs)
    sets = load_sets(plan, dirs)
    if is_open(config):
        plan = make_plan(settle(config, dirs, sets, say), dirs)
    return plan, sets


def load_sets(plan: Plan, dirs: DataDirs) -> Sets:
    """The data of the plan's task. Raises UserError where they can't be had, or hold fewer examples than a batch."""
    sets = plan.task.data.load(dirs)
    train_size = len(next(iter(sets["train"].values()))) if "train" in sets else None
    if train_size is not None and plan.config.batch_size > train_size:
        raise UserError(f"config.batch_size={plan.config.batch_size} must be at most {train_size}, the training set")
    return sets


def run_comparison(
    plan: Plan,
    workdir: Path,
    dirs: DataDirs = DataDirs(),
    *,
    sets: Sets | None = None,
    asked: ExperimentConfig | None = None,
    command: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda progress: None,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Trains every cell of the plan and writes `config.json`, `records.jsonl` and `checkpoints/`.

    `sets` are the data where they are loaded already; `asked` is the config before anything of it was measured.

    Returns:
      Whether it ran to its end; False after `stopping()` said stop, with all there was on record.

    Raises:
      UserError: as `load_sets` (before anything is written), and the directory can't be written or holds a run.
    """
    sets = load_sets(plan, dirs) if sets is None else sets
    writer = open_run(plan, workdir, asked or plan.config, command)
    hooks = Hooks(writer.write, progress, stopping)
    started = time.perf_counter()
    status = "interrupted"
    try:
        for cell in plan.cells:
            train_cell(plan, cell, sets, hooks, workdir)
        status = "finished"
    except InterruptedRun:
        return False
    finally:
        writer.write("end", status=status, time={"seconds": time.perf_counter() - started})
        writer.close()
    return True


def open_run(plan: Plan, workdir: Path, asked: ExperimentConfig, command: Sequence[str]) -> records.Writer:
    """Makes the directory and writes the config and the header. Raises UserError where that can't be."""
    config = records.to_json(to_mapping(plan.config))
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        writer = records.Writer(workdir / records.FILE_NAME)
        (workdir / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    except FileExistsError as e:
        raise UserError(f"workdir={str(workdir)!r} holds a run or is a file: choose another") from e
    except OSError as e:
        raise UserError(f"workdir={str(workdir)!r} can't be written: {e.strerror}") from e
    writer.write(
        "run",
        config=config,
        asked=records.to_json(to_mapping(asked)),
        task=plan.task.summary(),
        warnings=list(plan.warnings),
        env=environment() | {"command": list(command)},
        time={"started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")},
    )
    return writer


def environment() -> dict[str, Any]:
    """What a run ran on: backend, devices, versions, git commit."""
    return {
        "backend": jax.default_backend(),
        "devices": [f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": None if (status := _git("status", "--porcelain")) is None else bool(status),
    }


def _git(*arguments: str) -> str | None:
    """What git says of the checkout that this file lies in; None without git or outside a checkout."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
