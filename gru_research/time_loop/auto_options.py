"""Resolves the "auto" options of a time loop from shapes and platform, never by timing."""

import dataclasses
import math
from typing import Any

import jax

from gru_research.cells.base import MULTIPLY_ADD_LIMIT
from gru_research.cells.overrides import LINEAR, SEQUENCE_GRADIENT, why_overridden
from gru_research.cells.shape_checks import check_parts
from gru_research.types import Array

from .options import UnrollOptions

ALL_CORES = 2**23
"""The number of multiplications from which XLA divides a product in a loop among a CPU's cores. A rule of thumb (jax
0.10.2, two cores): with 128 units up to 6.3 million ran on one core, with 512 units 8.4 million and more on two. With
large kernels the limit is lower."""
CHUNK_BYTES = 2**20
"""The largest size of one gate's values of a chunk on a CPU. About ten such arrays are in use together and should fit
the cache."""
SHORTEST_CHUNK = 8
SHORTEST_NATIVE = 8
"""With fewer steps, packing the weights for the native engine costs more than it saves."""
WHOLE_BYTES = 2**22
"""Up to this size of one gate's values of all steps, a loop over chunks costs more than it saves."""


def choose(cell: Any, xs_T: Array, options: UnrollOptions, with_gates: bool, not_native: str | None) -> UnrollOptions:
    """`options` for inputs `[T, *batch, I]` with every choice made but `hoist`, which each loop makes for its steps.

    `not_native`: why the native engine can't run the layer; None where it can.

    Raises:
      ValueError: a backend that the cell doesn't have.
      TypeError: a cell with `has_vjp` that lacks a part of the gradient.
    """
    return dataclasses.replace(
        options,
        backend=_backend(cell, xs_T, options, with_gates, not_native),
        save="gates" if options.save == "auto" else options.save,
        chunk=_chunk(cell, xs_T, options),
        # Chunks that are checkpointed are joined along the first axis.
        time_major=options.time_major or bool(options.checkpoint),
    )


def hoist(cell: Any, xs_T: Array) -> bool:
    """Whether the inputs of these steps are projected in one product, outside the loop.

    On an accelerator always: it spares launches. On a CPU the one product uses all cores, but a result larger than the
    cache is written to memory and read again. That is a loss where a step's own products are large enough for all
    cores, and always where they are a multiply and an add.
    """
    if jax.default_backend() != "cpu":
        return True
    if xs_T.shape[-1] <= MULTIPLY_ADD_LIMIT:
        return False
    step_on_one_core = below(math.prod(xs_T.shape[1:-1]) * cell.hidden_size**2, ALL_CORES, otherwise=True)
    return step_on_one_core or below(xs_T.shape[0] * _step_bytes(cell, xs_T), CHUNK_BYTES + 1, otherwise=True)


def below(size: Any, limit: int, otherwise: bool) -> bool:
    """Whether `size < limit`; `otherwise` where the size is symbolic, as in `jax.export`."""
    return size < limit if isinstance(size, int) else otherwise


def _backend(cell: Any, xs_T: Array, options: UnrollOptions, with_gates: bool, not_native: str | None) -> str:
    written = {}
    if callable(getattr(cell, "linear", None)):
        written["parallel"] = LINEAR
    if getattr(cell, "has_vjp", False):
        check_parts(cell, (*SEQUENCE_GRADIENT, "hidden"), "has_vjp")
        written["native"] = SEQUENCE_GRADIENT
        written["vjp"] = SEQUENCE_GRADIENT
    changes = {name: why_overridden(cell, methods) for name, methods in written.items()}
    if not_native is not None:
        changes["native"] = changes.get("native") or not_native
    there = [*(name for name, changed in changes.items() if not changed), "autodiff"]
    if options.backend not in ("auto", *there):
        why = changes.get(options.backend)
        because = f", as {why}" if why else ""
        choices = ", ".join(["auto", *there])
        raise ValueError(f"backend={options.backend!r} isn't there for {cell}{because}; choose from {choices}")
    if with_gates:
        return "autodiff"
    if options.backend != "auto":
        return options.backend
    if there[0] == "native" and (xs_T.shape[0] < SHORTEST_NATIVE or _for_xla(options)):
        return there[1]
    return there[0]


def _for_xla(options: UnrollOptions) -> bool:
    """Whether an option of XLA's loop alone is set."""
    of_xla = (options.unroll, options.save, options.chunk, options.hoist)
    return of_xla != (1, "auto", None, None)


def _chunk(cell: Any, xs_T: Array, options: UnrollOptions) -> int:
    """The chunk size: 0 on an accelerator and for short runs, else one that fits the cache, if possible a divisor of T.

    At least SHORTEST_CHUNK: the sums of all weights' gradients are read and written once a chunk. 0 for a symbolic
    number of steps, which can't be divided into chunks.
    """
    time = xs_T.shape[0]
    if not isinstance(time, int):
        return 0
    if options.chunk is not None:
        return options.chunk
    time = min(options.checkpoint or time, time)
    all_bytes = time * _step_bytes(cell, xs_T)
    if jax.default_backend() != "cpu" or below(all_bytes, WHOLE_BYTES + 1, otherwise=True):
        return 0
    most = max(SHORTEST_CHUNK, CHUNK_BYTES // _step_bytes(cell, xs_T))
    return next((size for size in range(most, max(most // 2, SHORTEST_CHUNK - 1), -1) if time % size == 0), most)


def _step_bytes(cell: Any, xs_T: Array) -> int:
    """One gate's values of one step, in float32."""
    return 4 * math.prod(xs_T.shape[1:-1]) * cell.hidden_size
