"""Whether other processes took the cores while something was timed, by what Linux counts of cores and processes."""

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path

from gru_research.config import UserError

PROC = Path("/proc")
MOST_SHARE = 0.03
"""Of our cores' time; what others may take of it unnoticed."""
SLACK_TICKS = 2
"""Times are counted in ticks of a hundredth of a second, cores' and processes' apart."""
_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclasses.dataclass(frozen=True)
class CpuUsage:
    """Seconds so far: of the clock, of work on this process's `cores`, and of that what our processes did."""

    wall: float
    busy: float
    own: float
    cores: int


def read(processes: Sequence[int]) -> CpuUsage:
    """The counters now; this process counts as ours, and so do `processes`. Work of the machine's other guests on our
    cores (`steal`) counts as work of others."""
    cores = sorted(os.sched_getaffinity(0))
    own = sum(_process_ticks(pid) for pid in (os.getpid(), *processes))
    busy = sum(_core_ticks(cores).values())
    return CpuUsage(time.perf_counter(), busy * _tick(), own * _tick(), len(cores))


def disturbed(before: CpuUsage, after: CpuUsage) -> bool:
    """Whether others took more of the cores between two readings than goes unnoticed."""
    others = (after.busy - before.busy) - (after.own - before.own)
    return others > MOST_SHARE * after.cores * (after.wall - before.wall) + SLACK_TICKS * _tick()


def check() -> None:
    """Raises UserError where the system doesn't count this."""
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
    """Of all threads of a process, those that ended included; 0 where it is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()  # a name in brackets comes before, with any characters
    return int(fields[11]) + int(fields[12])


def _tick() -> float:
    return 1 / os.sysconf("SC_CLK_TCK")
