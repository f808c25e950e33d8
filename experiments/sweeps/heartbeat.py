"""Signs of life: a counter that a worker goes on writing, and a watch that notices where one stands still.

A watcher compares a counter with what itself saw before, by its own clock: clocks of several machines needn't agree.
"""

import itertools
import threading
import time
from pathlib import Path
from types import TracebackType


class Heartbeat:
    """Beats while the block runs: writes a growing number to `path` every `seconds`."""

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
    """Since when each counter stands still, as far as this watcher saw."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[str, float]] = {}

    def seconds_unchanged(self, path: Path) -> float:
        """Seconds since `path` was seen to change; no file is a counter that stands still."""
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
