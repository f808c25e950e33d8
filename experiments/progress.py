"""The progress of a comparison: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from gru_research.training import Plan, Progress

PLAIN_SECONDS = 10.0


class ProgressLine:
    """Shows where training stands: cell, updates, the members' median validation metric, speed, time left."""

    def __init__(self, plan: Plan):
        tune = plan.config.tune
        self._labels = [cell.label for cell in plan.cells]
        self._tuned = tune.draws * tune.seeds
        self._seeds = plan.config.seeds
        self._console = Console(file=sys.stdout)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
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
        name = progress.cell if progress.phase == "training" else f"{progress.cell}, {progress.phase}"
        done = progress.step * progress.members
        speed = f"{1e3 * progress.train_seconds / done:.2f} ms/update and seed" if done else ""
        numbers = f"validation {progress.validation_metric:.4g}  {speed}"
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task(name, total=progress.updates, numbers="")
            self._bar.update(self._tasks[name], completed=progress.step, numbers=numbers)
            return
        now = time.monotonic()
        if progress.step in (0, progress.updates) or now - self._last_plain >= PLAIN_SECONDS:
            self._last_plain = now
            print(f"[{self._share(progress):4.0%}] {name} {progress.step}/{progress.updates}  {numbers}", flush=True)

    def _share(self, progress: Progress) -> float:
        """How much of the whole comparison is done, taking cells as equally long."""
        tuning = self._tuned / (self._tuned + self._seeds)
        within = progress.step / progress.updates
        cell = within * tuning if progress.phase == "tuning" else tuning + within * (1 - tuning)
        return (self._labels.index(progress.cell) + cell) / len(self._labels)
