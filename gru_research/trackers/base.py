"""The interface of a tracker, which receives a run's numbers while it trains."""

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
    """Finite numbers at one step of a series, by tag, such as `validation_mse` of `adding/gru/seed0`."""

    series: str
    step: int
    values: Mapping[str, float]


class Tracker(Protocol):
    """A tracker, made from a `RunInfo` when a run starts or is resumed. Any exception turns it off for good."""

    def point(self, point: Point) -> None:
        """Receives numbers. Within a series steps never decrease, except when a run is resumed."""
        ...

    def close(self, finished: bool) -> None:
        """Ends tracking; `finished` says whether the run reached its end."""
        ...
