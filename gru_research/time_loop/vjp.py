"""The time loop with its gradient written by hand.

The gradient that JAX derives for a scan sums the gradients of all weights step by step. Here the backward loop holds
only what depends on the cotangent of the carry: the products with the recurrent kernels, and a product with factors
that are computed for many steps at once. It returns the cotangents of the carry. The gradients of all weights and
inputs are then products over many steps. Both are done chunk by chunk where the arrays of all steps wouldn't fit the
cache. Forward and backward are plain jax.numpy, so that they can be differentiated again.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.dtypes import float0

from gru_research.cells import dtypes, gradients
from gru_research.types import Array, Carry, Params

from .gradient_sums import CastBack
from .options import UnrollOptions
from .scan import Run, in_chunks, in_place, join, scan, select, split, zero_unless

FORWARD_MODE = (
    "the hand-written gradient has no forward mode (jax.jvp, jax.jacfwd, jax.linearize); "
    "use options=UnrollOptions(backend='autodiff')"
)


def vjp(
    cell: Any, params: Params, reset_carry: Carry, options: UnrollOptions, reverse: bool, cast_back: CastBack
) -> Run:
    """A run that keeps the outputs, None with `options.outputs="none"`. `options` must be chosen."""

    def run(carry: Carry, steps: Any) -> tuple[Carry, Array | None]:
        with forward_mode_refused():
            result: Any = _run(cell, options, reverse, cast_back, params, reset_carry, carry, *steps)
        carry, ys = result
        # Made in the caller's order of axes and moved to the front here: XLA drops this where it is moved back.
        return carry, ys if ys is None or options.time_major else jnp.moveaxis(ys, -2, 0)

    return run


@contextlib.contextmanager
def forward_mode_refused() -> Iterator[None]:
    """Replaces JAX's TypeError for forward mode of a hand-written gradient by one that names the option."""
    try:
        yield
    except TypeError as e:
        if "forward-mode" not in str(e):
            raise
        raise TypeError(FORWARD_MODE) from e


@partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _run(
    cell: Any,
    options: UnrollOptions,
    reverse: bool,
    cast_back: CastBack,
    params: Params,
    reset_carry: Carry,
    carry: Carry,
    xs_T: Array,
    real_T: Array | None,
    reset_before_T: Array | None,
) -> tuple[Carry, Array | None]:
    params, reset_carry = cast_back(params, reset_carry)

    def step(params: Params, carry: Carry, p: Any) -> tuple[Carry, Array]:
        return cell.combine(carry, cell.gates(params, carry, p))

    def keep(real: Array | None, carry: Carry, y: Array) -> Array | None:
        return zero_unless(real, y) if options.outputs == "all" else None

    steps = xs_T, real_T, reset_before_T
    # On an accelerator a loop over chunks would cost launches, and writing in place isn't measured.
    if options.outputs == "all" and jax.default_backend() == "cpu":
        return in_place(cell, params, reset_carry, options, reverse, step)(carry, steps)
    run = scan(cell, params, reset_carry, options, reverse, step, keep)
    carry, ys = in_chunks(run, carry, steps, options.chunk or 0, reverse)
    return carry, ys if ys is None or options.time_major else jnp.moveaxis(ys, 0, -2)


def _forward(
    cell: Any,
    options: UnrollOptions,
    reverse: bool,
    cast_back: CastBack,
    params: Params,
    reset_carry: Carry,
    carry: Carry,
    xs_T: Array,
    real_T: Array | None,
    reset_before_T: Array | None,
) -> tuple[tuple[Carry, Array | None], Any]:
    """Stores each state once: the outputs are taken from the carries, after the loop."""
    params, reset_carry = cast_back(params, reset_carry)

    def keep(real: Array | None, next_carry: Carry, s: Any) -> Any:
        return next_carry, s if options.save == "gates" else None

    run = scan(cell, params, reset_carry, options, reverse, cell.advance, keep)
    final, (next_carry_T, s_T) = run(carry, (xs_T, real_T, reset_before_T))
    ys = None
    if options.outputs == "all":
        ys = zero_unless(real_T, cell.hidden(next_carry_T).astype(dtypes.compute_dtype(cell, params, xs_T)))
        ys = ys if options.time_major else jnp.moveaxis(ys, 0, -2)
    return (final, ys), (params, reset_carry, carry, xs_T, real_T, reset_before_T, next_carry_T, s_T)


