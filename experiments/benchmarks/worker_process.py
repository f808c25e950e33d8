"""The parent's side of a worker process: starts it, sends requests and ends it."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.benchmarks.cases import BenchmarkCase

CHECKOUT = Path(__file__).parents[2]
LONGEST_ANSWER = 900.0  # seconds
KEEP_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "2000000000"}
"""Makes glibc serve large arrays from the heap and keep freed memory: the next call reuses its pages."""


class WorkerFailedError(Exception):
    """A worker failed: `status` is "not installed", "not offered" or "failed"."""

    def __init__(self, status: str, reason: str):
        super().__init__(f"{status}: {reason}" if reason else status)
        self.status, self.reason = status, reason


class WorkerProcess:
    """A context manager that runs a worker process. `about` is the worker's description of itself.

    Entering and `ask` raise WorkerFailedError if the worker reports an error, crashes or hangs.
    """

    about: dict[str, Any]
    baseline_bytes: int
    pid: int

    def __init__(self, case: BenchmarkCase, log: Path):
        self._case, self._log = case, log

    def __enter__(self) -> "WorkerProcess":
        env = os.environ | {"JAX_PLATFORMS": "cuda" if self._case.platform == "gpu" else "cpu"}
        # Several processes share the accelerator: none may take its memory for itself.
        env |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        command = [sys.executable, "-m", "experiments.benchmarks.worker", *self._case.to_flags()]
        self._stderr = self._log.open("wb")
        interrupts: list[int] = []
        # Ctrl-C waits for the `try` below: before it nobody would end the worker. A blocked signal would not
        # wait: another thread of this process takes it, and the main thread raises KeyboardInterrupt all the same.
        handler = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
        try:
            self._process = subprocess.Popen(
                command, cwd=CHECKOUT, env=env, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._stderr, start_new_session=True,  # Ctrl-C is the parent's to handle
            )  # fmt: skip
        except BaseException:
            signal.signal(signal.SIGINT, handler)
            raise
        self.pid = self._process.pid
        try:
            signal.signal(signal.SIGINT, handler)
            if interrupts:
                raise KeyboardInterrupt
            greeting = self._answer()
        except BaseException:
            self._end()
            raise
        self.about, self.baseline_bytes = greeting["about"], greeting["baseline_bytes"]
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Sends a request and returns the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError as e:
            raise self._failure() from e
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], LONGEST_ANSWER)[0]:
            raise WorkerFailedError("failed", f"no answer in {LONGEST_ANSWER:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        answer: Mapping[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerFailedError(answer["status"], answer["error"])
        return dict(answer)

    def _failure(self) -> WorkerFailedError:
        code = self._process.wait()
        how = f"ended by signal {-code}" if code < 0 else f"ended with status {code}"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return WorkerFailedError("failed", f"{how}: {lines[-1].strip()}" if lines else how)

    def _end(self) -> None:
        self._process.kill()  # it has nothing to clean up
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            assert stream is not None
            stream.close()
        if not self._log.stat().st_size:
            self._log.unlink()
