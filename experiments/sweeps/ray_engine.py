"""Runs workers as Ray tasks, on this machine or on a running cluster that shares the sweep's directory.

Ray restarts a dead worker; meanwhile the others take over its trial.
"""

import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray  # pyright: ignore[reportMissingImports]
from ray.exceptions import RayError  # pyright: ignore[reportMissingImports]

from gru_research.config import UserError

from . import subprocess_limits
from .search_space import Sweep
from .worker import work

RESTARTS = 3
CONNECT_SECONDS = 5.0
GONE_SECONDS = 20.0  # a busy head may miss a connection
STOP_SECONDS = subprocess_limits.TERM_SECONDS + 15


class RayWorkers:
    """Workers that are Ray tasks."""

    def __init__(self, references: Sequence[Any], address: tuple[str, int] | None, wanted: Mapping[str, float]):
        self._open, self._problems = list(references), []
        self._address, self._wanted = address, wanted
        self._silent_since: float | None = None

    def running(self) -> int:
        if self._open and self._address and (reason := _unreachable(self._address)):
            return self._unanswered(reason)
        self._silent_since = None
        done, self._open = ray.wait(self._open, num_returns=len(self._open), timeout=0) if self._open else ([], [])
        for reference in done:
            try:
                ray.get(reference)
            except RayError as e:
                self._problems.append(f"a worker ended early: {type(e).__name__}: {' '.join(str(e).split())[:300]}")
        if not self._open and ray.is_initialized():
            ray.shutdown()
        return len(self._open)

    def _unanswered(self, reason: str) -> int:
        """Returns how many workers count as running while Ray's head can't be reached: none after `GONE_SECONDS`. Ray
        itself ends this process about a minute after its head has gone, without a report."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= GONE_SECONDS:
            self._problems.append(f"Ray at {_text(self._address)} is gone ({reason}); its workers' trials are left")
            self._open = []
        return len(self._open)

    def waiting(self) -> list[str]:
        if self._silent_since is not None or not ray.is_initialized():
            return []
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= count for name, count in self._wanted.items()) for node in nodes):
            return []
        asked = ", ".join(f"{count:g} {name}" for name, count in self._wanted.items() if count)
        return [f"no node of Ray has {asked}, which each worker needs: workers wait until one joins"]

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
    address = _host_and_port(sweep.ray.address)
    if address and (reason := _unreachable(address)):  # Ray itself tries for many minutes
        raise UserError(f"--engine=ray: no Ray at sweep.ray.address={sweep.ray.address!r}: {reason}")
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
    references = [task.remote(str(workdir), index, tuple(program)) for index in range(workers)]
    return RayWorkers(references, address, {"CPU": max(1, limits.cpus), "GPU": limits.gpus})


def _host_and_port(address: str) -> tuple[str, int] | None:
    """Returns where HOST:PORT or ray://HOST:PORT listens; None for other addresses, such as "auto"."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else None


def _unreachable(address: tuple[str, int]) -> str:
    """Returns why nothing accepts connections there; "" if something does."""
    try:
        with socket.create_connection(address, CONNECT_SECONDS):
            return ""
    except OSError as e:
        return str(e)


def _text(address: tuple[str, int] | None) -> str:
    return "" if address is None else f"{address[0]}:{address[1]}"