def _backward(
    cell: Any, options: UnrollOptions, reverse: bool, cast_back: CastBack, saved: Any, cotangent: Any
) -> tuple[Any, ...]:
    del cast_back  # `saved` holds its results
    params, reset_carry, carry, xs_T, real_T, reset_before_T, next_carry_T, s_T = saved
    d_final, d_ys = cotangent
    d_ys_T = d_ys if d_ys is None or options.time_major else jnp.moveaxis(d_ys, -2, 0)
    transposed = gradients.transpose_kernels(
        params, dtypes.compute_dtype(cell, params, xs_T), rows=math.prod(xs_T.shape[1:-1])
    )
    hidden_back = jax.vjp(cell.hidden, carry)[1]

    def body(state: tuple[Carry, Carry], step: Any) -> tuple[tuple[Carry, Carry], Any]:
        d_next, d_reset_carry = state
        factors, d_y, real, reset_before = step
        d = d_next
        if d_y is not None:
            (d_hidden,) = hidden_back(d_y.astype(cell.hidden(carry).dtype))
            d = jax.tree.map(lambda a, b: a if b.dtype == float0 else a + b, d, d_hidden)
        d = zero_unless(real, d)
        d_previous, kept = cell.backward(transposed, factors, d)
        d_previous = jax.tree.map(lambda a, b: a.astype(b.dtype), d_previous, d)
        if real is not None:
            d_previous = select(real, d_previous, d_next)
        if reset_before is not None:
            ended = zero_unless(reset_before, d_previous)
            d_reset_carry = jax.tree.map(lambda total, d: total + d.astype(total.dtype), d_reset_carry, ended)
            d_previous = zero_unless(~reset_before, d_previous)
        return (d_previous, d_reset_carry), kept

    def backward_over(state: tuple[Carry, Carry], steps: Any) -> tuple[tuple[Carry, Carry], tuple[Params, Array]]:
        """Goes back over some steps: returns the state before them and the cotangents of parameters and inputs."""
        begin, xs_T, next_carry_T, s_T, d_ys_T, real_T, reset_before_T = steps
        previous_carry_T = jax.tree.map(partial(_shift, reverse=reverse), begin, next_carry_T)
        if reset_before_T is not None:
            previous_carry_T = select(reset_before_T, jax.tree.map(lambda a: a[None], reset_carry), previous_carry_T)
        if s_T is None:
            _, s_T = cell.advance(params, previous_carry_T, cell.project(params, xs_T))
        factors_T = cell.factors(params, previous_carry_T, next_carry_T, s_T)
        state, kept_T = lax.scan(
            body, state, (factors_T, d_ys_T, real_T, reset_before_T), reverse=not reverse, unroll=options.unroll
        )
        return state, cell.cotangents(params, xs_T, previous_carry_T, next_carry_T, s_T, factors_T, kept_T)

    state = jax.tree.map(_as_number, d_final, carry), jax.tree.map(_no_sum_yet, reset_carry)
    steps = xs_T, next_carry_T, s_T, d_ys_T, real_T, reset_before_T
    # In float32 or wider, as `params` are here. The cotangents of parameters that the cell doesn't use stay 0.
    none_yet = {name: _no_sum_yet(a) for name, a in params.items()}
    (d_carry, d_reset_carry), total, d_xs_T = _add_up(
        backward_over, carry, state, none_yet, steps, options.chunk or 0, reverse
    )
    d_reset_carry, d_carry = (
        jax.tree.map(_as_cotangent, d_reset_carry, reset_carry),
        jax.tree.map(_as_cotangent, d_carry, carry),
    )
    return total, d_reset_carry, d_carry, d_xs_T, None, None


_run.defvjp(_forward, _backward)


def _add_up(
    backward_over: Any, carry: Carry, state: Any, total: Params, steps: Any, size: int, reverse: bool
) -> tuple[Any, Params, Array]:
    """`backward_over` all steps, or chunks of `size` in backward order; adds the parameters' cotangents to `total`.

    `carry` is the one before the first step taken. Each chunk gets the carry before its own first step.
    """

    def chunk(sums: Any, steps: Any) -> tuple[Any, Array]:
        state, total = sums
        state, (d_params, d_xs_T) = backward_over(state, steps)
        return (state, total | {name: total[name] + d for name, d in d_params.items()}), d_xs_T

    time = steps[0].shape[0]
    if not size or size >= time:
        (state, total), d_xs_T = chunk((state, total), (carry, *steps))
        return state, total, d_xs_T
    chunks, left = split(steps, size, not reverse)
    last = 0 if reverse else -1  # of a chunk, in the order of the forward pass
    begin = carry if left is None else jax.tree.map(lambda a: a[last], left[1])
    ends = jax.tree.map(lambda a: a[:, last], chunks[1])
    begins = jax.tree.map(partial(_shift, reverse=reverse), begin, ends)
    (state, total), d_xs_T = lax.scan(chunk, (state, total), (begins, *chunks), reverse=not reverse)
    d_xs_left = None
    if left is not None:
        (state, total), d_xs_left = chunk((state, total), (carry, *left))
    return state, total, join(d_xs_T, d_xs_left, not reverse)


def _as_number(d: Array, a: Array) -> Array:
    """The cotangent `d` of a leaf `a` of the carry; zeros for integers, such as a count of steps."""
    return d if jnp.issubdtype(a.dtype, jnp.inexact) else _no_sum_yet(a)


def _no_sum_yet(a: Array) -> Array:
    """Zeros of the shape of `a`, for a sum in float32 or wider."""
    return jnp.zeros_like(a, dtype=dtypes.accumulation_dtype(a.dtype))


def _as_cotangent(d: Array, a: Array) -> Any:
    """Returns `d`, or for integers, which have no cotangent, the float0 zeros that JAX asks for."""
    return d if jnp.issubdtype(a.dtype, jnp.inexact) else np.zeros(a.shape, float0)


def _shift(begin: Array, next_carry_T: Array, reverse: bool) -> Array:
    """The state before each step, from those after each, by concatenation: an update in place costs a copy a step."""
    parts = [next_carry_T[1:], begin[None]] if reverse else [begin[None], next_carry_T[:-1]]
    return jnp.concatenate(parts)[: next_carry_T.shape[0]]  # none where there is no step
