"""From a config's words to anybody's module: which class, with what, and what it is called with."""

import importlib
import inspect
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gru_research.types import Batch

FIELDS = ("inputs", "lengths", "mask", "resets", "targets")
"""What of a batch a module may ask for by name."""
VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_OURS = str(Path(__file__).parents[1])
_PACKAGES = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
"""Where installed packages lie, whose lines say nothing of the user's own code."""
PLAIN: dict[str, type] = {kind.__name__: kind for kind in (int, float, bool, str)}


def find_class(text: str) -> Any:
    """The class that `package.module:Name` names. Raises ValueError."""
    module_name, colon, name = text.partition(":")
    if not (colon and all(part.isidentifier() for part in [*module_name.split("."), name])):
        raise ValueError(f"module={text!r} must be package.module:Class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as e:
        # Otherwise the module is there, and lacks something itself.
        if e.name and f"{module_name}.".startswith(f"{e.name}."):
            raise ValueError(f"module={text!r} can't be found: there is no module {e.name!r}") from e
        raise ValueError(f"module={text!r} can't be imported ({said(e)})") from e
    except Exception as e:  # whatever a user's module raises is for the user to read
        raise ValueError(f"module={text!r} can't be imported ({said(e)})") from e
    if not hasattr(module, name):
        raise ValueError(f"module={text!r} can't be found: {module_name} has no {name!r}")
    return getattr(module, name)


def arguments(
    function: Callable[..., Any], options: Mapping[str, Any], given: Mapping[str, Any], flax: tuple[str, ...]
) -> dict[str, Any]:
    """`options`, and of `given` what `function` takes; parameters named in `flax` are filled in by Flax or by us.

    Raises ValueError for an option that it doesn't take, one of another type than a plain annotation says, and one that
    is missing.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f"options={options!r} must be a group of fields")
    parameters = inspect.signature(function).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = (*given, *flax)
    own = {name: p for name, p in parameters.items() if name not in taken and p.kind not in VARIABLE}
    for name, value in options.items():
        if name not in own and (not anything or name in taken):
            raise ValueError(f"options.{name}={value!r} is unknown; choose from {', '.join(own)}")
        if name in own:
            _check_type(name, value, own[name].annotation)
    for name, parameter in own.items():
        if parameter.default is parameter.empty and name not in options:
            raise ValueError(f"options.{name} is missing")
    return {name: value for name, value in given.items() if name in parameters} | dict(options)


def said(error: Exception) -> str:
    """An error of somebody's code in one line: where in it, and what it says. Our own lines need no place."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, ValueError) and frames and frames[-1].filename.startswith(_OURS):
        return first
    theirs = [f for f in frames if not f.filename.startswith((*_PACKAGES, "<"))]
    where = f"{Path(theirs[-1].filename).name}, line {theirs[-1].lineno}: " if theirs else ""
    return f"{where}{type(error).__name__}: {first}"


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """Raises ValueError where `value` isn't what the annotation int, float, bool or str says, as a type or in words."""
    kind = PLAIN.get(annotation if isinstance(annotation, str) else getattr(annotation, "__name__", ""))
    if kind is None:
        return
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise ValueError(f"options.{name}={value!r} must be of type {kind.__name__}")


def call_by_name(module: Any, batch: Batch, train: bool) -> Any:
    """`module(...)` with what its `__call__` asks for by name: fields of the batch, and `train`. The first argument is
    the inputs, whatever its name."""
    rest = [p for p in inspect.signature(module.__call__).parameters.values() if p.kind is not p.VAR_KEYWORD]
    if not rest:
        raise ValueError(f"{type(module).__name__}.__call__ must take the inputs, and takes nothing")
    del rest[0]
    named = {name: batch[name] for name in FIELDS[1:] if name in batch}
    named["train"] = train
    return module(batch["inputs"], **{p.name: named[p.name] for p in rest if p.name in named})
