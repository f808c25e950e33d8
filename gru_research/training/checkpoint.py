"""Parameters on disk, by orbax."""

from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

FOLDER = "checkpoints"


def save_parameters(workdir: Path, label: str, seeds: tuple[int, ...], params: Any) -> Path:
    """Writes the parameters of all seeds of a cell to `workdir/checkpoints/label`.

    Every array of `params` has a leading seed axis `[S, ...]`, in the order of `seeds`.
    """
    path = (workdir / FOLDER / label).absolute()  # orbax fails in the background with relative ones
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, {"params": params, "seeds": list(seeds)})
    return path


def load_parameters(workdir: Path, label: str) -> dict[str, Any]:
    """`{"params", "seeds"}` as numpy arrays, as `save_parameters` wrote them."""
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore((workdir / FOLDER / label).absolute())
