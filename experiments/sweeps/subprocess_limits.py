"""Runs a command as a subprocess with a log and limits of time and memory, and describes how it ended."""

import dataclasses
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .exec_guard import guarded

POLL_SECONDS = 0.5
TERM_SECONDS = 20.0  # between SIGTERM and SIGKILL; Slurm gives a cancelled job 30 s
KIB_PER_GB = 1e9 / 1024


@dataclasses.dataclass(frozen=True)
class ProcessEnd:
    """How a command ended.

    Attributes:
      why: "exit", "time", "memory", or the word that `monitor` returned.
      status: the exit status as a shell gives it: 0 success, 128 + n after signal n.
      seconds: wall time.
      peak_gb: peak resident memory, 0 where the system doesn't report it.
    """

    why: str
    status: int
    seconds: float
    peak_gb: float


def run(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str],
    minutes: float,
    memory_gb: float,
    cores: Sequence[int] = (),
    monitor: Callable[[], str] = lambda: "",
) -> ProcessEnd:
    """Runs `command` until it ends, exceeds a limit (0: none) or `monitor()` returns a word. Its output goes to `log`.

    The process also ends when an exception leaves this function, and when this process dies.
    """
    started, why, peak = time.monotonic(), "", 0.0
    with log.open("ab") as file:
        # A session of its own: the launcher handles Ctrl-C and stops its workers in order.
        process = subprocess.Popen(
            guarded(command, cores), stdout=file, stderr=file, env=dict(env), start_new_session=True
        )
    try:
        while not why:
            try:
                process.wait(POLL_SECONDS)
                why = "exit"
            except subprocess.TimeoutExpired:
                peak = max(peak, peak_memory_gb(process.pid))
                why = monitor()
            if why:
                break
            if minutes and time.monotonic() - started > 60 * minutes:
                why = "time"
            elif memory_gb and peak > memory_gb:
                why = "memory"
    finally:
        stop(process)
    code = process.returncode
    return ProcessEnd(why, 128 - code if code < 0 else code, time.monotonic() - started, peak)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Sends SIGTERM, so that the process can save a checkpoint, and later SIGKILL."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(TERM_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def peak_memory_gb(pid: int) -> float:
    """Returns a process's peak resident memory. Linux records it, so no peak between two polls is missed."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / KIB_PER_GB if found else 0.0


def last_line(log: Path) -> str:
    """Returns the last line of a log that isn't empty; "" where there is none."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def status_text(status: int) -> str:
    """Describes an exit status in words."""
    names = {member.value: member.name for member in signal.Signals}
    return f"ended by {names[status - 128]}" if status - 128 in names else f"exit status {status}"
