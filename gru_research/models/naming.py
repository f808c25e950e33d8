"""From a config's words to anybody's module: which class, with what, and what it is called with."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gru_research.types import Batch

FIELDS = ("inputs", "lengths", "mask", "resets", "targets")
"""What of a batch a module may ask for by name."""


def find_class(text: str) -> Any:
    """The class that `package.module:Name` names. Raises ValueError."""
    module_name, colon, name = text.partition(":")
    if not (colon and module_name and name):
        raise ValueError(f"module={text!r} must be package.module:Class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as e:
        if e.name and not f"{module_name}.".startswith(f"{e.name}."):
            raise  # the module is there, and lacks something itself
        raise ValueError(f"module={text!r} can't be found: there is no module {e.name!r}") from e
    if not hasattr(module, name):
        raise ValueError(f"module={text!r} can't be found: {module_name} has no {name!r}")
    return getattr(module, name)


def arguments(function: Callable[..., Any], options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`options`, and of `given` what `function` takes. Raises ValueError for an option that it doesn't take."""
    parameters = inspect.signature(function).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in options:
        if name not in parameters and not anything:
            raise ValueError(f"options.{name}={options[name]!r} is unknown; choose from {', '.join(parameters)}")
    return {name: value for name, value in given.items() if name in parameters and name not in options} | dict(options)


def call_by_name(module: Any, batch: Batch, train: bool) -> Any:
    """`module(...)` with what its `__call__` asks for by name: fields of the batch, and `train`. The first argument is
    the inputs, whatever its name."""
    first, *rest = [p for p in inspect.signature(module.__call__).parameters.values() if p.kind is not p.VAR_KEYWORD]
    del first
    named = {name: batch[name] for name in FIELDS[1:] if name in batch}
    named["train"] = train
    return module(batch["inputs"], **{p.name: named[p.name] for p in rest if p.name in named})
