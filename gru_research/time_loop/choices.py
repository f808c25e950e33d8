"""Which of its ways a time loop takes: from the shapes and the platform, never by timing."""

import dataclasses
import math
from typing import Any

import jax

from gru_research.cells.base import MULTIPLY_ADD_LIMIT
from gru_research.types import Array

from .options import UnrollOptions

ALL_CORES = 2**23
"""From so many multiplications on, XLA divides a product in a loop among a CPU's cores (jax 0.10.2: measured with
products of 2 to 17 million; those up to 4.2 ran on one core, those from 8.4 on two)."""


def choose(cell: Any, xs_T: Array, options: UnrollOptions, with_gates: bool) -> UnrollOptions:
    """`options` with every choice made, for inputs `[T, *batch, I]`.

    Raises:
      ValueError: a backend that the cell doesn't have.
    """
    return dataclasses.replace(
        options,
        backend=_backend(cell, options, with_gates),
        hoist=_hoist(cell, xs_T) if options.hoist is None else options.hoist,
        save="gates" if options.save == "auto" else options.save,
        chunk=0 if options.chunk is None else options.chunk,
    )


def _backend(cell: Any, options: UnrollOptions, with_gates: bool) -> str:
    has = {"parallel": hasattr(cell, "linear"), "vjp": getattr(cell, "has_vjp", False), "autodiff": True}
    there = [name for name, it_has in has.items() if it_has]
    if options.backend not in ("auto", *there):
        choices = ", ".join(["auto", *there])
        raise ValueError(f"backend={options.backend!r} isn't there for {cell}; choose from {choices}")
    if with_gates:
        return "autodiff"
    return there[0] if options.backend == "auto" else options.backend


def _hoist(cell: Any, xs_T: Array) -> bool:
    """Whether inputs are projected in one product over all steps, outside the loop.

    On an accelerator always: it spares launches. On a CPU that product uses all cores, where one of a single step
    doesn't; but it is written to memory and read again, which is a loss where the step's own products are large
    enough for all cores, or so small that they are a multiply and an add.
    """
    if jax.default_backend() != "cpu":
        return True
    multiplications = math.prod(xs_T.shape[1:-1]) * cell.hidden_size**2
    return xs_T.shape[-1] > MULTIPLY_ADD_LIMIT and multiplications < ALL_CORES
