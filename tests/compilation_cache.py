"""Keeps compiled programs between test runs, in a folder of the virtual environment.

Most of the tests' time was compiling programs that other tests, launchers and earlier runs compile too. Each
combination of jaxlib, Python and processor has a folder. JAX's cache keys cover the program, its options and XLA_FLAGS.

JAX can bound such a folder (`jax_compilation_cache_max_size`), but lists all entries under a lock at each write. So the
folder is bounded once, before the tests start.
"""

import atexit
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

LIMIT = 2 << 30
"""The most bytes of all versions' entries. Beyond it, the least recently read entries are deleted."""
CHECKED = "checked"


def root() -> Path | None:
    """Returns the folder of all versions' programs; None outside a virtual environment or if it isn't writable."""
    environment = Path(sys.prefix)
    if sys.prefix == sys.base_prefix or not os.access(environment, os.W_OK):
        return None
    return environment / ".jax-cache"


def use() -> None:
    """Makes this process and its children cache every program. Must be called before JAX is imported."""
    kept = root()
    if kept is None:
        folder = tempfile.mkdtemp(prefix="gru_research-tests-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        folder = str(kept / version())
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def version() -> str:
    """Returns what a program depends on besides JAX's key: code compiled for one processor may fail on another."""
    processor = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:  # not Linux
        pass
    features = hashlib.sha256(processor.encode()).hexdigest()[:8]
    return f"jaxlib-{metadata.version('jaxlib')}-python-{platform.python_version()}-{features}"


def clean(folder: Path | None = None, limit: int = LIMIT) -> None:
    """Deletes damaged entries written since the last call, then the least recently read ones beyond `limit` bytes.

    A process that was killed while it wrote leaves half an entry, which JAX never replaces.

    Args:
      folder: the folder of all versions' programs; by default `root()`, if the programs are kept there.
      limit: bytes of all entries together.
    """
    from jax._src.compilation_cache import decompress_executable

    if folder is None:
        folder = root()
        if folder is None or Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).parent != folder:
            return
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / CHECKED
    checked = stamp.stat().st_mtime if stamp.exists() else 0.0
    stamp.touch()  # before entries are read: entries written meanwhile are checked next time
    entries: list[tuple[float, int, Path]] = []
    for path in folder.rglob("*-cache"):
        try:
            found = path.stat()
            if found.st_mtime >= checked:
                decompress_executable(path.read_bytes())
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))  # a check doesn't count as a use
        except FileNotFoundError:  # another test run deleted it
            continue
        except Exception:  # compression libraries raise different exceptions
            path.unlink(missing_ok=True)
            continue
        entries.append((found.st_atime, found.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            break
        path.unlink(missing_ok=True)
        total -= size
