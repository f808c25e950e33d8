"""Collects the results of a run's records by task and cell. The rest of the report takes them from here.

Numbers that are missing or null in the records are None here. A seed that diverged has no final metrics, whatever its
last finite state would score: it ranks worst.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from gru_research import records, stats
from gru_research.report import learning_curves, tuning_draws


@dataclasses.dataclass(frozen=True)
class Published:
    """Test metrics from the literature. `protocol` says how their measurement differs from the task's."""

    name: str
    metrics: Mapping[str, float]
    protocol: str = ""
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """A metric for each group of test examples: `groups` has the names of the metrics by group."""

    title: str
    by: str
    groups: Mapping[str, str]
    unit: str
    numeric: bool = False


@dataclasses.dataclass(frozen=True)
class Application:
    """What the records say of an application, as `gru_research.tasks.Application` describes it."""

    form: str
    use: str
    trivial_metrics: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    published: tuple[Published, ...] = ()
    breakdowns: Mapping[str, Breakdown] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Application":
        """Converts JSON. Raises RecordsError if it isn't what a task writes."""
        try:
            return cls(
                **{
                    **fields,
                    "published": tuple(Published(**one) for one in fields.get("published", ())),
                    "breakdowns": {name: Breakdown(**one) for name, one in fields.get("breakdowns", {}).items()},
                }
            )
        except (TypeError, AttributeError) as e:
            raise records.RecordsError(f"the run header's application can't be read ({e})") from e


@dataclasses.dataclass(frozen=True)
class Task:
    """A task and its metrics. `metric` names the metric compared on the test set, and `trivial` has its values for
    trivial answers. `threshold` is a value of `validation_metric`. `directions` has the direction of every metric.
    `length` is the length of the longest training sequence; `scaling` is a sentence on its effect. `application` is
    None for a task that isn't an application."""

    name: str
    metric: str
    directions: Mapping[str, stats.Direction]
    validation_metric: str
    threshold: float | None = None
    trivial: Mapping[str, float] = dataclasses.field(default_factory=dict)
    length: int | None = None
    scaling: str = ""
    application: Application | None = None

    @property
    def direction(self) -> stats.Direction:
        """Whether a lower or a higher `metric` is better."""
        return self.directions[self.metric]

    @property
    def baseline_name(self) -> str:
        """The name of the best trivial answer; empty if there is none."""
        best = min if self.direction == "min" else max
        return best(self.trivial, key=self.trivial.__getitem__) if self.trivial else ""

    @property
    def baseline(self) -> float | None:
        """The metric of the best trivial answer."""
        return self.trivial[self.baseline_name] if self.trivial else None

    @property
    def more_metrics(self) -> tuple[str, ...]:
        """The metrics other than `metric`, the loss, and metrics of groups of examples."""
        breakdowns = {} if self.application is None else self.application.breakdowns
        grouped = {name for one in breakdowns.values() for name in one.groups.values()}
        return tuple(name for name in self.directions if name not in {self.metric, "loss"} | grouped)

    def on_test(self) -> "Task":
        """Returns the task for the test set: without the threshold if it is of another metric."""
        return self if self.metric == self.validation_metric else dataclasses.replace(self, threshold=None)

    def on_validation(self) -> "Task":
        """Returns the task for the validation set: with its metric, and without trivial answers of another metric."""
        if self.metric == self.validation_metric:
            return self
        return dataclasses.replace(self, metric=self.validation_metric, trivial={})


@dataclasses.dataclass(frozen=True)
class SeedResult:
    """One seed at the end of training. `test_metric` is None if the seed diverged or the metric isn't finite.
    `train_loss` is the mean over the updates between the last two evaluations; None if the seed diverged."""

    seed: int
    updates: int | None
    selected_step: int | None
    train_loss: float | None
    validation_metric: float | None
    test_loss: float | None
    test_metric: float | None
    steps_to_solve: int | None
    diverged_at: int | None
    last_good_loss: float | None
    ms_per_step: float | None
    clipped_share: float | None = None
    train_set_metric: float | None = None
    test_metrics: Mapping[str, float | None] = dataclasses.field(default_factory=dict)

    @property
    def seconds_to_solve(self) -> float | None:
        """Seconds of training, without compilation and evaluation; None if unsolved or not recorded."""
        if self.steps_to_solve is None or self.ms_per_step is None:
            return None
        return self.steps_to_solve * self.ms_per_step / 1000


@dataclasses.dataclass(frozen=True)
class CellResults:
    """One cell on one task. `updates` is its budget; `flops` is the cost of one example's forward pass. `complete` is
    True if every planned seed has its result."""

    label: str
    hidden_size: int | None
    parameters: int | None
    reference_parameters: int | None
    learning_rate: float | None
    compile_seconds: float | None
    updates: int | None
    flops: float | None
    tuned: bool | None
    seeds: tuple[SeedResult, ...]
    curve: learning_curves.Curve
    complete: bool


