"""Fills in the options of a config's task, model and cells that the config leaves at their defaults."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from gru_research.cells import INITIALIZERS
from gru_research.config import ExperimentConfig, to_mapping

from .build import with_model_options
from .user_code import cell_function, task_function

NOT_OPTIONS = ("dirs", "learned", "hidden_size")
"""Parameters of tasks and cells that aren't options."""


def with_every_option(config: ExperimentConfig) -> dict[str, Any]:
    """Returns a valid config as plain values, with types and initialisers by the names that a config uses.

    A value without a name, such as a user's own initialiser, is shown by its `repr`.
    """
    mapping = to_mapping(with_model_options(config))
    found: list[tuple[Any, Callable[..., Any]]] = [(mapping["task"], task_function(config.task))]
    found += [(mapping["cells"][cell.label], cell_function(cell)) for cell in config.cells]
    for group, function in found:
        group |= {name: value for name, value in _defaults(function).items() if name not in group}
    return _plain(mapping)


def options_of_task(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the options of a task's function with their defaults, as plain values, without calling it."""
    return _plain(_defaults(function))


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.name not in NOT_OPTIONS}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    for name, initializer in INITIALIZERS.items():
        if isinstance(value, type(initializer)) and value == initializer:
            return name
    other: Any = value
    try:
        return jnp.dtype(other).name
    except TypeError:
        return repr(value)
