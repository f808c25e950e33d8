"""Which of its ways a time loop takes: from the shapes and the platform, never by timing."""

import dataclasses
import math
from typing import Any

import jax

from gru_research.types import Array

from .options import UnrollOptions


def choose(cell: Any, xs_T: Array, options: UnrollOptions, with_gates: bool) -> UnrollOptions:
    """`options` with every choice made, for inputs `[T, *batch, I]`.

    Raises:
      ValueError: a backend that the cell doesn't have.
    """
    rows = math.prod(xs_T.shape[1:-1])
    return dataclasses.replace(
        options,
        backend=_backend(cell, options, with_gates),
        hoist=_hoist(rows, xs_T.shape[-1]) if options.hoist is None else options.hoist,
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


def _hoist(rows: int, features: int) -> bool:
    """Outside the loop the products are fewer and larger, but written to memory and read again.

    On a CPU that costs as much as it saves, but for a single row, where a product in the loop only waits for the
    kernel; on an accelerator every operation in the loop counts.
    """
    if jax.default_backend() == "cpu":
        return rows == 1 and features > 2
    return True
