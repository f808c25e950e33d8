"""From a config to what will run: the task, and for each cell its model, its size and its learning rate."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax

from gru_research import trackers
from gru_research.cells import Cell
from gru_research.config import (
    CellConfig,
    ExperimentConfig,
    TaskConfig,
    UserError,
    call,
    choose,
    split_names,
    to_mapping,
)
from gru_research.data import DataDirs
from gru_research.decoding import DECODERS
from gru_research.layers import has_cell_state
from gru_research.lookup import said
from gru_research.metrics import Additive, Collected, Metric
from gru_research.models import MODELS, Model, SequenceModel, builder, count_parameters, no_generation, options_of
from gru_research.tasks import Generated, Task
from gru_research.tasks.base import Loss
from gru_research.types import Batch

from . import evaluation_hooks, user_code
from .attention_examples import check_attend
from .evaluation import generate
from .flops import count_flops
from .optimizer import check_precision, make_optimizer

MATCH_TOLERANCE = 0.02
CELL = ("hidden_size", "init", "initial_carry", "project", "gates", "combine", "step", "hidden")
"""What a cell must have."""


def count_model_flops(model: Model, example: Batch) -> int:
    """Floating-point operations of one example's forward pass, at the task's length."""
    params = jax.eval_shape(model.init, jax.random.key(0), example)
    batch = {name: jax.ShapeDtypeStruct((1, *a.shape), a.dtype) for name, a in example.items()}
    return count_flops(model.apply, params, batch)


SIZES: dict[str, Callable[[Model, Batch], int]] = {
    "parameters": count_parameters,
    "flops": count_model_flops,
}
"""What can be matched by counting, from (model, example)."""


@dataclasses.dataclass(frozen=True)
class CellPlan:
    """One cell of the comparison, ready to train.

    `reference_parameters` is the size that it was to match, where parameters are matched; `flops` are those of the
    model's forward pass over one example; `scalars` are the optimiser's fields that are the cell's own.
    """

    label: str
    kind: str
    options: Mapping[str, Any]
    hidden_size: int
    model: Model
    parameters: int
    reference_parameters: int
    flops: int
    scalars: Mapping[str, float]
    updates: int
    eval_every: int

    def record(self) -> dict[str, Any]:
        """What a `cell` record says of it."""
        return {
            "cell": self.label,
            "cell_kind": self.kind,
            "options": dict(self.options),
            "hidden_size": self.hidden_size,
            "parameters": self.parameters,
            "reference_parameters": self.reference_parameters,
            "flops": self.flops,
            "updates": self.updates,
            **self.scalars,
        }


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a config describes, with every choice made. `files` are the user's own, with their sha256 by path."""

    config: ExperimentConfig
    task: Task
    cells: tuple[CellPlan, ...]
    warnings: tuple[str, ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(range(self.config.first_seed, self.config.first_seed + self.config.seeds))


def make_task(config: TaskConfig, dirs: DataDirs, learned: Mapping[str, Any] | None = None) -> Task:
    """The task that a config names; a function with a parameter `dirs` gets where data lie.

    `learned` is what the task of an earlier run took from its training data, for functions that ask for it.
    """
    function = user_code.task_function(config)
    offered = {"dirs": dirs, "learned": learned}
    given = {name: value for name, value in offered.items() if name in inspect.signature(function).parameters}
    with user_code.errors("config.task.name", config.name):
        task = call(function, config.options, "config.task", given)
    if not isinstance(task, Task):
        raise UserError(f"config.task.name={config.name!r} gives {type(task).__name__}, and must give a Task")
    return task


def make_plan(config: ExperimentConfig, dirs: DataDirs = DataDirs(), learned: Mapping[str, Any] | None = None) -> Plan:
    """Builds the task and the models and chooses the hidden sizes. `learned` goes to `make_task`.

    With `match="time"` cells without a hidden size have the reference's: `resolve_measured` gives them theirs.

    Raises:
      UserError: an unknown task, cell, optimiser or option, or a value out of its range.
    """
    trackers.check(split_names(config.trackers))
    evaluation_hooks.check(config.probes)
    config = with_model_options(config)
    task = make_task(config.task, dirs, learned)
    if config.train_examples and isinstance(task.data, Generated):
        raise UserError(
            f"config.train_examples={config.train_examples} is for stored data: {task.name} is generated, without end"
        )
    for cell in config.cells:  # those that `only` leaves out too: a mistake there is still a mistake
        _build_model(config, task, cell, cell.hidden_size or size_unit(cell))
        dtype = getattr(_build_cell(cell, cell.hidden_size or size_unit(cell)), "param_dtype", None)
        if dtype is not None:
            check_precision(config.optimizer, f"config.cells.{cell.label}.param_dtype", dtype)
    zoneout_cell = config.model.options.get("zoneout_cell")
    if zoneout_cell and not any(
        has_cell_state(_build_cell(cell, cell.hidden_size or size_unit(cell))) for cell in config.cells
    ):
        raise UserError(f"config.model.zoneout_cell={zoneout_cell!r} acts on no cell here: none has a cell state")
    reference = next(cell for cell in config.cells if cell.label == config.reference)
    warnings = list(task.warnings)
    cells = tuple(
        _plan_cell(config, task, cell, reference, warnings)
        for cell in config.cells
        if cell.label in config.selected_labels
    )
    return Plan(config, task, cells, tuple(warnings), user_code.files(config, task, data=learned is None))


def _plan_cell(
    config: ExperimentConfig, task: Task, cell: CellConfig, reference: CellConfig, warnings: list[str]
) -> CellPlan:
    def count(which: CellConfig, hidden_size: int) -> int:
        return SIZES[config.match](_build_model(config, task, which, hidden_size), task.spec.example)

    # Before sizes are counted, which a model that can't be made doesn't have.
    smallest = _build_model(config, task, cell, cell.hidden_size or size_unit(cell))
    check_outputs(smallest, task, f"config.model.kind={config.model.kind!r} with {cell.label}")
    hidden_size = cell.hidden_size or 0
    if config.match != "none" and cell.label != config.reference:
        assert reference.hidden_size
        hidden_size = reference.hidden_size
        if config.match in SIZES:
            hidden_size = _matched_size(config, cell, reference, count, warnings)
        elif config.match == "time":
            hidden_size = math.ceil(hidden_size / size_unit(cell)) * size_unit(cell)
        if cell.hidden_size not in (None, hidden_size):
            warnings.append(
                f"cells.{cell.label}.hidden_size={cell.hidden_size} is not used: match={config.match!r} "
                f"makes it {hidden_size} (match='none' uses each cell's own)"
            )
    if config.tune.draws and cell.learning_rate is not None:
        warnings.append(f"cells.{cell.label}.learning_rate={cell.learning_rate:g} is not used: config.tune chooses it")
    model = _build_model(config, task, cell, hidden_size)
    updates = cell.updates or config.updates
    scalars = {"learning_rate": cell.learning_rate or config.optimizer.learning_rate}
    _check_optimizer(config, cell, updates, scalars)
    return CellPlan(
        label=cell.label,
        kind=cell.kind,
        options=cell.options,
        hidden_size=hidden_size,
        model=model,
        parameters=count_parameters(model, task.spec.example),
        reference_parameters=count(reference, reference.hidden_size or 0) if config.match == "parameters" else 0,
        flops=count_model_flops(model, task.spec.example),
        scalars=scalars,
        updates=updates,
        eval_every=math.ceil(updates / config.evaluations) if config.evaluations else config.eval_every,
    )


def _check_optimizer(config: ExperimentConfig, cell: CellConfig, updates: int, scalars: Mapping[str, float]) -> None:
    """Raises UserError where training or tuning couldn't begin, before anything runs."""
    measured = config.seconds > 0 and cell.updates is None  # how many updates it will be isn't known yet
    counts = [config.optimizer.warmup + 1 if measured else updates]
    if config.tune.draws and config.tune.updates:
        counts.append(config.tune.updates)
    for count in counts:
        make_optimizer(config.optimizer, count, scalars)


def _matched_size(
    config: ExperimentConfig,
    cell: CellConfig,
    reference: CellConfig,
    count: Callable[[CellConfig, int], int],
    warnings: list[str],
) -> int:
    """The hidden size that makes a cell as large as the reference, by what `config.match` counts."""
    assert reference.hidden_size
    unit = size_unit(cell)
    wanted = count(reference, reference.hidden_size)
    hidden_size = unit * nearest_size(lambda units: count(cell, units * unit), wanted)
    if abs((found := count(cell, hidden_size)) / wanted - 1) > MATCH_TOLERANCE:
        warnings.append(
            f"{cell.label} has {found:,} {config.match}, {config.reference} {wanted:,}: "
            f"more than {MATCH_TOLERANCE:.0%} apart, and no hidden size comes nearer"
        )
    return hidden_size


def nearest_size(count: Callable[[int], float], wanted: float, high: int = 2) -> int:
    """The hidden size, at least 1, whose `count` is nearest to `wanted`.

    `count` must grow with the size: bisection, not a search through all of them, after doubling from `high` on.
    """
    low = 1
    while count(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda size: abs(count(size) - wanted))


def _build_cell(cell: CellConfig, hidden_size: int) -> Cell:
    path = f"config.cells.{cell.label}"
    function = user_code.cell_function(cell)
    with user_code.errors(f"{path}.kind", cell.kind):
        made = call(function, cell.options, path, {"hidden_size": hidden_size})
    if missing := [name for name in CELL if not hasattr(made, name)]:
        raise UserError(
            f"{path}.kind={cell.kind!r} gives {type(made).__name__}, which is no cell: it has no {', '.join(missing)}; "
            "a whole model is named by config.model.kind"
        )
    return made


def with_model_options(config: ExperimentConfig) -> ExperimentConfig:
    """The config with every option of its model filled in.

    Raises:
      UserError: there is no such kind of model, or an option is another kind's.
    """
    kind = config.model.kind
    known = inspect.signature(builder(kind)).parameters
    for name in config.model.options:
        others = [other for other in MODELS if name in options_of(other)]
        if others and name not in known and kind in MODELS:
            raise UserError(
                f"config.model.{name}={config.model.options[name]!r} is an option of kind="
                f"{' and '.join(map(repr, others))}, here kind={kind!r}, which has {', '.join(options_of(kind))}"
            )
    options = _filled(to_mapping(options_of(kind)), config.model.options)
    return dataclasses.replace(config, model=dataclasses.replace(config.model, options=options))


def _filled(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given`, groups within it too, with `defaults` where it leaves something out."""
    whole = {**defaults, **given}
    groups = [name for name in defaults if isinstance(defaults[name], Mapping) and isinstance(whole[name], Mapping)]
    return whole | {name: _filled(defaults[name], whole[name]) for name in groups}


def _build_model(config: ExperimentConfig, task: Task, cell: CellConfig, hidden_size: int) -> Model:
    kind, given = config.model.kind, {"spec": task.spec, "cell": _build_cell(cell, hidden_size)}
    with user_code.errors("config.model.kind", kind):
        model = call(builder(kind), config.model.options, "config.model", given)
    if not isinstance(model, Model):
        raise UserError(f"config.model.kind={kind!r} gives {type(model).__name__}, which has no init and apply")
    if task.continues and isinstance(model, SequenceModel) and model.bidirectional:
        raise UserError(
            f"config.model.bidirectional=True reads the very tokens that {task.name} asks for: leave it out"
        )
    if task.generates and (reason := no_generation(model)):
        raise UserError(f"config.model.kind={config.model.kind!r} {reason}, and {task.name} asks for generated answers")
    return model


def check_outputs(model: Model, task: Task, what: str) -> None:
    """Raises UserError where a model can't be made or called, has nothing to train, or has outputs of another shape
    than the task asks for. `what` names it."""
    key, wanted = jax.random.key(0), task.spec.output_shape()
    batch = {name: jax.ShapeDtypeStruct((2, *a.shape), a.dtype) for name, a in task.spec.example.items()}
    try:
        params = jax.eval_shape(model.init, key, task.spec.example)
        # As in training: there a module may ask for random numbers that nobody gives it.
        outputs = jax.eval_shape(model.apply, params, batch, key)
    except Exception as e:  # whatever a user's model raises is for the user to read
        raise UserError(f"{what} fails ({said(e)})") from e
    if not any(math.prod(a.shape) for a in jax.tree.leaves(params)):
        raise UserError(f"{what} has no parameters to train")
    if wanted is None:
        return
    found = getattr(outputs, "shape", None)
    if found != (2, *wanted):
        shown = found or jax.tree.map(lambda a: a.shape, outputs)
        raise UserError(
            f"{what} gives outputs of shape {shown} for 2 examples, and {task.name} asks for {(2, *wanted)}"
        )


def check_measures(model: Model, task: Task, examples: Mapping[str, Any]) -> None:
    """Raises UserError where a task's loss, answers or metrics can't be made of a model's outputs for such examples, or
    where the model's attention isn't one."""
    batch = {name: jax.ShapeDtypeStruct((2, *a.shape[1:]), a.dtype) for name, a in examples.items()}
    params = jax.eval_shape(model.init, jax.random.key(0), task.spec.example)
    prepared = jax.eval_shape(task.prepare, batch)
    read = {"outputs": jax.eval_shape(model.apply, params, prepared)}
    if task.generates:
        choose(f"{task.name}: answer's name", task.answer.get("name"), DECODERS)
        try:
            read["answers"] = jax.eval_shape(
                lambda params, batch: generate(model, task, params, batch), params, prepared
            )
        except (TypeError, ValueError) as e:
            raise UserError(f"{task.name}: answer={dict(task.answer)!r} can't be generated ({_first_line(e)})") from e
    check_attend(model, task, params, prepared)
    _check_measure(task, "loss", task.loss, read["outputs"], prepared)
    for name, metric in task.metrics.items():
        _check_measure(task, f"metric {name!r}", metric, read[metric.of], prepared)


def _check_measure(task: Task, name: str, measure: Metric | Loss, read: Any, batch: Batch) -> None:
    """Raises UserError where a loss or a metric can't be made of what it reads."""
    function = measure.statistics if isinstance(measure, Additive | Collected) else measure
    of = measure.of if isinstance(measure, Additive | Collected) else "outputs"
    try:
        found = jax.eval_shape(function, read, batch)
    except Exception as e:  # whatever a user's metric raises is for the user to read
        raise UserError(f"{task.name}: its {name} doesn't fit the model's {of} ({_first_line(e)})") from e
    shapes = [a.shape for a in jax.tree.leaves(found)]
    if isinstance(measure, Additive):
        fits, wanted = isinstance(found, Mapping) and set(shapes) == {(2,)}, "arrays [B] by name"
    elif isinstance(measure, Collected):
        fits = isinstance(found, Mapping) and shapes and all(shape[:1] == (2,) for shape in shapes)
        wanted = "arrays [B, ...] by name"
    else:
        fits, wanted = shapes == [(2,), (2,)], "(values [B], weights [B])"
    if not fits:
        raise UserError(f"{task.name}: its {name} gives arrays of shapes {shapes} for B=2, and must give {wanted}")


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def size_unit(cell: CellConfig) -> int:
    """What the hidden size must be a multiple of: the value of the field that the cell names as `size_unit`, or 1."""
    kind = user_code.cell_function(cell)
    if not hasattr(kind, "size_unit"):
        return 1
    unit = cell.options.get(kind.size_unit, getattr(kind, kind.size_unit))  # pyright: ignore
    return unit if isinstance(unit, int) and unit > 0 else 1  # anything else is the cell's to refuse
