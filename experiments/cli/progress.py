"""The progress of a comparison: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from experiments.cli.eta import Remaining, left
from gru_research.training import Plan, Progress

PLAIN_SECONDS = 10.0


class ProgressLine:
    """Shows where training stands: cell, updates, the members' median validation metric, the rate, and the time left
    of the whole comparison."""

    def __init__(self, plan: Plan):
        self._remaining = Remaining(plan)
        self._console = Console(file=sys.stdout)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_plain = 0.0

    def __enter__(self) -> "ProgressLine":
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Called after each call of the training program."""
        self._remaining.look(progress)
        name = progress.cell if progress.phase == "training" else f"{progress.cell}, {progress.phase}"
        numbers = "  ".join(self._numbers(progress))
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task(name, total=progress.updates, numbers="")
            self._bar.update(self._tasks[name], completed=progress.step, numbers=numbers)
            return
        now = time.monotonic()
        if progress.step in (0, progress.updates) or now - self._last_plain >= PLAIN_SECONDS:
            self._last_plain = now
            print(f"[{self._remaining.share:4.0%}] {name} {progress.step}/{progress.updates}  {numbers}", flush=True)

    def _numbers(self, progress: Progress) -> list[str]:
        done = progress.step * progress.members
        numbers = [f"validation {progress.validation_metric:.4g}"]
        if done:
            numbers.append(f"{1e3 * progress.train_seconds / done:.2f} ms/update and seed")
        # On a terminal the lines of what is done stay there: what is left is for the one that moves.
        stays = self._console.is_terminal and progress.step == progress.updates
        if self._remaining.seconds is not None and not stays:
            numbers.append(left(self._remaining.share, self._remaining.seconds))
        return [number for number in numbers if number]
