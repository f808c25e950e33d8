"""The progress of a comparison: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from gru_research.config import ExperimentConfig
from gru_research.training import Progress

PLAIN_SECONDS = 10.0


class ProgressLine:
    """Shows where training stands: cell, updates, the seeds' median validation metric, speed, time left."""

    def __init__(self, labels: Sequence[str], config: ExperimentConfig):
        self._labels = list(labels)
        self._config = config
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
        self._tasks = {
            label: self._bar.add_task(label, total=config.updates, numbers="", start=False, visible=False)
            for label in self._labels
        }
        self._last_plain = 0.0

    def __enter__(self) -> "ProgressLine":
        self._bar.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Called after each call of the training program."""
        done = progress.step * self._config.seeds
        speed = f"{1e3 * progress.train_seconds / done:.2f} ms/update and seed" if done else ""
        numbers = f"validation {progress.validation_metric:.4g}  {speed}"
        if self._console.is_terminal:
            task = self._tasks[progress.cell]
            self._bar.start_task(task)
            self._bar.update(task, completed=progress.step, numbers=numbers, visible=True)
            return
        now = time.monotonic()
        if progress.step in (0, progress.updates) or now - self._last_plain >= PLAIN_SECONDS:
            self._last_plain = now
            share = (self._labels.index(progress.cell) + progress.step / progress.updates) / len(self._labels)
            print(f"[{share:4.0%}] {progress.cell} {progress.step}/{progress.updates}  {numbers}", flush=True)
