"""The singular values of the Jacobian of the last carry by the first: by what factors perturbations come through."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from gru_research.cells.arguments import check_inputs, check_key
from gru_research.cells.checks import whole
from gru_research.types import Array, ArrayLike, Carry, PRNGKey

from .recurrence import Recurrence, carries_before, check_smooth


def log_singular_values(
    cell: Recurrence,
    params: Any,
    xs: ArrayLike,
    *,
    count: int | None = None,
    iterations: int = 10,
    key: PRNGKey | None = None,
) -> Array:
    """The natural logarithms of the singular values of `d carry_T / d carry_0`, largest first, along one sequence.

    The carry is the whole one, for an LSTM `(c, h)`. With `count=None` the product of the steps' Jacobians is made,
    scaled after each step so that it neither overflows nor underflows, and its singular values are all there, `[n]` of
    a carry of n numbers; those below the precision of the type relative to the largest are -inf. With `count` no
    Jacobian is made: the `count` largest come from block power iteration, forward through the steps and back again,
    with QR after every step, so that any range of them can be told apart. An iteration brings the i-th nearer by the
    square of its ratio to the next one.

    Args:
      cell: a cell, a `Stack`, or anything with their `initial_carry` and `step`.
      params: its parameters.
      xs: one sequence `[T, I]`.
      count: the number of singular values; None: all.
      iterations: of the power iteration.
      key: for its first directions; None: `jax.random.key(0)`.

    Raises:
      ValueError: `xs` isn't one sequence, `count` is more than the carry's size, or `iterations` below 1.
    """
    xs = check_inputs("xs", xs)
    if xs.ndim != 2:
        raise ValueError(f"xs has the shape {xs.shape}; it must be one sequence, [T, I]")
    iterations = whole("iterations", iterations, 1)
    before, xs_T = carries_before(cell, params, xs)
    check_smooth(before)
    flat, unflatten = ravel_pytree(jax.tree.map(lambda a: a[0], before))
    if count is not None:
        count = whole("count", count, 1, "a whole number up to the carry's size", most=flat.size)

    def push(directions: Array, at: Any) -> Array:
        carry, x = at
        step = _flat_step(cell, params, x, unflatten)
        return jax.vmap(jax.linearize(step, ravel_pytree(carry)[0])[1], 1, 1)(directions)

    def pull(directions: Array, at: Any) -> Array:
        carry, x = at
        step = _flat_step(cell, params, x, unflatten)
        return jax.vmap(jax.vjp(step, ravel_pytree(carry)[0])[1], 1, 1)(directions)[0]

    if count is None:
        return _of_product(jnp.eye(flat.size, dtype=flat.dtype), push, (before, xs_T))

    def sweep(function: Any, directions: Array, reverse: bool) -> tuple[Array, Array]:
        def one(state: tuple[Array, Array], at: Any) -> tuple[tuple[Array, Array], None]:
            directions, r = jnp.linalg.qr(function(state[0], at))
            return (directions, state[1] + jnp.log(jnp.abs(jnp.diagonal(r)))), None

        start = (directions, jnp.zeros(directions.shape[1], flat.dtype))
        return lax.scan(one, start, (before, xs_T), reverse=reverse)[0]

    def iterate(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        return sweep(pull, sweep(push, state[0], reverse=False)[0], reverse=True)

    drawn = jax.random.normal(jax.random.key(0) if key is None else check_key(key), (flat.size, count), flat.dtype)
    start = (jnp.linalg.qr(drawn)[0], jnp.zeros(count, flat.dtype))
    directions, _ = lax.fori_loop(0, iterations, iterate, start)
    return jnp.sort(sweep(push, directions, reverse=False)[1], descending=True)


def _flat_step(cell: Recurrence, params: Any, x: Array, unflatten: Any) -> Any:
    def step(flat: Array) -> Array:
        carry: Carry = cell.step(params, unflatten(flat), x)[0]
        return ravel_pytree(carry)[0]

    return step


def _of_product(identity: Array, push: Any, steps: Any) -> Array:
    def multiply(state: tuple[Array, Array], at: Any) -> tuple[tuple[Array, Array], None]:
        product = push(state[0], at)
        scale = jnp.linalg.norm(product)
        safe = jnp.where(scale > 0, scale, 1)
        return (product / safe, state[1] + jnp.log(scale)), None

    (product, log_scale), _ = lax.scan(multiply, (identity, jnp.zeros((), identity.dtype)), steps)
    values = jnp.linalg.svd(product, compute_uv=False)
    known = values > values[0] * len(values) * jnp.finfo(values.dtype).eps
    return jnp.where(known, jnp.log(jnp.where(known, values, 1)) + log_scale, -jnp.inf)
