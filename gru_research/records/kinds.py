"""The kinds of records: a frozen dataclass each, whose fields are those of its lines.

What may differ between two equal runs lies under `time` and `env` alone. A number that isn't finite is None.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

Numbers = Mapping[str, float | None]
_LEFT_OUT: Any = {"left_out": True}
"""Of a field whose line has no such name where it is None: what few runs have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """The first line: what is run, and on what.

    Attributes:
      config: the run's, with what was measured for it; asked: as it was before.
      task: name, metric, validation_metric, directions {"min" or "max" of each metric: whether less or more is better},
        trivial {answer: what it reaches on the test set, in `metric`}, threshold (of `validation_metric`, null where
        the task has none), length (of the longest training sequence), scaling (a sentence on what that changes), and
        signatures {metric of another library: how it was computed}.
      warnings: what the user was told before training.
      files: the user's own files that the run was made of, {path: sha256}.
      env: backend, engine ("native avx512, 2 threads", or "XLA, because ..."), devices, versions, command, data_dir,
        manual_dir, ... `resumed` is a list with an entry for each time that an interrupted run was resumed: when, at
        which cell, phase and step, how many records after it were dropped, and under which versions and engine.
    """

    kind: ClassVar[str] = "run"
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    asked: Mapping[str, Any] | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    task: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    time: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
    """One seed of a draw of the tuned fields: each of `values` was drawn once for all of the draw's seeds, from the
    range in config.tune. `chosen` is True in all records of one draw of a cell."""

    kind: ClassVar[str] = "draw"
    task: str
    cell: str
    draw: int
    seed: int
    values: Mapping[str, float]
    validation_metric: float | None = None
    diverged_at: int | None = None
    chosen: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell, before it trains.

    Attributes:
      reference_parameters: the size that it was to match; 0 where parameters aren't matched.
      learning_rate, clip, weight_decay: the optimiser's fields that are the cell's own; the last two where tuned.
      updates: how many it is given; flops: the floating-point operations of one example forward.
      tuned: whether its learning rate comes from draws.
      time: compile_seconds of training's and evaluation's programs, for its draws and its training together.
      env: engine, "native" or "XLA": what the training program calls.
    """

    kind: ClassVar[str] = "cell"
    task: str
    cell: str
    cell_kind: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    hidden_size: int | None = None
    parameters: int | None = None
    reference_parameters: int | None = None
    flops: float | None = None
    updates: int | None = None
    learning_rate: float | None = None
    clip: float | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    weight_decay: float | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    tuned: bool | None = None
    time: Numbers = dataclasses.field(default_factory=dict)
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A seed at an evaluation; `step` counts updates.

    `train_loss` and `gradient_norm` are means, and `clipped_share` the share at which clipping acted, over the updates
    since the evaluation before: None at step 0; the share also without clipping. `metrics` are all of the task's.
    """

    kind: ClassVar[str] = "evaluation"
    task: str
    cell: str
    seed: int
    step: int
    train_loss: float | None = None
    gradient_norm: float | None = None
    clipped_share: float | None = None
    validation_loss: float | None = None
    validation_metric: float | None = None
    metrics: Numbers = dataclasses.field(default_factory=dict)
    diverged_at: int | None = None
    time: Numbers = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probe:
    """What a probe of config.probes measured of a seed, at a step.

    `measured` are further fields of its line: of "gradient_flow" the `of`, `lags`, `log_norm` and `half_life`.
    """

    kind: ClassVar[str] = "probe"
    task: str
    cell: str
    seed: int
    step: int
    name: str
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict, metadata={"rest": True})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """A seed at the end of training.

    Attributes:
      updates: how many it made; selected_step: of the parameters that were tested.
      train_loss: of the last update's batch; last_good_loss: the same, of the last update that was finite.
      test_metric: the task's `metric` on the test set; test_metrics: all of them.
      train_set_loss, train_set_metric: of the tested parameters on the training examples, without noise; with
        config.train_examples alone.
      steps_to_solve: None for a seed that didn't solve the task; diverged_at: None for one that didn't diverge.
      diverged_in: with --debug_nans the operation, and the line of code, at which a seed diverged.
      time: ms_per_step, train_seconds, run_seconds.
    """

    kind: ClassVar[str] = "result"
    task: str
    cell: str
    seed: int
    updates: int | None = None
    train_loss: float | None = None
    validation_metric: float | None = None
    test_loss: float | None = None
    test_metric: float | None = None
    test_metrics: Numbers = dataclasses.field(default_factory=dict)
    steps_to_solve: int | None = None
    selected_step: int | None = None
    diverged_at: int | None = None
    last_good_loss: float | None = None
    clipped_share: float | None = None
    train_set_loss: float | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    train_set_metric: float | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    diverged_in: str | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    time: Numbers = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class End:
    """The last line: `status` is "finished" or "interrupted", `time` has the seconds."""

    kind: ClassVar[str] = "end"
    status: str
    time: Numbers = dataclasses.field(default_factory=dict)


Record = Header | Draw | Cell | Evaluation | Probe | Result | End
KINDS: Mapping[str, type[Record]] = {cls.kind: cls for cls in (Header, Draw, Cell, Evaluation, Probe, Result, End)}
"""The kinds by what a line calls them."""
