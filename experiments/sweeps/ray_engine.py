"""Runs workers as Ray tasks, on this machine or on a running cluster that shares the sweep's directory.

Ray restarts a dead worker; meanwhile the others take over its trial.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray  # pyright: ignore[reportMissingImports]
from ray.exceptions import RayError  # pyright: ignore[reportMissingImports]

from gru_research.config import UserError

from . import subprocess_limits
from .search_space import Sweep
from .worker import work

RESTARTS = 3
STOP_SECONDS = subprocess_limits.TERM_SECONDS + 15


class RayWorkers:
    """Workers that are Ray tasks."""

    def __init__(self, references: Sequence[Any]):
        self._open, self._problems = list(references), []

    def running(self) -> int:
        done, self._open = ray.wait(self._open, num_returns=len(self._open), timeout=0) if self._open else ([], [])
        for reference in done:
            try:
                ray.get(reference)
            except RayError as e:
                self._problems.append(f"a worker ended early: {type(e).__name__}: {' '.join(str(e).split())[:300]}")
        if not self._open and ray.is_initialized():
            ray.shutdown()
        return len(self._open)

    def problems(self) -> list[str]:
        return list(self._problems)

    def stop(self) -> None:
        for reference in self._open:
            ray.cancel(reference)  # KeyboardInterrupt within the worker
        if self._open:
            ray.wait(self._open, num_returns=len(self._open), timeout=STOP_SECONDS)
        ray.shutdown()
        self._open = []


def start(sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> RayWorkers:
    """Starts Ray here, or joins the cluster at `sweep.ray.address`. Raises UserError if that can't be reached."""
    limits = sweep.limits
    if sweep.ray.address:
        where: dict[str, Any] = {"address": sweep.ray.address}
    else:
        # What the workers ask for, whatever the machine has, so that all of them run side by side.
        resources = {"num_cpus": workers * max(1, limits.cpus), "num_gpus": workers * limits.gpus}
        where = {"address": "local", "include_dashboard": False, **resources}  # even where RAY_ADDRESS names a cluster
    try:
        ray.init(log_to_driver=False, configure_logging=False, **where)
    except (ConnectionError, ValueError) as e:
        raise UserError(f"--engine=ray: no Ray at sweep.ray.address={sweep.ray.address!r}: {e}") from e
    task: Any = ray.remote(num_cpus=max(1, limits.cpus), num_gpus=limits.gpus, max_retries=RESTARTS)(work)
    return RayWorkers([task.remote(str(workdir), index, tuple(program)) for index in range(workers)])
