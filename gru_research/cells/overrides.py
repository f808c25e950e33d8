"""Finds out whether a subclass or an instance overrides what a class's sequence methods rely on.

A hand-written gradient, or the form `h = a * h_prev + b`, repeats the maths of `project`, `gates` and `combine`. It is
right for the class that wrote it. A subclass that redefines one of these methods, or a helper of theirs, inherits the
repetition without its own change, and so does an instance on which a method was replaced. Such a cell runs under
autodiff, which calls the cell at every step.
"""

import dataclasses
import functools
import types
from typing import Any

SEQUENCE_GRADIENT = ("advance", "factors", "backward", "cotangents")
"""The methods that together are a gradient written by hand."""
LINEAR = ("linear",)
"""The method that lets all steps be computed together."""
STEP_PARTS = ("project", "gates", "combine")
FREE = frozenset({"init", "initial_carry", "_abc_impl", "_is_protocol"})
"""What a subclass may redefine without a change to the maths of a step; the last two are Python's own."""


def defining_class(cell: Any, methods: tuple[str, ...]) -> type | None:
    """Returns the class that wrote `methods`, where they are valid for `cell`; else None.

    They are valid where one class defines all of them and the cell overrides nothing else of that class. Fields may
    have other values and defaults; `init`, `initial_carry` and special methods may be redefined.
    """
    return None if why_overridden(cell, methods) else _writer(type(cell), methods)


def why_overridden(cell: Any, methods: tuple[str, ...]) -> str:
    """Why `methods` aren't valid for `cell`, as a clause such as "Leaky redefines combine"; "" where they are."""
    cls = type(cell)
    missing = [name for name in methods if not hasattr(cls, name)]
    if missing:
        return f"{cls.__name__} has no {', '.join(missing)}"
    writer = _writer(cls, methods)
    for below in cls.__mro__[: cls.__mro__.index(writer)]:
        names = sorted(name for name, value in vars(below).items() if _redefines(writer, name, value))
        if names:
            return f"{below.__name__} redefines {', '.join(names)} of {writer.__name__}"
    names = sorted(name for name in getattr(cell, "__dict__", ()) if _replaces(writer, name))
    return f"this {cls.__name__} has its {', '.join(names)} replaced" if names else ""


def check_step(cell: Any) -> None:
    """Raises ValueError where `cell.step` was redefined: a time loop composes its three parts itself."""
    if redefined := why_step_overridden(cell):
        raise ValueError(
            f"{redefined}, which a time loop doesn't call: it composes project, gates and combine; redefine those"
        )


def why_step_overridden(cell: Any) -> str:
    """Why `cell.step` isn't the composition of `project`, `gates` and `combine`, as a clause; "" where it is.

    A class may define `step` together with all three. A `step` that a subclass or an instance redefines alone is
    another one, and no loop would call it.
    """
    cls = type(cell)
    if "step" in getattr(cell, "__dict__", ()):
        return f"this {cls.__name__} has its step replaced"
    definers = [c for c in cls.__mro__ if "step" in vars(c)]
    if len(definers) > 1 and not all(part in vars(definers[0]) for part in STEP_PARTS):
        return f"{definers[0].__name__} redefines step"
    return ""


def _writer(cls: type, methods: tuple[str, ...]) -> type:
    """The class that defines the last of `methods` in the order of lookup, or where that is no cell, the first below it
    that is one."""
    mro = cls.__mro__
    furthest = max(next(i for i, c in enumerate(mro) if name in vars(c)) for name in methods)
    return next((c for c in mro[furthest::-1] if all(hasattr(c, part) for part in STEP_PARTS)), mro[furthest])


def _redefines(writer: type, name: str, value: Any) -> bool:
    """Whether `value` in a class below `writer` changes the maths of a step."""
    if name == "__getattribute__":
        return True
    if name in _fields(writer):  # its default is no change, but a property in its place is
        return hasattr(type(value), "__set__") and not isinstance(value, types.MemberDescriptorType)
    return name not in FREE and not _special(name) and hasattr(writer, name)


def _replaces(writer: type, name: str) -> bool:
    """Whether an instance's attribute `name` hides what `writer` has."""
    if name in _fields(writer) or name in FREE or _special(name):
        return False
    return hasattr(writer, name) and not isinstance(getattr(writer, name), functools.cached_property)


def _special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


@functools.lru_cache(maxsize=256)
def _fields(cls: type) -> frozenset[str]:
    return frozenset(f.name for f in dataclasses.fields(cls)) if dataclasses.is_dataclass(cls) else frozenset()
