"""A benchmark's progress: a live line on a terminal, elsewhere a plain line every PLAIN_SECONDS."""

import time
from types import TracebackType

import rich.console
import rich.text

PLAIN_SECONDS = 20.0


class StatusLine:
    """A context manager whose `say` shows what runs now, behind how much of the whole is done."""

    def __init__(self, console: rich.console.Console, parts: int):
        self._console, self._parts, self._done = console, parts, 0
        self._part = ""
        self._status = console.status("")
        self._started = time.monotonic()
        self._last_plain = 0.0

    def __enter__(self) -> "StatusLine":
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._status.stop()

    def begin(self, part: str) -> None:
        self._part = part

    def end(self) -> None:
        self._done += 1

    def show(self, what: str) -> None:
        seconds = time.monotonic() - self._started
        text = f"[{self._done / self._parts:4.0%}] {seconds / 60:.1f} min  {self._part}: {' '.join(what.split())}"
        if self._console.is_terminal:
            self._status.update(rich.text.Text(text))
        elif time.monotonic() - self._last_plain >= PLAIN_SECONDS:
            self._last_plain = time.monotonic()
            print(text, flush=True)
