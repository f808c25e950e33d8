"""Lyapunov exponents: at which rates perturbations of the carry grow or shrink, step by step."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from gru_research.cells.arguments import check_inputs, check_key
from gru_research.cells.checks import whole
from gru_research.types import Array, ArrayLike, PRNGKey

from .recurrence import Recurrence, check_smooth, first_carry


def lyapunov_exponents(
    cell: Recurrence,
    params: Any,
    xs: ArrayLike,
    *,
    count: int | None = None,
    discard: int = 0,
    key: PRNGKey | None = None,
) -> Array:
    """The largest `count` exponents along one sequence `xs [T, I]`, in nats a step, largest first `[count]`.

    Perturbations of the whole carry (for an LSTM of `(c, h)`) are carried along by forward differentiation and made
    orthonormal by QR after every step; an exponent is the mean logarithm of a diagonal element of R (Benettin et al.
    1980, Meccanica 15). Above 0 perturbations, and gradients, explode; all below 0, the past is forgotten.

    Args:
      count: the number of exponents; None: all, one for each number of the carry.
      discard: the number of steps at the start that don't count, while the directions settle.
      key: for the first directions; None: `jax.random.key(0)`.

    Raises:
      ValueError: `xs` isn't one sequence, `count` is more than the carry's size, or `discard` leaves no step.
    """
    xs = check_inputs("xs", xs)
    if xs.ndim != 2:
        raise ValueError(f"xs has the shape {xs.shape}; it must be one sequence, [T, I]")
    discard = whole("discard", discard, 0, "a number of steps that leaves one", most=xs.shape[0] - 1)
    first = first_carry(cell, params, xs[0])
    check_smooth(first)
    flat, unflatten = ravel_pytree(first)
    if count is not None:
        count = whole("count", count, 1, "a whole number up to the carry's size", most=flat.size)
    else:
        count = flat.size

    def grow(state: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
        carry, directions = state

        def step(carry: Array) -> Array:
            return ravel_pytree(cell.step(params, unflatten(carry), x)[0])[0]

        new, push = jax.linearize(step, carry)
        directions, r = jnp.linalg.qr(jax.vmap(push, 1, 1)(directions))
        return (new, directions), jnp.log(jnp.abs(jnp.diagonal(r)))

    drawn = jax.random.normal(jax.random.key(0) if key is None else check_key(key), (flat.size, count), flat.dtype)
    _, growth = lax.scan(grow, (flat, jnp.linalg.qr(drawn)[0]), xs)
    return jnp.sort(growth[discard:].mean(0), descending=True)