@dataclasses.dataclass(frozen=True)
class TaskResults:
    """All cells on one task, in the order of training. `missing` cells were planned but not begun.

    `tunings` has the cells with draws. A cell interrupted during tuning is in `missing` too.
    """

    task: Task
    cells: tuple[CellResults, ...]
    missing: tuple[str, ...]
    tunings: tuple[tuning_draws.Tuning, ...] = ()

    @property
    def complete(self) -> tuple[CellResults, ...]:
        return tuple(cell for cell in self.cells if cell.complete)

    @property
    def labels(self) -> tuple[str, ...]:
        """All cells in the order of their colours: first the trained cells, then cells that were only tuned."""
        begun = tuple(cell.label for cell in self.cells)
        return begun + tuple(tuning.label for tuning in self.tunings if tuning.label not in begun)


def collect(run: records.Run) -> tuple[TaskResults, ...]:
    """Sorts a run's records by task and cell.

    Raises:
      records.RecordsError: the header lacks the task's name, metric or directions, or a record's task or cell was
        never described.
    """
    task = _task(run.header.task)
    described = {cell.cell: cell for cell in run.cells}
    for cell in run.cells:
        if cell.task != task.name:
            raise records.RecordsError(
                f"the cell {cell.cell!r} is of the task {cell.task!r}, which the header doesn't describe"
            )
    evaluations, results = _grouped(run.evaluations, task, described), _grouped(run.results, task, described)
    planned = run.header.config
    cells = tuple(
        _cell(task, record, evaluations.get(label, []), results.get(label, []), planned)
        for label, record in described.items()
    )
    missing = tuple(label for label in _planned_labels(planned) if label not in described)
    tunings = tuning_draws.tunings(run.draws, planned.get("tune") or {})
    return (TaskResults(task, cells, missing, tunings),)


def _task(fields: Mapping[str, Any]) -> Task:
    if not all(fields.get(k) for k in ("name", "metric")):
        raise records.RecordsError("the run header has no task with a name and a metric")
    metric, validation = str(fields["metric"]), str(fields.get("validation_metric") or fields["metric"])
    directions: dict[str, Any] = dict(fields.get("directions") or {})
    for name in (metric, validation):
        if directions.get(name) not in ("min", "max"):
            raise records.RecordsError(f"the direction of {name!r} is {directions.get(name)!r}; known: min, max")
    return Task(
        name=str(fields["name"]),
        metric=metric,
        directions=directions,
        validation_metric=validation,
        threshold=fields.get("threshold"),
        trivial=fields.get("trivial") or {},
        length=fields.get("length"),
        scaling=str(fields.get("scaling") or ""),
        application=Application.of(application) if (application := fields.get("application")) else None,
    )


Line = TypeVar("Line", records.Evaluation, records.Result)


def _grouped(lines: Iterable[Line], task: Task, described: Mapping[str, Any]) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        if line.cell not in described or line.task != task.name:
            raise records.RecordsError(f"a {line.kind} record is of the cell {line.cell!r}, which has no cell record")
        groups.setdefault(line.cell, []).append(line)
    return groups


def _planned_labels(config: Mapping[str, Any]) -> list[str]:
    """Returns the labels of the config's cells that `only` selects."""
    only = config.get("only") or ""
    selected = [name.strip() for name in only.split(",")] if isinstance(only, str) else list(only)
    return [label for label in config.get("cells") or {} if label in selected or not any(selected)]


def _cell(
    task: Task,
    record: records.Cell,
    evaluations: Sequence[records.Evaluation],
    results: Sequence[records.Result],
    planned: Mapping[str, Any],
) -> CellResults:
    # Each seed's last evaluation has a mean training loss; the result record only has the last batch's.
    losses = {line.seed: line.train_loss for line in evaluations}
    seeds = {line.seed: _seed_result(line, losses.get(line.seed)) for line in results}
    expected = planned.get("seeds") or len({line.seed for line in evaluations})
    return CellResults(
        label=record.cell,
        hidden_size=record.hidden_size,
        parameters=record.parameters,
        reference_parameters=record.reference_parameters,
        learning_rate=record.learning_rate,
        compile_seconds=_finite(record.time.get("compile_seconds")),
        updates=record.updates or planned.get("updates"),
        flops=_finite(record.flops),
        tuned=record.tuned,
        seeds=tuple(seeds[seed] for seed in sorted(seeds)),
        curve=learning_curves.curve(evaluations, task.on_validation().direction),
        complete=bool(seeds) and len(seeds) >= expected,
    )


def _seed_result(line: records.Result, train_loss: float | None) -> SeedResult:
    diverged = line.diverged_at is not None
    return SeedResult(
        seed=line.seed,
        updates=line.updates,
        selected_step=line.selected_step,
        train_loss=None if diverged else _finite(train_loss),
        validation_metric=None if diverged else _finite(line.validation_metric),
        test_loss=None if diverged else _finite(line.test_loss),
        test_metric=None if diverged else _finite(line.test_metric),
        steps_to_solve=line.steps_to_solve,
        diverged_at=line.diverged_at,
        last_good_loss=_finite(line.last_good_loss),
        ms_per_step=_finite(line.time.get("ms_per_step")),
        clipped_share=_finite(line.clipped_share),
        train_set_metric=None if diverged else _finite(line.train_set_metric),
        test_metrics={} if diverged else {name: _finite(v) for name, v in line.test_metrics.items()},
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
