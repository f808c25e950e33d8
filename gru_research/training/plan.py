"""Makes a plan from a config: the task, and for each cell its model, its size and its learning rate."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from gru_research import trackers
from gru_research.config import CellConfig, ExperimentConfig, UserError, split_names
from gru_research.data import DataDirs
from gru_research.layers import has_cell_state
from gru_research.models import Model, count_parameters
from gru_research.tasks import Generated, Task

from . import evaluation_hooks, user_code
from .build import build_cell, build_model, make_task, size_unit, with_model_options
from .check_shapes import check_outputs
from .optimizer import check_precision, make_optimizer
from .sizes import SIZES, count_model_flops, matched_size


@dataclasses.dataclass(frozen=True)
class CellPlan:
    """One cell of the comparison, ready to train.

    `reference_parameters` is the number of parameters to match, where parameters are matched. `flops` counts the
    model's forward pass over one example. `scalars` are the cell's own fields of the optimiser.
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
        """Returns the fields of the cell's `cell` record."""
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
    """A config with every choice made. `files` has the sha256 of the user's own files by path."""

    config: ExperimentConfig
    task: Task
    cells: tuple[CellPlan, ...]
    warnings: tuple[str, ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(range(self.config.first_seed, self.config.first_seed + self.config.seeds))


def make_plan(config: ExperimentConfig, dirs: DataDirs = DataDirs(), learned: Mapping[str, Any] | None = None) -> Plan:
    """Builds the task and the models and chooses the hidden sizes. `learned` is passed to `make_task`.

    With `match="time"`, cells without a hidden size get the reference's until `resolve_measured` sets their own.

    Raises:
      UserError: a task, cell, optimiser or option is unknown, or a value is out of its range.
    """
    trackers.check(split_names(config.trackers))
    evaluation_hooks.check(config.probes)
    config = with_model_options(config)
    task = make_task(config.task, dirs, learned)
    if config.train_examples and isinstance(task.data, Generated):
        raise UserError(
            f"config.train_examples={config.train_examples} is for stored data: {task.name} is generated, without end"
        )
    if config.length_buckets > 1 and (isinstance(task.data, Generated) or not task.data.padded):
        raise UserError(
            f"config.length_buckets={config.length_buckets} is for stored sequences that are padded by their lengths: "
            f"{task.name} has none"
        )
    for cell in config.cells:  # including cells that `only` leaves out, to find their mistakes too
        build_model(config, task, cell, cell.hidden_size or size_unit(cell))
        dtype = getattr(build_cell(cell, cell.hidden_size or size_unit(cell)), "param_dtype", None)
        if dtype is not None:
            check_precision(config.optimizer, f"config.cells.{cell.label}.param_dtype", dtype)
    zoneout_cell = config.model.options.get("zoneout_cell")
    if zoneout_cell and not any(
        has_cell_state(build_cell(cell, cell.hidden_size or size_unit(cell))) for cell in config.cells
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
        return SIZES[config.match](build_model(config, task, which, hidden_size), task.spec.example)

    # This comes before sizes are counted, which needs a model that can be made.
    smallest = build_model(config, task, cell, cell.hidden_size or size_unit(cell))
    check_outputs(smallest, task, f"config.model.kind={config.model.kind!r} with {cell.label}")
    hidden_size = cell.hidden_size or 0
    if config.match != "none" and cell.label != config.reference:
        assert reference.hidden_size
        hidden_size = reference.hidden_size
        if config.match in SIZES:
            hidden_size = matched_size(config, cell, reference, count, warnings)
        elif config.match == "time":
            hidden_size = math.ceil(hidden_size / size_unit(cell)) * size_unit(cell)
        if cell.hidden_size not in (None, hidden_size):
            warnings.append(
                f"cells.{cell.label}.hidden_size={cell.hidden_size} is not used: match={config.match!r} "
                f"makes it {hidden_size} (match='none' uses each cell's own)"
            )
    if config.tune.draws and cell.learning_rate is not None:
        warnings.append(f"cells.{cell.label}.learning_rate={cell.learning_rate:g} is not used: config.tune chooses it")
    model = build_model(config, task, cell, hidden_size)
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
    """Raises UserError where training or tuning couldn't start, before anything runs."""
    measured = config.seconds > 0 and cell.updates is None  # the number of updates isn't known yet
    counts = [config.optimizer.warmup + 1 if measured else updates]
    if config.tune.draws and config.tune.updates:
        counts.append(config.tune.updates)
    for count in counts:
        make_optimizer(config.optimizer, count, scalars)
