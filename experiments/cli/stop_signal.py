"""Records Ctrl-C and SIGTERM for commands that supervise others."""

import signal
import sys
from types import FrameType


class StopSignal:
    """Records the first Ctrl-C or SIGTERM, which asks for an orderly stop. A second Ctrl-C stops at once.

    `doing` is what the stop does, as "stopping the workers"; `signal` is the signal's number, 0 before it.
    """

    def __init__(self, doing: str) -> None:
        self.signal = 0
        self._doing, self._interrupts = doing, 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            raise KeyboardInterrupt
        if not self.signal:
            self.signal = number
            print(f"\n{self._doing}; Ctrl-C again stops at once", file=sys.stderr, flush=True)
