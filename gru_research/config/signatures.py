"""Checks a config's options against the signature of the function that takes them, and calls it."""

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import numpy as np

from .errors import FileError, UserError
from .names import check_known, choose

T = TypeVar("T")
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def call(
    function: Callable[..., T], options: Any, path: str, given: Mapping[str, Any] = types.MappingProxyType({})
) -> T:
    """Calls `function(**options, **given)` after checking `options` against its signature.

    Unknown names, values of another type than annotated, missing arguments, and any ValueError that the function
    raises become a UserError that starts with `path`. A FileError passes unchanged.
    """
    if not isinstance(options, Mapping):
        raise UserError(f"{path}={options!r} must be a group of fields")
    signature = inspect.signature(function).parameters
    parameters = {n: p for n, p in signature.items() if n not in given and p.kind not in _VARIABLE}
    hints = hints_of(function)
    values = {}
    for name, value in options.items():
        if not any(p.kind is p.VAR_KEYWORD for p in signature.values()) or name in given:
            check_known(path, name, parameters)
        values[name] = _typed(f"{path}.{name}", without_numpy_scalars(value), hints.get(name, Any))
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in values:
            raise UserError(f"{path}.{name} is missing")
    try:
        return function(**values, **given)
    except FileError:
        raise
    except ValueError as e:
        raise UserError(f"{path}.{e}") from e


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the type hints of a function's parameters, without names that its module can't resolve, such as those
    imported only for type checkers."""
    annotated = function.__init__ if inspect.isclass(function) else function
    try:
        return typing.get_type_hints(annotated)
    except (NameError, TypeError, AttributeError):
        found = inspect.signature(function).parameters.items()
        return {n: p.annotation for n, p in found if not isinstance(p.annotation, str) and p.annotation is not p.empty}


def _typed(path: str, value: Any, hint: Any) -> Any:
    """Returns `value` in the type of `hint`: an int becomes a float; anything else must match."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        return call(hint, value, path)
    if hint is Any or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return value
    if origin is Literal:
        return choose(path, value, arguments)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        rest = [a for a in arguments if a is not type(None)]
        return _typed(path, value, rest[0]) if len(rest) == 1 else value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            raise UserError(f"{path}={value!r} must be {len(kinds)} values")
        return tuple(_typed(f"{path}[{i}]", v, kind) for i, (v, kind) in enumerate(zip(value, kinds, strict=True)))
    if origin is tuple:
        raise UserError(f"{path}={value!r} must be values in parentheses")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError as e:
            raise UserError(f"{path} is a whole number of {len(str(value))} digits, beyond the largest float") from e
    if hint is float and isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path}={value!r} must be finite")
    if hint in (int, float, str, bool) and (not isinstance(value, hint) or (hint is int and isinstance(value, bool))):
        raise UserError(f"{path}={value!r} must be {_TYPE_NAMES[hint]}")
    return value


def without_numpy_scalars(value: Any) -> Any:
    """Replaces NumPy scalars, which JSON can't hold, by Python numbers."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {name: without_numpy_scalars(part) for name, part in value.items()}
    return type(value)(map(without_numpy_scalars, value)) if type(value) in (list, tuple) else value
