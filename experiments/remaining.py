"""How much of a comparison is done, and how long the rest will take."""

import time
from collections.abc import Callable

from gru_research.training import Plan, Progress
from gru_research.training.tuning import tuning_schedule


class Remaining:
    """Told of each `Progress`; knows the share of the whole that is done, by updates, and the seconds that are left.

    Time goes to starting a phase (tuning or training of a cell: compiling), and to its updates, of which each member
    (seed or draw) makes its own; each is taken to cost what it did on average so far in this process. A cell that is
    slower than those before it makes the estimate too low, one that stops early too high.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic):
        tune = plan.config.tune
        self._work: dict[tuple[str, str], int] = {}  # updates of all members by phase, in the order that they run
        for cell in plan.cells:
            if tune.draws:
                self._work[cell.label, "tuning"] = tune.draws * tune.seeds * tuning_schedule(plan, cell).updates
            self._work[cell.label, "training"] = plan.config.seeds * cell.updates
        self._clock, self._last = clock, clock()
        self._phase: tuple[str, str] | None = None
        self._step = self._starts = self._updates = 0
        self._starting = self._updating = 0.0
        self.share = 0.0
        self.seconds: float | None = None

    def look(self, progress: Progress) -> None:
        now = self._clock()
        phase = (progress.cell, progress.phase)
        if phase != self._phase:  # its first look comes after compiling, also where it is resumed at a later step
            self._phase = phase
            self._starts += 1
            self._starting += now - self._last
        else:
            self._updates += (progress.step - self._step) * progress.members
            self._updating += now - self._last
        self._last, self._step = now, progress.step
        self._estimate(phase, progress.step / progress.updates)

    def _estimate(self, phase: tuple[str, str], within: float) -> None:
        phases = list(self._work)
        at, total = phases.index(phase), sum(self._work.values())
        done = sum(self._work[p] for p in phases[:at]) + within * self._work[phase]
        self.share = done / total
        if self._updates:
            starts = (len(phases) - 1 - at) * self._starting / self._starts
            self.seconds = starts + (total - done) * self._updating / self._updates


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
