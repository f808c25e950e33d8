"""Which of its ways a time loop takes: from the shapes and the platform, never by timing."""

import dataclasses
from typing import Any

import jax

from gru_research.cells.base import MULTIPLY_ADD_LIMIT
from gru_research.types import Array

from .options import UnrollOptions


def choose(cell: Any, xs_T: Array, options: UnrollOptions, with_gates: bool) -> UnrollOptions:
    """`options` with every choice made, for inputs `[T, *batch, I]`.

    Raises:
      ValueError: a backend that the cell doesn't have.
    """
    return dataclasses.replace(
        options,
        backend=_backend(cell, options, with_gates),
        hoist=_hoist(xs_T.shape[-1]) if options.hoist is None else options.hoist,
        save="gates" if options.save == "auto" else options.save,
        chunk=0 if options.chunk is None else options.chunk,
    )


def _backend(cell: Any, options: UnrollOptions, with_gates: bool) -> str:
    has = {"vjp": getattr(cell, "has_vjp", False), "parallel": hasattr(cell, "linear"), "autodiff": True}
    if options.backend != "auto" and not has[options.backend]:
        ways = ", ".join(["auto", *(name for name, there in has.items() if there)])
        raise ValueError(f"backend={options.backend!r} isn't there for {cell}; choose from {ways}")
    if with_gates:
        return "autodiff"
    return (
        next(name for name in ("parallel", "vjp", "autodiff") if has[name])
        if options.backend == "auto"
        else (options.backend)
    )


def _hoist(features: int) -> bool:
    """One product over all steps uses all cores of a CPU, where those of single steps seldom do, and spares an
    accelerator launches. But with so few features that a product is a multiply and an add, it only costs memory.
    """
    return features > MULTIPLY_ADD_LIMIT or jax.default_backend() != "cpu"
