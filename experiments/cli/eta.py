"""Estimates how much of a comparison is done and how long the rest takes."""

import dataclasses
import time
from collections.abc import Callable

from gru_research.training import Plan, Progress
from gru_research.training.selection import Schedule
from gru_research.training.tuning import training_schedule, tuning_schedule


@dataclasses.dataclass
class _Spent:
    """Total seconds and count of one kind of work."""

    seconds: float = 0.0
    count: int = 0

    def add(self, seconds: float, count: int) -> None:
        self.seconds += seconds
        self.count += count

    @property
    def each(self) -> float:
        return self.seconds / self.count if self.count else 0.0


class Eta:
    """Estimates the remaining time of a comparison from its `Progress`.

    A phase is the tuning or the training of one cell. Its time goes to its start (compilation), to evaluations, and to
    updates. Each kind of work is assumed to cost its average so far in this process; the last cell's test counts as one
    more evaluation. The estimate is too low where a later cell is slower, and too high where seeds stop early.

    Attributes:
      share: the fraction of all updates that is done.
      seconds: the remaining seconds; None before the first update.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic):
        tune = plan.config.tune
        self._phases: dict[tuple[str, str], tuple[Schedule, int]] = {}  # (schedule, members) in running order
        for cell in plan.cells:
            if tune.draws:
                self._phases[cell.label, "tuning"] = tuning_schedule(plan, cell), tune.draws * tune.seeds
            self._phases[cell.label, "training"] = training_schedule(plan, cell), plan.config.seeds
        self._clock, self._last = clock, clock()
        self._at: Progress | None = None
        self._starts, self._evaluations, self._updates = _Spent(), _Spent(), _Spent()
        self.share = 0.0
        self.seconds: float | None = None

    def update(self, progress: Progress) -> None:
        now, before = self._clock(), self._at
        elapsed, self._last, self._at = now - self._last, now, progress
        if before is not None and (before.cell, before.phase) != (progress.cell, progress.phase):
            before = None
        evaluating = progress.evaluation_seconds - (before.evaluation_seconds if before else 0.0)
        if evaluating > 0:
            self._evaluations.add(evaluating, progress.members)
        if before is None:  # a phase's first report comes after compilation, even if the phase is resumed
            self._starts.add(elapsed - evaluating, 1)
        else:
            self._updates.add(elapsed - evaluating, (progress.step - before.step) * progress.members)
        self._estimate(progress)

    def _estimate(self, progress: Progress) -> None:
        at = list(self._phases).index((progress.cell, progress.phase))
        total = updates = evaluations = 0
        for number, (schedule, members) in enumerate(self._phases.values()):
            total += schedule.updates * members
            if number >= at:
                step = progress.step if number == at else 0
                updates += (schedule.updates - step) * members
                # The evaluation at step 0 comes before a phase's first report and counts as its start.
                evaluations += (-(-(schedule.updates - step) // schedule.eval_every) + (number > at)) * members
        test = list(self._phases.values())[-1][1]
        self.share = 1 - updates / total
        if self._updates.count:
            starts = (len(self._phases) - 1 - at) * self._starts.each
            self.seconds = starts + updates * self._updates.each + (evaluations + test) * self._evaluations.each


def time_left(share: float, seconds: float) -> str:
    """Returns the progress line's text on the remaining time; empty once training is done."""
    if seconds >= 0.5:
        return f"{duration(seconds)} left"
    return "under 1 s left" if share < 1 else ""


def duration(seconds: float) -> str:
    """Formats seconds, e.g. as "3 min 05 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
