"""Traces a few training calls for xprof."""

import sys
from pathlib import Path
from types import TracebackType

import jax

from gru_research.training import Progress

FOLDER = "profile"
WARM_CALLS = 2
"""The number of calls before the trace, which keeps one-time work such as allocation out of it."""
TRACED_CALLS = 3


class Profile:
    """If `wanted`, traces TRACED_CALLS training calls of the first cell, after its first WARM_CALLS, to `folder`.

    An evaluation between these calls is traced too. Compilation isn't: it comes before the first call.
    """

    def __init__(self, folder: Path, wanted: bool):
        self._folder = folder
        self._pending = wanted
        self._phase: tuple[str, str] | None = None
        self._calls = self._first = self._step = 0
        self._tracing = False

    def __enter__(self) -> "Profile":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._tracing:
            self._stop()
        elif self._pending:
            _warn(f"nothing was traced: the first cell made {self._calls} calls; a trace begins after {WARM_CALLS}")

    def on_call(self, progress: Progress) -> None:
        """Called after each call of the training program, and once before the first."""
        if not self._pending:
            return
        phase = (progress.cell, progress.phase)
        self._phase = self._phase or phase
        self._calls += phase == self._phase and progress.step > 0
        if phase == self._phase:
            self._step = progress.step
        over = phase != self._phase or progress.step == progress.updates
        if self._tracing and (over or self._calls == WARM_CALLS + TRACED_CALLS):
            self._stop()
        elif not self._tracing and not over and self._calls == WARM_CALLS:
            self._start(progress.step)

    def _start(self, step: int) -> None:
        try:
            jax.profiler.start_trace(self._folder)
            self._tracing, self._first = True, step
        except Exception as e:  # a failed trace must not end the run
            self._give_up(e)

    def _stop(self) -> None:
        self._tracing = self._pending = False
        try:
            jax.profiler.stop_trace()
        except Exception as e:
            return self._give_up(e)
        assert self._phase is not None
        print(
            f"profile: {', '.join(self._phase)}, updates {self._first} to {self._step} are traced in {self._folder}\n"
            f"profile: open it with `xprof --logdir={self._folder}` (pip install xprof), or its *.trace.json.gz at "
            "ui.perfetto.dev",
            flush=True,
        )

    def _give_up(self, error: Exception) -> None:
        self._pending = False
        _warn(f"no trace ({type(error).__name__}: {' '.join(str(error).split())})")


def _warn(problem: str) -> None:
    print(f"warning: --profile: {problem}", file=sys.stderr, flush=True)
