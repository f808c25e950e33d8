"""What this process takes of the machine, and what the machine has: memory and time. Bytes and seconds throughout.

What only Linux tells is None elsewhere.
"""

import os
import re
from pathlib import Path

import jax

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""What a container may take, in the second and the first version of control groups."""


def has_own_memory() -> bool:
    """Whether devices have memory of their own; a CPU's devices share the process's."""
    return jax.devices()[0].platform != "cpu"


def memory_limit() -> int | None:
    """What a device has; on a CPU what the process may take: what is free, what can be freed, and what it has."""
    if has_own_memory():
        return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    available = _kib(Path("/proc/meminfo"), "MemAvailable")
    resident = resident_memory()
    if available is None or resident is None:
        return None
    limits = [int(text) for path in CGROUP_LIMITS if (text := _read(path).strip()).isdigit()]
    return min([available + resident, *limits])


def resident_memory() -> int | None:
    """What the process has in memory now."""
    return _kib(Path("/proc/self/status"), "VmRSS")


def peak_memory() -> int | None:
    """The most so far: on a device of its own memory, else of the process since `forget_peak`."""
    if has_own_memory():
        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return _kib(Path("/proc/self/status"), "VmHWM")


def forget_peak() -> None:
    """Starts the process's peak anew, where the system lets us."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def seconds_since_start() -> float | None:
    """Since the process was started: what importing and loading took so far."""
    fields = _read(Path("/proc/self/stat")).rpartition(")")[2].split()
    uptime = _read(Path("/proc/uptime")).split()
    if not fields or not uptime:
        return None
    return float(uptime[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def load_average() -> float | None:
    """How many processes wanted a core over the last minute, ours among them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _kib(path: Path, field: str) -> int | None:
    found = re.search(rf"^{field}:\s*(\d+) kB", _read(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
