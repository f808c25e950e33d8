"""Trackers: TensorBoard and Weights & Biases, which show a run's records while it trains.

A tracker shows the records of `records.jsonl` elsewhere. Its failure never stops a run. A new tracker is a class with
the methods of `Tracker` in its own file, and one line in `TRACKERS`.
"""

from collections.abc import Callable, Iterable, Mapping

from gru_research.config import choose

from .base import Point, RunInfo, Tracker
from .fan_out import Trackers
from .points import point_of
from .tensorboard import TensorBoard
from .weights_biases import Wandb

TRACKERS: Mapping[str, Callable[[RunInfo], Tracker]] = {"tensorboard": TensorBoard, "wandb": Wandb}
"""The trackers that `config.trackers` can name."""


def check(names: Iterable[str]) -> None:
    """Raises UserError for an unknown name."""
    for name in names:
        choose("config.trackers", name, TRACKERS)


def start(names: Iterable[str], about: RunInfo) -> Trackers:
    """Starts the trackers of these names. A tracker that can't start is turned off."""
    return Trackers({name: TRACKERS[name] for name in names}, about)


__all__ = ["TRACKERS", "Point", "RunInfo", "Tracker", "Trackers", "check", "point_of", "start"]
