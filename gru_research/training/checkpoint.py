"""Checkpoints on disk, by orbax: the final parameters of a cell, and snapshots of its training.

`checkpoints/LABEL` holds a finished cell's parameters. `checkpoints/_unfinished/LABEL/PHASE/STEP` is a snapshot from
which training resumes. The newest two are kept, and all are removed when the cell is finished. A snapshot's arrays
have check sums: without them a truncated or missing file would be read as zeros.
"""

import dataclasses
import shutil
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from . import processes

FOLDER = "checkpoints"
UNFINISHED = "_unfinished"
"""The folder of snapshots. No cell's label begins with an underscore."""
KEPT = 2
"""The number of snapshots kept in a phase: if the newest is damaged, the one before it is used."""


def save_parameters(workdir: Path, label: str, seeds: tuple[int, ...], params: Any, best: Any) -> Path:
    """Writes the parameters of all seeds of a cell to `workdir/checkpoints/label`, and overwrites earlier ones.

    `params` are the tested parameters; `best` had the best validation metric. Every array has a leading seed axis
    `[S, ...]`, in the order of `seeds`.
    """
    path = (workdir / FOLDER / label).absolute()  # orbax fails in the background with relative paths
    with ocp.StandardCheckpointer(multiprocessing_options=_first_alone()) as checkpointer:
        checkpointer.save(path, {"params": params, "best": best, "seeds": list(seeds)}, force=True)
    return path


def _first_alone() -> ocp.options.MultiprocessingOptions:
    """Returns options by which only the first of several processes writes, without waiting for the others."""
    active = None if processes.alone() else {0}
    return ocp.options.MultiprocessingOptions(
        active_processes=active, barrier_sync_key_prefix="first" if active else None
    )


def load_parameters(workdir: Path, label: str) -> dict[str, Any]:
    """Returns what `save_parameters` wrote: `{"params", "best", "seeds"}` as NumPy arrays."""
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore((workdir / FOLDER / label).absolute())


def unfinished(workdir: Path, label: str) -> Path:
    """Returns the folder of a cell's snapshots, which has one folder for each phase."""
    return (workdir / FOLDER / UNFINISHED / label).absolute()


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A snapshot that was read back.

    Attributes:
      step: the number of updates done.
      arrays: numpy arrays by name, in nested dicts.
      note: plain JSON that was saved with them.
    """

    step: int
    arrays: Mapping[str, Any]
    note: Mapping[str, Any]


class Checkpoints:
    """Writes snapshots of one phase of one cell in the background, at most one every `every_seconds`.

    Args:
      folder: the folder of the snapshots; made with the first one.
      every_seconds: the least time between snapshots; 0 takes one at every opportunity.
      note: returns plain JSON to save with each snapshot.
    """

    def __init__(self, folder: Path, every_seconds: float, note: Callable[[], Mapping[str, Any]]):
        self._folder, self._every, self._note = folder, every_seconds, note
        self._manager: ocp.CheckpointManager | None = None
        self._last, self._last_step = time.monotonic(), -1

    def due(self) -> bool:
        return time.monotonic() - self._last >= self._every

    def save(self, step: int, arrays: Mapping[str, Any]) -> None:
        """Starts writing a snapshot in the first process. Raises the error of the previous snapshot, if any."""
        self._last = time.monotonic()
        if step == self._last_step or not processes.is_first():
            return
        if self._manager is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(
                self._folder,
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=KEPT, create=False, cleanup_tmp_directories=True, multiprocessing_options=_first_alone()
                ),
            )
        note = {**self._note(), "checks": checks(arrays)}
        self._manager.save(
            step, args=ocp.args.Composite(arrays=ocp.args.StandardSave(arrays), note=ocp.args.JsonSave(note))
        )
        self._last_step = step

    def close(self) -> None:
        """Waits until all snapshots are on disk."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None


def newest_whole(
    folder: Path, usable: Callable[[Mapping[str, Any]], bool], say: Callable[[str], None]
) -> Snapshot | None:
    """Returns the newest snapshot that is undamaged and has a `usable` note; None where there is none.

    Removes newer snapshots, since orbax doesn't overwrite a step, and calls `say` for each.
    """
    if not folder.is_dir():
        return None
    for step in sorted((int(path.name) for path in folder.iterdir() if path.name.isdigit()), reverse=True):
        try:
            found = _read(folder, step)
            if usable(found.note):
                return found
            reason = "the records end before it"
        except Exception as e:  # orbax and tensorstore raise many kinds for damaged files
            reason = f"it is damaged ({' '.join(str(e).split())[:100] or type(e).__name__})"
        say(f"the snapshot of step {step} in {folder} is left out: {reason}")
        shutil.rmtree(folder / str(step))
    return None


def read_newest(folder: Path) -> Snapshot | None:
    """Returns the newest undamaged snapshot, or None, and doesn't change the folder."""
    steps = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    for step in sorted(steps, reverse=True):
        try:
            return _read(folder, step)
        except Exception:  # orbax and tensorstore raise many kinds for damaged files
            continue
    return None


def _read(folder: Path, step: int) -> Snapshot:
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler(), multiprocessing_options=_first_alone()) as checkpointer:
        read = checkpointer.restore(
            folder / str(step), args=ocp.args.Composite(arrays=ocp.args.StandardRestore(), note=ocp.args.JsonRestore())
        )
    note = dict(read.note)
    if checks(read.arrays) != note.pop("checks", None):
        raise ValueError("its arrays don't have the check sums that were noted")
    return Snapshot(step, read.arrays, note)


def checks(arrays: Any) -> dict[str, str]:
    """Returns shape, type and check sum of every array of a tree, by path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(arrays)
    found = {}
    for path, leaf in leaves:
        array = np.ascontiguousarray(leaf)
        check = zlib.crc32(array.tobytes())
        found[jax.tree_util.keystr(path)] = f"{np.shape(leaf)} {array.dtype} {check:08x}"
    return found
