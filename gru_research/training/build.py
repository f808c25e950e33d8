"""Builds a config's task, cells and models, and fills in the options that it leaves out."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from gru_research.cells import Cell
from gru_research.config import CellConfig, ExperimentConfig, TaskConfig, UserError, call, to_mapping
from gru_research.data import DataDirs
from gru_research.models import MODELS, Model, SequenceModel, builder, no_generation, options_of
from gru_research.tasks import Task

from . import user_code

CELL = ("hidden_size", "init", "initial_carry", "project", "gates", "combine", "step", "hidden")
"""The attributes that a cell must have."""


def make_task(config: TaskConfig, dirs: DataDirs, learned: Mapping[str, Any] | None = None) -> Task:
    """Builds the task that a config names. A function with a parameter `dirs` gets the data directories.

    `learned` is what the task of an earlier run took from its training data, for functions with this parameter.
    """
    function = user_code.task_function(config)
    offered = {"dirs": dirs, "learned": learned}
    given = {name: value for name, value in offered.items() if name in inspect.signature(function).parameters}
    with user_code.errors("config.task.name", config.name):
        task = call(function, config.options, "config.task", given)
    if not isinstance(task, Task):
        raise UserError(f"config.task.name={config.name!r} gives {type(task).__name__}, and must give a Task")
    return task


def build_cell(cell: CellConfig, hidden_size: int) -> Cell:
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


def build_model(config: ExperimentConfig, task: Task, cell: CellConfig, hidden_size: int) -> Model:
    kind, given = config.model.kind, {"spec": task.spec, "cell": build_cell(cell, hidden_size)}
    with user_code.errors("config.model.kind", kind):
        model = call(builder(kind), config.model.options, "config.model", given)
    if not isinstance(model, Model):
        raise UserError(f"config.model.kind={kind!r} gives {type(model).__name__}, which has no init and apply")
    if task.samples and isinstance(model, SequenceModel) and model.bidirectional:
        raise UserError(
            f"config.model.bidirectional=True reads the very tokens that {task.name} asks for: leave it out"
        )
    own = task.application is not None and task.application.samples
    if (task.generates or own) and (reason := no_generation(model)):
        raise UserError(f"config.model.kind={config.model.kind!r} {reason}, and {task.name} asks for generated answers")
    return model


def with_model_options(config: ExperimentConfig) -> ExperimentConfig:
    """Returns the config with every option of its model filled in.

    Raises:
      UserError: there is no such kind of model, or an option belongs to another kind.
    """
    kind = config.model.kind
    known = inspect.signature(builder(kind)).parameters
    for name in config.model.options:
        others = [other for other in MODELS if name in options_of(other)]
        if others and name not in known and kind in MODELS:
            raise UserError(
                f"config.model.{name}={config.model.options[name]!r} is an option of kind="
                f"{', '.join(map(repr, others))}, here kind={kind!r}, which has {', '.join(options_of(kind))}"
            )
    options = _filled(to_mapping(options_of(kind)), config.model.options)
    return dataclasses.replace(config, model=dataclasses.replace(config.model, options=options))


def _filled(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `given` with missing values from `defaults`, also within groups."""
    whole = {**defaults, **given}
    groups = [name for name in defaults if isinstance(defaults[name], Mapping) and isinstance(whole[name], Mapping)]
    return whole | {name: _filled(defaults[name], whole[name]) for name in groups}


def size_unit(cell: CellConfig) -> int:
    """Returns the number that the hidden size must be a multiple of: the field that `size_unit` names, or 1."""
    kind = user_code.cell_function(cell)
    if not hasattr(kind, "size_unit"):
        return 1
    unit = cell.options.get(kind.size_unit, getattr(kind, kind.size_unit))  # pyright: ignore
    return unit if isinstance(unit, int) and unit > 0 else 1  # the cell itself rejects anything else
