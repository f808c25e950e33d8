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
from gru_research.config import UserError, to_mapping
from gru_research.data import DataDirs

from .loop import Hooks, InterruptedRun, Progress, train_cell
from .plan import Plan
from .seeds import make_seed_axis

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "tensorflow-datasets", "ml_collections")
CONFIG_FILE = "config.json"


def run_comparison(
    plan: Plan,
    workdir: Path,
    dirs: DataDirs,
    *,
    command: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda progress: None,
    stopping: Callable[[], bool] = lambda: False,
) -> bool:
    """Trains every cell of the plan and writes `config.json`, `records.jsonl` and `checkpoints/`.

    Returns:
      Whether it ran to its end; False after `stopping()` said stop, with all there was on record.

    Raises:
      UserError: the data can't be had (before anything is written), or the directory can't be written
        or holds a run.
    """
    sets = plan.task.data.load(dirs)
    train_size = len(next(iter(sets["train"].values()))) if "train" in sets else None
    if train_size is not None and plan.config.batch_size > train_size:
        raise UserError(f"config.batch_size={plan.config.batch_size} must be at most {train_size}, the training set")
    axis = make_seed_axis(plan.seeds)
    writer = open_run(plan, workdir, command)
    hooks = Hooks(writer.write, progress, stopping)
    started = time.perf_counter()
    status = "interrupted"
    try:
        for cell in plan.cells:
            train_cell(plan, cell, sets, axis, hooks, workdir)
        status = "finished"
    except InterruptedRun:
        return False
    finally:
        writer.write("end", status=status, time={"seconds": time.perf_counter() - started})
        writer.close()
    return True


def open_run(plan: Plan, workdir: Path, command: Sequence[str]) -> records.Writer:
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
