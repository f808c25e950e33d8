"""Makes models of a user's function, class with init and apply, or Flax module's class."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from gru_research.cells import Cell
from gru_research.config import UserError, hints_of
from gru_research.spec import Spec

from .base import Model

GIVEN = ("spec", "cell")
"""The arguments that we pass by name: the task's spec and the comparison's cell."""
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_RESERVED = {"linen": ("parent", "name"), "nnx": ("self", "rngs"), "": ()}
"""Parameters of Flax's classes that Flax or we fill in."""


def builder(field: str, name: str, found: Any) -> Callable[..., Model]:
    """`(spec, cell, *, options) -> Model`, with the options that `found` takes in its signature.

    Raises:
      UserError: it can't be called, or its signature is unknown.
    """
    if not callable(found):
        raise UserError(f"{field}={name!r} must be a function or a class, not {found!r}")
    kind = flax_kind(found)
    try:  # NNX's metaclass takes anything
        taken = inspect.signature(found.__init__ if kind == "nnx" else found).parameters.values()
    except ValueError as e:
        raise UserError(f"{field}={name!r} says nothing of its parameters, so it can't be called") from e
    parameters = {p.name: p for p in taken if p.name not in _RESERVED[kind]}
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def make(spec: Spec, cell: Cell, **options: Any) -> Model:
        given = {key: value for key, value in zip(GIVEN, (spec, cell), strict=True) if anything or key in parameters}
        return _of(kind, found, given | options)

    own = [p for p in parameters.values() if p.name not in GIVEN]
    first = [inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD) for key in GIVEN]
    plain = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.kind not in _VARIABLE]
    rest = [p for p in own if p.kind is p.VAR_KEYWORD]
    setattr(make, "__signature__", inspect.Signature([*first, *plain, *rest]))  # noqa: B010
    make.__annotations__ = {key: hint for key, hint in hints_of(found).items() if key in parameters}
    return make


def _of(kind: str, found: Any, given: dict[str, Any]) -> Model:
    if kind == "linen":
        from .linen import LinenModel

        return LinenModel(found(**given))
    if kind == "nnx":
        from .nnx import NNXModel

        return NNXModel(lambda rngs: found(**given, rngs=rngs))
    made = found(**given)
    if "flax" in sys.modules:
        from flax import linen

        if isinstance(made, linen.Module):
            from .linen import LinenModel

            return LinenModel(made)
    return made


def flax_kind(found: Any) -> str:
    """ "linen" or "nnx" for a class of their modules; "" for anything else."""
    if isinstance(found, type) and "flax" in sys.modules:  # otherwise it can't be one
        from flax import linen, nnx

        return "linen" if issubclass(found, linen.Module) else "nnx" if issubclass(found, nnx.Module) else ""
    return ""
