"""Heartbeats: a counter that a worker keeps writing to a file, and a monitor that notices when it stops changing.

A monitor measures with its own clock since it last saw a change, so the clocks of several machines needn't agree.
"""

import itertools
import threading
import time
from pathlib import Path
from types import TracebackType


class Heartbeat:
    """A context manager that writes a growing number to `path` every `seconds`, and removes the file at its end."""

    def __init__(self, path: Path, seconds: float):
        self._path, self._seconds = path, seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        for count in itertools.count():
            self._path.write_text(str(count), encoding="utf-8")
            if self._over.wait(self._seconds):
                return


class HeartbeatMonitor:
    """Measures for how long heartbeat files haven't changed, as seen by this process."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[str, float]] = {}

    def seconds_unchanged(self, path: Path) -> float:
        """Returns the seconds since `path` last changed. A missing file counts as unchanged."""
        try:
            count = path.read_text(encoding="utf-8")
        except OSError:
            count = ""
        now = time.monotonic()
        before, since = self._seen.get(path, (None, now))
        if before != count:
            since = now
        self._seen[path] = (count, since)
        return now - since
