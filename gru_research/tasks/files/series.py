"""Forecasts of a series: the steps that follow a window."""

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
"""Steps of a window, where it isn't said."""
TOGETHER = 10
"""How many times the smallest standard deviation the largest may be, of columns with one metric."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is taken of the training part, as plain JSON.

    Attributes:
      columns: the names of the I columns that are read.
      targets: which of them, by position, are forecast.
      length, horizon: L steps of a window, and how many steps behind it are forecast.
      scale: of the columns.
      trivial: what trivial answers reach.
    """

    columns: Sequence[str]
    targets: list[int]
    length: int
    horizon: int
    scale: Scale
    trivial: Mapping[str, float]

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> "Facts":
        """From JSON."""
        return cls(**{**learned, "scale": Scale(**learned["scale"])})


@dataclasses.dataclass(frozen=True)
class Part:
    """A set: `steps [N, I]` of a series of which the steps from `start` on are forecast; those before are windows'."""

    steps: np.ndarray
    start: int


def parts(series: Mapping[str, np.ndarray], shares: SplitShares) -> dict[str, Part]:
    """The sets, from the series `[N, I]` of each file. Shares of the first one are its end, as what is forecast comes
    after what is known; windows of validation and test reach back into the part before."""
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
    """Facts of the training part alone; `trivial` says what they reach on the test set.

    Raises:
      ValueError: a season longer than a window.
      FileError: a set that is too short for one window.
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
    """Columns that are forecast together and differ in size: the largest ones make the metric."""
    std = Scale.of(sets["train"].steps[:, facts.targets], normalise=True).std
    if max(std) <= TOGETHER * min(std):
        return []
    names = ", ".join(facts.columns[target] for target in facts.targets)
    return [f"rmse adds up columns of different size: {names}; name one with task.target"]


def _starts(part: Part, length: int, horizon: int) -> np.ndarray:
    """The first step that is forecast, of each window: all of its steps are of the part."""
    return np.arange(max(part.start, length), len(part.steps) - horizon + 1)


def windows(facts: Facts, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """`[M, L, I]` windows, and `[M, H, C]` what follows them, in original units."""
    starts = _starts(part, facts.length, facts.horizon)[:, None]
    before = part.steps[starts + np.arange(-facts.length, 0)]
    return before, part.steps[starts + np.arange(facts.horizon)][..., facts.targets]


def arrays(facts: Facts, part: Part) -> dict[str, np.ndarray]:
    """A set as it is trained on, scaled: `inputs [M, L, I]` and `targets [M, H C]`."""
    scaled = Part(facts.scale.scaled(part.steps), part.start)
    before, following = windows(facts, scaled)
    return {"inputs": before, "targets": following.reshape(len(following), -1)}


def _trivial(facts: Facts, test: Part, season: int) -> dict[str, float]:
    """The last step again; and the step a season, or several, before the one that is forecast."""
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
    """The task of `facts`, whose sets `read` gives; `fields` are the Task's others."""
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
    """The last steps of a series, in original units, scaled. Raises ValueError for fewer than a window has."""
    steps = Vectors(len(facts.columns))(raw)["inputs"]
    if len(steps) < facts.length:
        raise ValueError(f"the input has {len(steps)} steps and must have at least {facts.length}, those of a window")
    return {"inputs": facts.scale.scaled(steps[-facts.length :])}
