"""Measures memory and time of this process and of the machine, in bytes and seconds.

Values that only Linux provides are None on other systems.
"""

import os
import re
from pathlib import Path

import jax

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""The files with a container's memory limit, for versions 2 and 1 of control groups."""


def has_own_memory() -> bool:
    """Whether devices have their own memory; CPU devices share the process's memory."""
    return jax.devices()[0].platform != "cpu"


def memory_limit() -> int | None:
    """Returns a device's memory; on a CPU the process's own and the available memory, within a container's limit."""
    if has_own_memory():
        return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    available = _kib(Path("/proc/meminfo"), "MemAvailable")
    resident = resident_memory()
    if available is None or resident is None:
        return None
    limits = [int(text) for path in CGROUP_LIMITS if (text := _read(path).strip()).isdigit()]
    return min([available + resident, *limits])


def resident_memory() -> int | None:
    """Returns the process's current resident memory."""
    return _kib(Path("/proc/self/status"), "VmRSS")


def peak_memory() -> int | None:
    """Returns the peak so far of a device's own memory, or else of the process's since `forget_peak`."""
    if has_own_memory():
        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return _kib(Path("/proc/self/status"), "VmHWM")


def forget_peak() -> None:
    """Resets the process's peak where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def seconds_since_start() -> float | None:
    """Returns the time since the process started, which includes imports and loading."""
    fields = _read(Path("/proc/self/stat")).rpartition(")")[2].split()
    uptime = _read(Path("/proc/uptime")).split()
    if not fields or not uptime:
        return None
    return float(uptime[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def load_average() -> float | None:
    """Returns the mean number of running or waiting processes over the last minute, this one included."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _kib(path: Path, field: str) -> int | None:
    found = re.search(rf"^{field}:\s*(\d+) kB", _read(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
