"""Detects whether other processes used the cores while something was timed, from Linux's counters."""

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

from gru_research.config import UserError

PROC = Path("/proc")
MOST_SHARE = 0.03
"""The share of our cores' time that others may use without disturbing a round."""
SLACK_TICKS = 2
"""Tolerance: Linux counts in ticks of 1/100 s, and cores and processes separately."""
_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclasses.dataclass(frozen=True)
class CpuUsage:
    """Seconds so far: wall time, work on this process's `cores`, and the part of it done by our processes."""

    wall: float
    busy: float
    own: float
    cores: int


def read(processes: Sequence[int]) -> CpuUsage:
    """Reads the counters. Our processes are this one and `processes`. Time that a hypervisor's other guests used on our
    cores (`steal`) counts as work of others."""
    cores = sorted(os.sched_getaffinity(0))
    own = sum(_process_ticks(pid) for pid in (os.getpid(), *processes))
    busy = sum(_core_ticks(cores).values())
    return CpuUsage(time.perf_counter(), busy * _tick(), own * _tick(), len(cores))


def disturbed(before: CpuUsage, after: CpuUsage) -> bool:
    """Returns whether others used more than MOST_SHARE of the cores between two readings."""
    others = (after.busy - before.busy) - (after.own - before.own)
    return others > MOST_SHARE * after.cores * (after.wall - before.wall) + SLACK_TICKS * _tick()


def check() -> None:
    """Raises UserError if the system has no such counters."""
    if not (PROC / "stat").exists() or not hasattr(os, "sched_getaffinity"):
        raise UserError("--exclusive needs Linux's /proc/stat, which says what else took the cores")


def _core_ticks(cores: Sequence[int]) -> dict[int, int]:
    found = {}
    for line in (PROC / "stat").read_text(encoding="ascii").splitlines():
        name, *counts = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            ticks = dict(zip(_FIELDS, map(int, counts), strict=False))
            found[int(name[3:])] = sum(ticks[field] for field in _BUSY)
    return found


def _process_ticks(pid: int) -> int:
    """Returns the ticks of all threads of a process, ended ones included; 0 if the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()  # before comes the name in brackets, which may contain anything
    return int(fields[11]) + int(fields[12])


def _tick() -> float:
    return 1 / os.sysconf("SC_CLK_TCK")
