"""Checks what jax runs on, and the machine's cores, memory and disk."""

import os
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

import jax

from experiments.doctor.findings import Finding, Settings, one_line
from experiments.doctor.packages import INSTALL
from gru_research import native
from gru_research.native.library import SWITCH

GIB = 2**30
LITTLE_MEMORY = 2 * GIB
LITTLE_DISK = GIB


def check(settings: Settings) -> list[Finding]:
    return [*backend(), engine(), cores(), memory(), directory(Path.cwd())]


def backend() -> list[Finding]:
    """Checks jax's devices, and whether it misses a GPU: a silent fallback to the CPU costs days."""
    try:
        devices = jax.devices()
    except RuntimeError as e:
        advice = "unset JAX_PLATFORMS" if os.environ.get("JAX_PLATFORMS") else "install jax for this machine again"
        return [Finding("problem", "backend", f"jax finds no device ({one_line(e)})", advice)]
    name = jax.default_backend()
    found = [Finding("ok", "backend", f"jax {jax.__version__} on {name}: {len(devices)} x {devices[0].device_kind}")]
    if name != "gpu" and (card := nvidia_card()):
        found.append(Finding("warning", "GPU", f"this machine has {card}, but jax runs on {name}", _to_use_a_gpu()))
    return found


def engine() -> Finding:
    """Checks which engine runs recurrent layers. On a CPU, XLA takes twice as long as the native engine."""
    found, missing = native.describe(), native.library().missing
    if missing is None or jax.default_backend() != "cpu":
        return Finding("ok", "engine", found)
    if os.environ.get(SWITCH) == "0":
        return Finding("optional", "engine", found, f"unset {SWITCH}, if that isn't meant")
    return Finding("optional", "engine", found, f"with a C++ compiler (g++ or clang++): {INSTALL} -e .")


def _to_use_a_gpu() -> str:
    if os.environ.get("JAX_PLATFORMS"):
        return f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']} is set: unset it, if that isn't meant"
    plugins = [n for n in ("jax-cuda12-plugin", "jax-cuda13-plugin") if any(metadata.distributions(name=n))]
    if plugins:
        found = ", ".join(f"{n} {metadata.version(n)}" for n in plugins)
        return f"{found} doesn't start: see python -c 'import jax; jax.devices(\"cuda\")'"
    return f"{INSTALL} -e '.[cuda13]' (or cuda12, by the driver: nvidia-smi says which CUDA it has)"


def nvidia_card() -> str | None:
    """Returns the GPU that NVIDIA's driver reports, without jax."""
    if shutil.which("nvidia-smi"):
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.splitlines()[0].partition(" (UUID")[0]
    return "/dev/nvidia0" if Path("/dev/nvidia0").exists() else None


def cores() -> Finding:
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    return Finding("ok", "cores", f"{usable}" + (f" of {total}" if usable != total else ""))


def memory() -> Finding:
    path = Path("/proc/meminfo")
    if not path.exists():
        return Finding("ok", "memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.1f} GiB")
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines())
    available, total = (1024 * int(fields[name].split()[0]) for name in ("MemAvailable", "MemTotal"))
    found = f"{available / GIB:.1f} of {total / GIB:.1f} GiB are free"
    if available < LITTLE_MEMORY:
        return Finding("warning", "memory", found, "smaller batches or fewer seeds need less; other programs may go")
    return Finding("ok", "memory", found)


def directory(folder: Path) -> Finding:
    """Checks that runs can be written below a folder, by writing: permissions don't suffice to know."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as e:
        advice = "give --workdir=DIR, or run where you may write"
        return Finding("problem", "directory", f"{folder} can't be written ({e.strerror})", advice)
    found = f"{folder} can be written, {free / GIB:.1f} GiB are free"
    if free < LITTLE_DISK:
        return Finding("warning", "directory", found, "give --workdir=DIR on a disk with more space")
    return Finding("ok", "directory", found)
