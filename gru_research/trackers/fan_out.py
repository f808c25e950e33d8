"""Passes records to all trackers of a run. A failing tracker is turned off with a warning; the run continues."""

import sys
import threading
from collections.abc import Callable, Mapping

from gru_research.records import Record

from .base import RunInfo, Tracker
from .points import point_of

CLOSING_SECONDS = 60.0
"""The longest wait at the end for a tracker that is still sending, for example without a network."""


class Trackers:
    """Starts the trackers `chosen` and passes records to each until it fails or `close` is called."""

    def __init__(self, chosen: Mapping[str, Callable[[RunInfo], Tracker]], about: RunInfo):
        self._about = about
        self._running: dict[str, Tracker] = {}
        for name, start in chosen.items():
            self._try(name, lambda name=name, start=start: self._running.update({name: start(about)}))

    def record(self, record: Record) -> None:
        """Passes a record, which is already written, to the trackers."""
        about = self._about
        point = point_of(record, about.metric, about.validation_metric) if self._running else None
        if point is not None:
            for name, tracker in list(self._running.items()):
                self._try(name, lambda tracker=tracker: tracker.point(point))

    def close(self, finished: bool) -> None:
        """Closes all trackers, each within `CLOSING_SECONDS`."""
        for name, tracker in list(self._running.items()):
            closing = threading.Thread(target=self._try, args=(name, lambda t=tracker: t.close(finished)), daemon=True)
            closing.start()
            closing.join(CLOSING_SECONDS)
            if closing.is_alive():
                _warn(name, f"still sending after {CLOSING_SECONDS:g} seconds")

    def _try(self, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except (Exception, SystemExit) as e:  # no exception of a tracker may stop training
            self._running.pop(name, None)
            _warn(name, f"{type(e).__name__}: {e}{_INSTALL.get(name, '') if isinstance(e, ImportError) else ''}")


_INSTALL = {
    "tensorboard": "; it is in the extra tensorboard: pip install -c constraints.txt '.[tensorboard]'",
    "wandb": "; it is in the extra wandb: pip install -c constraints.txt '.[wandb]'",
}


def _warn(name: str, problem: str) -> None:
    print(
        f"warning: the tracker {name} is off for the rest of this run, records go on ({' '.join(problem.split())})",
        file=sys.stderr,
        flush=True,
    )
