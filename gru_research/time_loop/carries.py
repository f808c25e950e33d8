"""The carry before each step, of a cell or a `Stack`."""

from typing import Any

import jax
from jax import lax

from gru_research.types import Array, Carry, Params

from .scan import select


def first_carry(recurrence: Any, params: Params, x: Array) -> Carry:
    """Returns the carry before the step that reads `x [*batch, I]`, in the types of a carry after a step."""
    first = recurrence.initial_carry(params, x.shape[:-1])
    after = jax.eval_shape(lambda: recurrence.step(params, first, x)[0])
    return jax.tree.map(lambda a, like: a.astype(like.dtype), first, after)


def carries_before(recurrence: Any, params: Params, xs_T: Array, real_T: Array | None = None) -> Carry:
    """Returns the carry before each step of `xs_T [T, *batch, I]`, leaves `[T, *batch, ...]`.

    It doesn't change at steps where `real_T [T, *batch]` is False.
    """

    def advance(carry: Carry, at: tuple[Array, Array | None]) -> tuple[Carry, Carry]:
        x, real = at
        new = recurrence.step(params, carry, x)[0]
        return (new if real is None else select(real, new, carry)), carry

    return lax.scan(advance, first_carry(recurrence, params, xs_T[0]), (xs_T, real_T))[1]
