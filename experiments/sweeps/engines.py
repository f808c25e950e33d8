"""Where workers run: this machine or Slurm, both by submitit, or Ray. One small interface in front of them."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gru_research.config import UserError, choose

from .search_space import Sweep

ENGINES = {"local": ("cluster", "submitit"), "slurm": ("cluster", "submitit"), "ray": ("ray", "ray")}
"""By name: the extra that installs it, and the module that shows whether it is there."""


class Workers(Protocol):
    """Workers that were started."""

    def running(self) -> int:
        """How many haven't ended; those that wait in a cluster's queue count."""
        ...

    def problems(self) -> list[str]:
        """A line for each worker that ended by an error."""
        ...

    def stop(self) -> None:
        """Asks all to put their trials back and to end; returns when they have, or after a while."""
        ...


def check_installed(engine: str) -> None:
    """Raises UserError where the engine doesn't exist or isn't installed."""
    extra, module = ENGINES[choose("--engine", engine, ENGINES)]
    for name in ("optuna", module):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"--engine={engine} needs the extra {extra}: pip install 'gru_research[{extra}]'")


def start(engine: str, sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> Workers:
    """Starts workers. The engine's own module, and what it imports, is loaded only where it is used.

    Raises:
      UserError: the engine can't be reached from here.
    """
    if engine == "ray":
        from . import ray_engine

        return ray_engine.start(sweep, workdir, workers, program)
    from . import submitit_engine

    if engine == "slurm":
        return submitit_engine.start_slurm(sweep, workdir, workers, program)
    return submitit_engine.start_local(sweep, workdir, workers, program)
