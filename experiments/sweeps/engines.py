"""The engines that run workers: submitit on this machine or on Slurm, and Ray, behind one interface."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gru_research.config import UserError, choose

from .search_space import Sweep

ENGINES = {"local": ("cluster", "submitit"), "slurm": ("cluster", "submitit"), "ray": ("ray", "ray")}
"""By name: the extra that installs the engine, and the module whose presence shows that it is installed."""


class Workers(Protocol):
    """The started workers of a sweep."""

    def running(self) -> int:
        """Returns how many workers haven't ended, queued ones included."""
        ...

    def waiting(self) -> list[str]:
        """Returns a line for each reason why workers haven't begun."""
        ...

    def problems(self) -> list[str]:
        """Returns a line for each worker that ended with an error."""
        ...

    def stop(self) -> None:
        """Asks all workers to release their trials and end; returns when they have, or after a timeout."""
        ...


def check_installed(engine: str) -> None:
    """Raises UserError if the engine doesn't exist or isn't installed."""
    extra, module = ENGINES[choose("--engine", engine, ENGINES)]
    for name in ("optuna", module):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"--engine={engine} needs the extra {extra}: pip install 'gru_research[{extra}]'")


def start(engine: str, sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> Workers:
    """Starts workers. Only the module of the chosen engine is imported.

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
