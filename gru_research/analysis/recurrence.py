"""What an analysis asks of a recurrence: a first carry and a step, as cells and stacks of them have."""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.types import Array, ArrayLike, Carry


class Recurrence(Protocol):
    """A cell, a `Stack` without a `Bidirectional`, or anything else with these two methods."""

    def initial_carry(self, params: Any, batch: Sequence[int]) -> Carry: ...
    def step(self, params: Any, carry: Any, x: Array) -> tuple[Carry, Array]: ...


def first_carry(cell: Recurrence, params: Any, x: Array) -> Carry:
    """The carry before the step that reads `x [*batch, I]`, in the types that it has after one, as `lax.scan` asks."""
    first = cell.initial_carry(params, x.shape[:-1])
    after = jax.eval_shape(lambda: cell.step(params, first, x)[0])
    return jax.tree.map(lambda a, like: a.astype(like.dtype), first, after)


def carries_before(cell: Recurrence, params: Any, xs: ArrayLike) -> tuple[Carry, Array]:
    """The carry before each step of `xs [*batch, T, I]`, leaves `[T, *batch, ...]`, and `xs` with time first.

    Raises:
      ValueError: `xs` has no time and feature axis, or no step.
    """
    xs = jnp.asarray(xs)
    if xs.ndim < 2 or not xs.shape[-2]:
        raise ValueError(f"xs has the shape {xs.shape}; it must have a time axis of at least 1 and a feature axis")
    xs_T = jnp.moveaxis(xs, -2, 0)

    def advance(carry: Carry, x: Array) -> tuple[Carry, Carry]:
        return cell.step(params, carry, x)[0], carry

    return lax.scan(advance, first_carry(cell, params, xs_T[0]), xs_T)[1], xs_T


def row_norm(tree: Any, batch: int) -> Array:
    """The Euclidean norm over all axes of all leaves but the first `batch` ones, which all leaves share."""
    squares = [jnp.sum(jnp.square(a.reshape(*a.shape[:batch], -1)), -1) for a in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def divide_rows(tree: Any, divisor: Array) -> Any:
    """The tree, whose leaves begin with the axes of `divisor`, divided by it row by row."""
    return jax.tree.map(lambda a: a / divisor.reshape(*divisor.shape, *(1,) * (a.ndim - divisor.ndim)), tree)
