"""Models made of Flax modules that a config names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gru_research.cells import Cell
from gru_research.spec import Spec

from .base import Model
from .naming import arguments, find_class


def linen(
    spec: Spec,
    cell: Cell,
    *,
    module: str = f"{__package__}.linen:Recurrent",
    options: Mapping[str, Any] = MappingProxyType({}),
    rngs: tuple[str, ...] = ("dropout",),
) -> Model:
    """A Linen module, made with `options` and, where it takes them, the task's `spec` and the comparison's `cell`.

    Args:
      module: its class, as package.module:Class. It is called with the inputs and with what else of `lengths`, `mask`,
        `resets`, `targets` and `train` its `__call__` asks for by name.
      rngs: the names of the streams of random numbers that it draws from in training.
    """
    if spec.answers == "generated":
        raise ValueError("kind='linen' can't generate, which the task asks for; kind='encoder_decoder' can")
    # Here, as Flax takes a second to import, which no other model needs.
    from flax.linen import Module

    from .linen import LinenModel

    cls = find_class(module)
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise ValueError(f"module={module!r} must be a class of flax.linen.Module")
    return LinenModel(cls(**arguments(cls, options, {"spec": spec, "cell": cell}, ("parent", "name"))), rngs=rngs)


def nnx(
    spec: Spec,
    cell: Cell,
    *,
    module: str = f"{__package__}.nnx:Recurrent",
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Model:
    """An NNX module, made with `options`, `rngs` and, where it takes them, the task's `spec` and the comparison's
    `cell`.

    Args:
      module: its class, as package.module:Class. It is called with the inputs and with what else of `lengths`, `mask`,
        `resets`, `targets` and `train` its `__call__` asks for by name.
    """
    if spec.answers == "generated":
        raise ValueError("kind='nnx' can't generate, which the task asks for; kind='encoder_decoder' can")
    from flax.nnx import Module

    from .nnx import NNXModel

    cls = find_class(module)
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise ValueError(f"module={module!r} must be a class of flax.nnx.Module")
    given = arguments(cls.__init__, options, {"spec": spec, "cell": cell}, ("self", "rngs"))
    make: Any = cls
    return NNXModel(lambda rngs: make(**given, rngs=rngs))
