"""Cells whose gates don't depend on their state: all steps at once, the states by an associative scan.

Such a cell's step is `h = a * h_prev + b` with a and b from its method `linear` (`cells/base.py`). A step
that isn't real has a = 1, b = 0; a reset before a step replaces `(a, b)` by `(0, a * first + b)`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.held import reading
from gru_research.types import Array, Carry, Params

from .choices import below
from .options import UnrollOptions
from .scan import Run, Steps, zero_unless
from .sums import Read


def parallel(
    cell: Any, params: Params, first: Carry, options: UnrollOptions, reverse: bool, anywhere: bool, read: Read
) -> Run:
    """A run of a cell with the method `linear` that keeps the outputs, None with `options.outputs="none"`.

    `anywhere`: an associative scan on every platform; else a step after the other on a CPU, where that is faster.
    """

    def run(carry: Carry, steps: Steps) -> tuple[Carry, Array | None]:
        xs_T, real_T, fresh_T = steps
        own, start = read(params, first)
        with reading(own, params):
            g = cell.gates(own, start, cell.project(own, xs_T))
        a_T, b_T = cell.linear(g, carry.dtype)
        if real_T is not None:
            real = real_T[..., None]
            a_T, b_T = jnp.where(real, a_T, 1), jnp.where(real, b_T, 0)
        if fresh_T is not None:
            fresh = fresh_T[..., None]
            a_T, b_T = jnp.where(fresh, 0, a_T), jnp.where(fresh, a_T * start + b_T, b_T)
        h_T = linear_recurrence(a_T, b_T, carry, reverse, anywhere)
        final = carry if below(h_T.shape[0], 1, otherwise=False) else h_T[0 if reverse else -1]
        if options.outputs == "none":
            return final, None
        return final, zero_unless(real_T, h_T.astype(jax.tree.leaves(g)[0].dtype))

    return run


def linear_recurrence(a_T: Array, b_T: Array, before: Array, reverse: bool = False, anywhere: bool = True) -> Array:
    """`h_T [T, ..., H]` of `h_t = a_t * h_{t-1} + b_t`, from the state `before [..., H]` the first step taken.

    An associative scan; with `anywhere` False a step after the other on a CPU, where that is faster. The
    gradient is the same recurrence the other way round, so that it needs a and h and no level of the scan;
    derivatives of any order and mode are right.
    """
    if below(b_T.shape[0], 1, otherwise=False):
        return b_T
    begin = -1 if reverse else 0
    b_T = b_T.at[begin].add(a_T[begin] * before)
    if jax.sharding.get_abstract_mesh().manual_axes:
        # Inside `shard_map` the solver's transpose wants both to vary over the same mesh axes.
        a_T, b_T = a_T + jnp.zeros_like(b_T), b_T + jnp.zeros_like(a_T)
    # Linear in b: the solution of h - a * (h of the step before) = b.
    return lax.custom_linear_solve(
        lambda h_T: h_T - a_T * _step_before(h_T, reverse),
        b_T,
        lambda _, b_T: _solve(a_T, b_T, reverse, anywhere),
        lambda _, b_T: _solve(_step_before(a_T, not reverse), b_T, not reverse, anywhere),
    )


def _solve(a_T: Array, b_T: Array, reverse: bool, anywhere: bool) -> Array:
    if not isinstance(b_T.shape[0], int):  # symbolic: JAX has no associative scan over any number of steps
        return _one_by_one(a_T, b_T, reverse)
    if anywhere:
        return _associative(a_T, b_T, reverse)
    return lax.platform_dependent(
        a_T,
        b_T,
        cpu=lambda a_T, b_T: _one_by_one(a_T, b_T, reverse),
        default=lambda a_T, b_T: _associative(a_T, b_T, reverse),
    )


def _associative(a_T: Array, b_T: Array, reverse: bool) -> Array:
    def compose(earlier: tuple[Array, Array], later: tuple[Array, Array]) -> tuple[Array, Array]:
        return later[0] * earlier[0], later[0] * earlier[1] + later[1]

    return lax.associative_scan(compose, (a_T, b_T), reverse=reverse)[1]


def _one_by_one(a_T: Array, b_T: Array, reverse: bool) -> Array:
    def step(h: Array, ab: tuple[Array, Array]) -> tuple[Array, Array]:
        h = ab[0] * h + ab[1]
        return h, h

    return lax.scan(step, jnp.zeros_like(b_T[0]), (a_T, b_T), reverse=reverse)[1]


def _step_before(a_T: Array, reverse: bool) -> Array:
    """`a_T` of the step taken before each, 0 for the first."""
    nothing = jnp.zeros_like(a_T[:1])
    return jnp.concatenate([a_T[1:], nothing] if reverse else [nothing, a_T[:-1]])
