"""Trackers: TensorBoard and Weights & Biases, which show a run's records while it trains.

`records.jsonl` is the truth; a tracker shows it elsewhere, and one that fails never stops a run. A new one is a class
with the methods of `Tracker` in a file of its own and one line in `TRACKERS`.
"""

from collections.abc import Callable, Iterable, Mapping

from gru_research.config import choose

from .base import Point, RunInfo, Tracker
from .fan_out import Trackers
from .points import point_of
from .tensorboard import TensorBoard
from .weights_biases import Wandb

TRACKERS: Mapping[str, Callable[[RunInfo], Tracker]] = {"tensorboard": TensorBoard, "wandb": Wandb}
"""What `config.trackers` can name."""


def check(names: Iterable[str]) -> None:
    """Raises UserError for a name that isn't there."""
    for name in names:
        choose("config.trackers", name, TRACKERS)


def start(names: Iterable[str], about: RunInfo) -> Trackers:
    """The trackers of those names, started; those that can't start are off."""
    return Trackers({name: TRACKERS[name] for name in names}, about)


__all__ = ["TRACKERS", "Point", "RunInfo", "Tracker", "Trackers", "check", "point_of", "start"]
