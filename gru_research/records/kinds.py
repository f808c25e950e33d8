"""The kinds of records. Each is a frozen dataclass with the fields of its lines.

Two equal runs may differ in `time` and `env` only. A number that isn't finite is None.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

Numbers = Mapping[str, float | None]
_LEFT_OUT: Any = {"left_out": True}
"""Marks a field that few runs have. Where it is None, the line omits it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Header:
    """The first line: the run's config, task and environment.

    Attributes:
      config: the run's config, with the values that were measured for it; asked: the config before that.
      task: name, metric, validation_metric, directions {"min" or "max" of each metric: whether less or more is better},
        trivial {answer: its value of `metric` on the test set}, threshold (of `validation_metric`, null if the task
        has none), length (of the longest training sequence), scaling (a sentence on the effect of the length), and
        signatures {metric of another library: how it was computed}.
      warnings: the warnings shown to the user before training.
      files: the user's own files that the run used, {path: sha256}.
      env: backend, engine ("native avx512, 2 threads", or "XLA, because ..."), devices, versions, command, data_dir,
        manual_dir, ... `resumed` has one entry per resumption of an interrupted run: time, cell, phase, step, the
        number of later records that were dropped, versions and engine.
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
    """One seed of a draw of the tuned fields.

    All seeds of a draw share `values`, drawn from the ranges in config.tune. `chosen` is True in all records of a
    cell's chosen draw."""

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
      reference_parameters: the number of parameters to match; 0 if parameters aren't matched.
      learning_rate, clip, weight_decay: the cell's own optimiser fields; the last two only if tuned.
      updates: the cell's budget of updates; flops: floating-point operations of one example's forward pass.
      tuned: whether the learning rate comes from draws.
      time: compile_seconds of the training and evaluation programs, of the cell's draws and training together.
      env: engine, "native" or "XLA": the one that the training program calls.
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
    """One seed at one evaluation; `step` counts updates.

    `train_loss` and `gradient_norm` are means over the updates since the previous evaluation. `clipped_share` is the
    share of these updates that were clipped, None without clipping. All three are None at step 0. `metrics` has all
    metrics of the task.
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
    """A measurement by a probe of config.probes, of one seed at one step.

    `measured` holds the line's other fields: for "gradient_flow", `of`, `lags`, `log_norm` and `half_life`.
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
    """One seed at the end of training.

    Attributes:
      updates: the number of updates made; selected_step: the step of the tested parameters.
      train_loss: loss of the last update's batch; last_good_loss: loss of the last finite update's batch.
      test_metric: the task's `metric` on the test set; test_metrics: all its metrics.
      train_set_loss, train_set_metric: of the tested parameters on the training examples, without noise; only with
        config.train_examples.
      steps_to_solve: None if the seed didn't solve the task; diverged_at: None if it didn't diverge.
      answer: how the cell's answers to the test set were generated, where validation chose the way.
      diverged_in: with --debug_nans, the operation and the line of code at which the seed diverged.
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
    answer: Mapping[str, Any] | None = dataclasses.field(default=None, metadata=_LEFT_OUT)
    time: Numbers = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class End:
    """The last line. `status` is "finished" or "interrupted"; `time` has the seconds."""

    kind: ClassVar[str] = "end"
    status: str
    time: Numbers = dataclasses.field(default_factory=dict)


Record = Header | Draw | Cell | Evaluation | Probe | Result | End
KINDS: Mapping[str, type[Record]] = {cls.kind: cls for cls in (Header, Draw, Cell, Evaluation, Probe, Result, End)}
"""The dataclass of each `kind` of line."""
