"""Runs cells whose gates don't depend on their state: all steps at once, the states by an associative scan.

Such a cell's step is `h = a * h_prev + b` with a and b from its method `linear` (`cells/base.py`). A step that isn't
real has a = 1, b = 0. A reset before a step adds `a * reset_carry` to b, and the step then ignores `h_prev`. It isn't
multiplied with 0, so that not even NaN passes.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.wide_params import remember_casts
from gru_research.types import Array, Carry, Params

from .auto_options import below
from .gradient_sums import CastBack
from .options import UnrollOptions
from .scan import Run, Steps, zero_unless

LEVELS = 7
"""The number of times that an associative scan joins neighbouring steps before it goes step by step."""


def parallel(
    cell: Any,
    params: Params,
    reset_carry: Carry,
    options: UnrollOptions,
    reverse: bool,
    anywhere: bool,
    cast_back: CastBack,
) -> Run:
    """A run of a cell with the method `linear` that keeps the outputs, None with `options.outputs="none"`.

    `anywhere`: an associative scan on every platform; else step by step on a CPU, where that is faster.
    """

    def run(carry: Carry, steps: Steps) -> tuple[Carry, Array | None]:
        xs_T, real_T, reset_before_T = steps
        own, start = cast_back(params, reset_carry)
        with remember_casts(own, params):
            g = cell.gates(own, start, cell.project(own, xs_T))
        a_T, b_T = cell.linear(g, carry.dtype)
        if real_T is not None:
            real = real_T[..., None]
            a_T, b_T = jnp.where(real, a_T, 1), jnp.where(real, b_T, 0)
        cut_T = None if reset_before_T is None else reset_before_T[..., None]
        if cut_T is not None:
            b_T = jnp.where(cut_T, a_T * jnp.where(cut_T, start[None], 0) + b_T, b_T)
        h_T = linear_recurrence(a_T, b_T, carry, reverse, anywhere, cut_T)
        final = carry if below(h_T.shape[0], 1, otherwise=False) else h_T[0 if reverse else -1]
        if options.outputs == "none":
            return final, None
        return final, zero_unless(real_T, h_T.astype(jax.tree.leaves(g)[0].dtype))

    return run


def linear_recurrence(
    a_T: Array, b_T: Array, before: Array, reverse: bool = False, anywhere: bool = True, cut_T: Array | None = None
) -> Array:
    """`h_T [T, ..., H]` of `h_t = a_t * h_{t-1} + b_t`, from the state `before [..., H]` the first step taken.

    Where `cut_T [T, ..., 1]` is True, `h_t = b_t`, whatever h was before. With `anywhere` False a CPU goes step by
    step, which is faster there; else it is an associative scan. The gradient is the same recurrence in the other
    direction, so that it keeps a and h alone and no level of the scan. Derivatives of any order and mode are right.
    """
    if below(b_T.shape[0], 1, otherwise=False):
        return b_T
    begin = -1 if reverse else 0
    b_T = b_T.at[begin].add(a_T[begin] * (before if cut_T is None else jnp.where(cut_T[begin], 0, before)))
    if jax.sharding.get_abstract_mesh().manual_axes:
        # Inside `shard_map` the solver's transpose wants both to vary over the same mesh axes.
        a_T, b_T = a_T + jnp.zeros_like(b_T), b_T + jnp.zeros_like(a_T)
    back_cut_T = None if cut_T is None else _step_before(cut_T, not reverse)
    # Linear in b: the solution of h - a * (h of the step before) = b.
    return lax.custom_linear_solve(
        lambda h_T: h_T - a_T * _zero_where(cut_T, _step_before(h_T, reverse)),
        b_T,
        lambda _, b_T: _solve(a_T, b_T, cut_T, reverse, anywhere),
        lambda _, b_T: _solve(_step_before(a_T, not reverse), b_T, back_cut_T, not reverse, anywhere),
    )


def _solve(a_T: Array, b_T: Array, cut_T: Array | None, reverse: bool, anywhere: bool) -> Array:
    if not isinstance(b_T.shape[0], int):  # symbolic: JAX has no associative scan over any number of steps
        return _one_by_one(a_T, b_T, cut_T, reverse)
    if anywhere:
        return _associative(a_T, b_T, cut_T, reverse)
    return lax.platform_dependent(
        a_T,
        b_T,
        cut_T,
        cpu=lambda a_T, b_T, cut_T: _one_by_one(a_T, b_T, cut_T, reverse),
        default=lambda a_T, b_T, cut_T: _associative(a_T, b_T, cut_T, reverse),
    )


Joined = tuple[Array, Array, Array | None]
"""Some steps joined to one: h after them is `a * h + b`, or b where one of them was cut."""


def _associative(a_T: Array, b_T: Array, cut_T: Array | None, reverse: bool) -> Array:
    """An associative scan of `LEVELS` levels, each of which joins neighbours to half as many steps.

    The T / 2^LEVELS joined steps that remain are taken one by one. Further levels would make the program grow with T.
    """
    steps = jax.tree.map(lambda a: jnp.flip(a, 0), (a_T, b_T, cut_T)) if reverse else (a_T, b_T, cut_T)
    h_T = _join(steps, LEVELS)
    return jnp.flip(h_T, 0) if reverse else h_T


def _join(steps: Joined, levels: int) -> Array:
    """The states `[n, ...]` after each of n steps, from 0."""
    n = steps[1].shape[0]
    if n == 1:
        return steps[1]
    if not levels:
        return _one_by_one(*steps, reverse=False)
    earlier, later = (jax.tree.map(lambda a, s=start: a[s : n - 1 + s : 2], steps) for start in (0, 1))
    second = _join(_compose(earlier, later), levels - 1)  # after the steps 1, 3, ...
    before = jnp.concatenate([jnp.zeros_like(second[:1]), second])[: (n + 1) // 2]
    first = _after(before, jax.tree.map(lambda a: a[::2], steps))  # after the steps 0, 2, ...
    pairs = jnp.stack([first[: n // 2], second], 1).reshape(n // 2 * 2, *first.shape[1:])
    return jnp.concatenate([pairs, first[n // 2 :]]) if n % 2 else pairs


def _one_by_one(a_T: Array, b_T: Array, cut_T: Array | None, reverse: bool) -> Array:
    def step(h: Array, one: Joined) -> tuple[Array, Array]:
        h = _after(h, one)
        return h, h

    return lax.scan(step, jnp.zeros_like(b_T[0]), (a_T, b_T, cut_T), reverse=reverse)[1]


def _compose(earlier: Joined, later: Joined) -> Joined:
    (a, b, cut), (a_later, _, cut_later) = earlier, later
    either = None if cut is None or cut_later is None else cut | cut_later
    return a_later * a, _after(b, later), either


def _after(h: Array, steps: Joined) -> Array:
    a, b, cut = steps
    return a * h + b if cut is None else jnp.where(cut, b, a * h + b)


def _zero_where(cut: Array | None, a: Array) -> Array:
    return a if cut is None else jnp.where(cut, 0, a)


def _step_before(a_T: Array, reverse: bool) -> Array:
    """`a_T` of the step taken before each, 0 for the first."""
    nothing = jnp.zeros_like(a_T[:1])
    return jnp.concatenate([a_T[1:], nothing] if reverse else [nothing, a_T[:-1]])
