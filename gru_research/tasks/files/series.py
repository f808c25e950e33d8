"""Time series forecasting: predicts the steps that follow a window."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import check_memory
from gru_research.spec import Spec

from ..base import Stored, Task
from ..input_encoders import Vectors
from . import sequence_metrics
from .scaling import Scale, Values
from .splits import SplitShares

LENGTH = 32
"""The default number of steps in a window."""
TOGETHER = 10
"""The largest ratio of two columns' standard deviations under one metric without a warning."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts learned from the training part, as plain JSON.

    Attributes:
      columns: the names of the I input columns.
      targets: the positions of the columns that are forecast.
      length, horizon: the L steps of a window, and the number of steps after it that are forecast.
      scale: the scale of the columns.
      trivial: the metric of each trivial answer by name.
    """

    columns: Sequence[str]
    targets: list[int]
    length: int
    horizon: int
    scale: Scale
    trivial: Mapping[str, float]

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> "Facts":
        """Converts JSON to facts."""
        return cls(**{**learned, "scale": Scale(**learned["scale"])})


@dataclasses.dataclass(frozen=True)
class Part:
    """A set: `steps [N, I]` of a series. Steps from `start` on are forecast; earlier steps are only in windows."""

    steps: np.ndarray
    start: int


def parts(series: Mapping[str, np.ndarray], shares: SplitShares) -> dict[str, Part]:
    """Returns the sets from the series `[N, I]` of each file. Shares of the training file are its end, because a
    forecast comes after its data. Windows of validation and test reach back into the previous part."""
    first = series["train"]
    found = {split: Part(first[: part.stop], part.start) for split, part in shares.ends(len(first), "steps").items()}
    return found | {split: Part(steps, 0) for split, steps in series.items() if split != "train"}


def learn(
    sets: Mapping[str, Part],
    columns: Sequence[str],
    targets: Sequence[str],
    *,
    length: int,
    horizon: int,
    season: int,
    normalise: bool,
    path: Path,
) -> Facts:
    """Returns the facts of the training part alone. `trivial` holds the trivial answers' metric on the test set.

    Raises:
      ValueError: the season is longer than a window.
      FileError: a set is too short for one window.
    """
    steps = len(sets["train"].steps)
    length = length or max(1, season, min(LENGTH, (steps - horizon) // 2))
    if season > length:
        raise ValueError(f"season={season!r} must be at most length={length}: the window must hold one")
    for split, part in sets.items():
        if (there := len(_starts(part, length, horizon))) < 1:
            raise FileError(
                f"{path}: {split} has {len(part.steps) - part.start} steps, too few for length={length} and "
                f"horizon={horizon}"
            )
        check_memory(path, there * (length * len(columns) + horizon * len(targets)) * 4, f"{there:,} windows")
    facts = Facts(
        columns=list(columns),
        targets=[list(columns).index(target) for target in targets],
        length=length,
        horizon=horizon,
        scale=Scale.of(sets["train"].steps, normalise),
        trivial={},
    )
    return dataclasses.replace(facts, trivial=_trivial(facts, sets["test"], season))


def warnings(sets: Mapping[str, Part], facts: Facts) -> list[str]:
    """Returns a warning if columns under one metric differ in scale: the largest columns then dominate it."""
    std = Scale.of(sets["train"].steps[:, facts.targets], normalise=True).std
    if max(std) <= TOGETHER * min(std):
        return []
    names = ", ".join(facts.columns[target] for target in facts.targets)
    return [f"rmse adds up columns of different size: {names}; name one with task.target"]


def _starts(part: Part, length: int, horizon: int) -> np.ndarray:
    """Returns each window's first forecast step. All forecast steps lie in the part."""
    return np.arange(max(part.start, length), len(part.steps) - horizon + 1)


def windows(facts: Facts, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Returns windows `[M, L, I]` and the steps after them `[M, H, C]`, in the units of `part`."""
    starts = _starts(part, facts.length, facts.horizon)[:, None]
    before = part.steps[starts + np.arange(-facts.length, 0)]
    return before, part.steps[starts + np.arange(facts.horizon)][..., facts.targets]


def arrays(facts: Facts, part: Part) -> dict[str, np.ndarray]:
    """Returns a set's scaled arrays for training: `inputs [M, L, I]` and `targets [M, H C]`."""
    scaled = Part(facts.scale.scaled(part.steps), part.start)
    before, following = windows(facts, scaled)
    return {"inputs": before, "targets": following.reshape(len(following), -1)}


def _trivial(facts: Facts, test: Part, season: int) -> dict[str, float]:
    """Returns the rmse of repeating the last step, and of repeating the last season."""
    before, wanted = windows(facts, test)
    ahead = np.arange(facts.horizon)
    ways = {"repeating the last step": np.full(facts.horizon, facts.length - 1)}
    if season:
        ways[f"repeating the season of {season}"] = facts.length + ahead - season * (ahead // season + 1)
    return {
        name: float(np.sqrt(np.square(before[:, steps][..., facts.targets] - wanted).mean()))
        for name, steps in ways.items()
    }


def make(name: str, facts: Facts, read: Callable[[], dict[str, Any]], **fields: Any) -> Task:
    """Returns the task of `facts`. `read` returns the sets, and `fields` are the other fields of Task."""
    columns = len(facts.columns)
    asked, names = facts.scale.chosen(facts.targets), tuple(facts.columns[target] for target in facts.targets)
    return Task(
        name=name,
        data=Stored(read=read),
        spec=Spec(
            {"inputs": jax.ShapeDtypeStruct((facts.length, columns), jnp.float32)},
            facts.horizon * len(facts.targets),
            "last",
        ),
        loss=sequence_metrics.errors(jnp.square),
        metrics={
            **sequence_metrics.error_metrics(np.tile(asked.std, facts.horizon).tolist()),
            **sequence_metrics.column_metrics(names, asked.std, facts.horizon),
        },
        metric="rmse",
        trivial=facts.trivial,
        length=facts.length,
        scaling="The length is the window's: the baselines don't change, and a longer one shows more of the past.",
        encode=functools.partial(_encode, facts),
        decode=Values(asked, names, facts.horizon),
        **fields,
    )


def _encode(facts: Facts, raw: Any) -> dict[str, np.ndarray]:
    """Scales the last window of a series in original units. Raises ValueError for a series shorter than a window."""
    steps = Vectors(len(facts.columns))(raw)["inputs"]
    if len(steps) < facts.length:
        raise ValueError(f"the input has {len(steps)} steps and must have at least {facts.length}, those of a window")
    return {"inputs": facts.scale.scaled(steps[-facts.length :])}
