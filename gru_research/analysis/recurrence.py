"""The recurrence that analyses take: an initial carry and a step, as cells and stacks have."""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from gru_research.cells.arguments import check_inputs, check_sequence
from gru_research.cells.shape_checks import flax_api, kind_of
from gru_research.time_loop import carries
from gru_research.time_loop.masks import check_lengths
from gru_research.types import Array, ArrayLike, Carry


class Recurrence(Protocol):
    """A cell, a `Stack` without a `Bidirectional`, or anything else with these two methods."""

    def initial_carry(self, params: Any, batch: Sequence[int]) -> Carry: ...
    def step(self, params: Any, carry: Any, x: Array) -> tuple[Carry, Array]: ...


def check_recurrence(cell: Any) -> None:
    """Raises TypeError where `cell` has no first carry or no step."""
    missing = [name for name in ("initial_carry", "step") if not callable(getattr(cell, name, None))]
    if isinstance(cell, type):
        raise TypeError(f"cell is the class {cell.__name__}: give an instance, as {cell.__name__}(hidden_size=8)")
    if (api := flax_api(cell)) is not None:
        adapter = {"nnx": "nnx.recurrence(cell)", "linen": "linen.Recurrence(cell)"}[api]
        raise TypeError(f"cell is a module of flax.{api}: give gru_research.adapters.{adapter}")
    if missing:
        raise TypeError(f"cell is {kind_of(cell)} and has no {' and no '.join(missing)}: give a cell or a Stack")


def check_smooth(carry: Carry) -> None:
    """Raises ValueError where a part of the carry is whole numbers, by which nothing can be differentiated."""
    for a in jax.tree.leaves(carry):
        if not jnp.issubdtype(a.dtype, jnp.inexact):
            raise ValueError(f"the carry has a part of type {a.dtype}, by which nothing can be differentiated")


def first_carry(cell: Recurrence, params: Any, x: Array) -> Carry:
    """The carry before the step that reads `x [*batch, I]`, in the types that it has after one, as `lax.scan` asks."""
    check_recurrence(cell)
    return carries.first_carry(cell, params, x)


def aligned_at_the_end(xs: ArrayLike, lengths: ArrayLike | None) -> tuple[Array, Array | None]:
    """`xs [*batch, T, I]` with every row moved so that its last real step is the last one, and which steps are then
    real, `[T, *batch]`; None where all are.

    Raises:
      ValueError: `lengths` isn't one a row, or not from 1 to T where values are known.
    """
    xs = check_sequence(xs)
    if lengths is None:
        return xs, None
    lengths = check_lengths(lengths, xs.shape[:-2], xs.shape[-2], least=1)
    steps = jnp.arange(xs.shape[-2]) - (xs.shape[-2] - lengths[..., None])
    moved = jnp.take_along_axis(xs, jnp.maximum(steps, 0)[..., None], -2)
    return moved, jnp.moveaxis(steps >= 0, -1, 0)


def carries_before(cell: Recurrence, params: Any, xs: ArrayLike, real_T: Array | None = None) -> tuple[Carry, Array]:
    """The carry before each step of `xs [*batch, T, I]`, leaves `[T, *batch, ...]`, and `xs` with time first.

    It doesn't change at steps where `real_T [T, *batch]` is False.

    Raises:
      ValueError: `xs` has no time and feature axis, or no step.
    """
    xs = check_inputs("xs", xs)
    if xs.ndim < 2 or not xs.shape[-2]:
        raise ValueError(f"xs has the shape {xs.shape}; it must have a time axis of at least 1 and a feature axis")
    check_recurrence(cell)
    xs_T = jnp.moveaxis(xs, -2, 0)
    return carries.carries_before(cell, params, xs_T, real_T), xs_T


def row_norm(tree: Any, batch: int) -> Array:
    """The Euclidean norm over all axes of all leaves but the first `batch` ones, which all leaves share."""
    squares = [jnp.sum(jnp.square(a.reshape(*a.shape[:batch], -1)), -1) for a in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def divide_rows(tree: Any, divisor: Array) -> Any:
    """The tree, whose leaves begin with the axes of `divisor`, divided by it row by row."""
    return jax.tree.map(lambda a: a / jnp.expand_dims(divisor, tuple(range(divisor.ndim, a.ndim))), tree)
