"""What a tracker is: something that is told of a run's numbers while it goes on, beside the records."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """The run that is tracked: its directory, its config as plain JSON, and the names of the task's two metrics."""

    workdir: Path
    config: Mapping[str, Any]
    metric: str
    validation_metric: str


@dataclasses.dataclass(frozen=True)
class Point:
    """What is known at one step of a series, by tag: `validation_mse` of `adding/gru/seed0`. All numbers are finite."""

    series: str
    step: int
    values: Mapping[str, float]


class Tracker(Protocol):
    """Made from an `RunInfo`, at the start of a run or where one is resumed. Any exception turns it off for good."""

    def point(self, point: Point) -> None:
        """Is told of numbers. Within a series steps never decrease, but for those of a resumed run."""
        ...

    def close(self, finished: bool) -> None:
        """The run is over; `finished` says whether it came to its end."""
        ...
