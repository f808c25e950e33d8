"""Shows the progress of a comparison: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from experiments.cli.eta import Eta, time_left
from gru_research.training import Plan, Progress

PLAIN_SECONDS = 10.0


class ProgressLine:
    """Shows the cell, its updates, the members' median validation metric, the rate, and the comparison's remaining
    time."""

    def __init__(self, plan: Plan):
        self._eta = Eta(plan)
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
        self._eta.update(progress)
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
            print(f"[{self._eta.share:4.0%}] {name} {progress.step}/{progress.updates}  {numbers}", flush=True)

    def _numbers(self, progress: Progress) -> list[str]:
        done = progress.step * progress.members
        numbers = [f"validation {progress.validation_metric:.4g}"]
        if done:
            numbers.append(f"{1e3 * progress.train_seconds / done:.2f} ms/update and seed")
        # On a terminal the lines of finished cells stay; only the moving line shows the remaining time.
        stays = self._console.is_terminal and progress.step == progress.updates
        if self._eta.seconds is not None and not stays:
            numbers.append(time_left(self._eta.share, self._eta.seconds))
        return [number for number in numbers if number]
