"""Frozen dataclasses that hold a config's fields and check their values."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

from .errors import UserError
from .names import choose, split_names
from .signatures import without_numpy_scalars

SEEDS = 2**32
"""The number of possible seeds: a seed has 32 bits."""


def _require(condition: bool, field: str, value: Any, allowed: str) -> None:
    if not condition:
        raise ValueError(f"{field}={value!r} must be {allowed}")


def _normalize(config: Any) -> None:
    """Replaces NumPy numbers in the fields by Python numbers, so that equal configs are written identically.

    Raises ValueError where a field is infinite or NaN.
    """
    for field in dataclasses.fields(config):
        value = without_numpy_scalars(getattr(config, field.name))
        _require(not isinstance(value, float) or math.isfinite(value), field.name, value, "finite")
        object.__setattr__(config, field.name, value)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimiser and its fields.

    `schedule` shapes the learning rate after `warmup` linear updates. `clip` bounds the global gradient norm; 0 turns
    it off. `weight_decay` is decoupled, as in AdamW. `decay` is the decay rate of rmsprop's mean of squares and of
    momentum's trace.
    """

    name: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup: int = 0
    clip: float = 1.0
    weight_decay: float = 0.0
    decay: float = 0.9

    def __post_init__(self) -> None:
        _normalize(self)
        _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        _require(0 <= self.decay < 1, "decay", self.decay, "at least 0 and below 1")
        for name in ("warmup", "clip", "weight_decay"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")


@dataclasses.dataclass(frozen=True)
class TuneConfig:
    """The same random search for every cell: `draws` log-uniform draws from each given range; 0 turns it off.

    Each draw is trained with `seeds` seeds from `first_seed` on, for `updates` updates (0: the cell's own). The draw
    with the best validation metric is chosen, and the comparison then uses its own seeds. `sample` is the seed of the
    draws. A range is (low, high) of a field of the optimiser.
    """

    draws: int = 0
    learning_rate: tuple[float, float] = (1e-4, 1e-1)
    clip: tuple[float, float] | None = None
    weight_decay: tuple[float, float] | None = None
    updates: int = 0
    seeds: int = 1
    first_seed: int = 1000
    sample: int = 0

    def __post_init__(self) -> None:
        _normalize(self)
        for name in ("draws", "updates", "first_seed", "sample"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(self.seeds >= 1, "seeds", self.seeds, "at least 1")
        for name, (low, high) in self.ranges.items():
            _require(0 < low <= high < math.inf, name, (low, high), "a finite range (low, high) with 0 < low <= high")
        _require(self.first_seed + self.seeds <= SEEDS, "first_seed", self.first_seed, "below 2**32, as all its seeds")

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Returns the ranges that are drawn from, by field of the optimiser."""
        fields = {name: getattr(self, name) for name in ("learning_rate", "clip", "weight_decay")}
        return {name: value for name, value in fields.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class HorizonConfig:
    """A sweep over growing `values` of the config's `field`. A cell proceeds to the next value while at least the share
    `solved` of its seeds solves the task."""

    field: str = "task.length"
    values: tuple[int, ...] = ()
    solved: float = 0.5

    def __post_init__(self) -> None:
        _normalize(self)
        growing = len(self.values) >= 1 and all(a < b for a, b in itertools.pairwise(self.values))
        _require(growing, "values", self.values, "one or more whole numbers, each above the one before")
        _require(0 < self.solved <= 1, "solved", self.solved, "a share above 0 and at most 1")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The kind of model that is built around each cell, and its options."""

    kind: str = "sequence"
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _normalize(self)


@dataclasses.dataclass(frozen=True)
class CellConfig:
    """One cell of the comparison and its `options`. Where None, `hidden_size` is chosen by `match`, `learning_rate` is
    the optimiser's and `updates` the comparison's."""

    label: str
    kind: str
    hidden_size: int | None = None
    learning_rate: float | None = None
    updates: int | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _normalize(self)
        if self.hidden_size is not None:
            _require(self.hidden_size >= 1, "hidden_size", self.hidden_size, "at least 1")
        if self.learning_rate is not None:
            _require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        if self.updates is not None:
            _require(self.updates >= 1, "updates", self.updates, "at least 1")


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """The name of a task and its options."""

    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _normalize(self)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """One comparison: every cell of `cells` on one task, with `seeds` seeds each.

    The seeds are `first_seed`, `first_seed + 1`, ... `only` lists the labels of the cells to train, separated by
    commas. `reference` is the label whose size the others match, by `match`: the number of parameters, the width,
    floating-point operations, or the measured time of an update.

    Parameters are evaluated every `eval_every` updates, or `evaluations` times where that is above 0. `select` says
    which parameters are tested: the "last" or those with the "best" validation metric. With `patience` above 0 a seed
    stops after `patience` evaluations without a better metric. `seconds` above 0 gives each cell this time to train,
    tuning included, in place of `updates`: the speed is measured once and determines `cells.LABEL.updates`.
    Each batch is divided over `data_parallel` devices, which changes the rounding of sums and the noise.
    `length_buckets` above 1 makes training batches of stored sequences of similar lengths. Each batch is then padded to
    one of that many lengths instead of the longest, and batches of short sequences cost less.
    `train_examples` above 0 keeps only the first `train_examples` of a stored task, and records the tested parameters'
    metrics on them beside those on the test set.
    `probes` lists what is measured at every evaluation beside the metrics, separated by commas. `trackers` lists where
    records are shown during the run, separated by commas. Neither changes training.
    """

    task: TaskConfig
    cells: tuple[CellConfig, ...]
    reference: str
    match: Literal["parameters", "width", "flops", "time", "none"] = "parameters"
    only: str = ""
    updates: int = 1000
    batch_size: int = 32
    length_buckets: int = 1
    train_examples: int = 0
    data_parallel: int = 1
    eval_every: int = 100
    evaluations: int = 0
    seeds: int = 5
    first_seed: int = 0
    select: Literal["last", "best"] = "last"
    patience: int = 0
    seconds: float = 0.0
    optimizer: OptimizerConfig = OptimizerConfig()
    model: ModelConfig = ModelConfig()
    tune: TuneConfig = TuneConfig()
    horizon: HorizonConfig | None = None
    probes: str = ""
    trackers: str = ""

    def __post_init__(self) -> None:
        _normalize(self)
        for name in ("updates", "batch_size", "length_buckets", "data_parallel", "eval_every", "seeds"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        divisor = f"a divisor of batch_size={self.batch_size}"
        _require(self.batch_size % self.data_parallel == 0, "data_parallel", self.data_parallel, divisor)
        for name in ("evaluations", "first_seed", "patience", "seconds", "train_examples"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        _require(self.first_seed + self.seeds <= SEEDS, "first_seed", self.first_seed, "below 2**32, as all its seeds")
        tuned = range(self.tune.first_seed, self.tune.first_seed + self.tune.seeds)
        if self.tune.draws and set(tuned) & set(range(self.first_seed, self.first_seed + self.seeds)):
            raise UserError(
                f"tune.first_seed={self.tune.first_seed} must leave out the comparison's own seeds, "
                f"{self.first_seed} to {self.first_seed + self.seeds - 1}"
            )
        labels = [cell.label for cell in self.cells]
        if not labels:
            raise UserError("cells is empty: name at least one cell")
        for label in self.selected_labels:
            choose("only", label, labels)
        choose("reference", self.reference, labels)
        for cell in self.cells:
            if cell.hidden_size is None and (self.match == "none" or cell.label == self.reference):
                raise UserError(
                    f"cells.{cell.label}.hidden_size is missing: with match={self.match!r} it is not chosen for you"
                )

    @property
    def selected_labels(self) -> tuple[str, ...]:
        """Returns the labels in `only`; all labels where it is empty."""
        return split_names(self.only) or tuple(cell.label for cell in self.cells)
