"""How the gradient of a loss at the end reaches back: its norm against the lag."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.types import Array, ArrayLike, Carry, PRNGKey

from .recurrence import Recurrence, carries_before, divide_rows, row_norm


def gradient_flow(
    cell: Recurrence, params: Any, xs: ArrayLike, *, cotangent: ArrayLike | None = None, key: PRNGKey | None = None
) -> Array:
    """The natural logarithm of `|dL / d carry_(T-k)|` at the lags k = 1 to T, `[*batch, T]`, for each row alone.

    The norm is over the whole carry: for an LSTM over `(c, h)`, since h alone hides the path through the cell state.
    The gradient is scaled to norm 1 after every step and the logarithm of its norm kept, so that it doesn't underflow.
    A gradient that is 0 has -inf.

    Args:
      cell: a cell, a `Stack`, or anything with their `initial_carry` and `step`.
      params: its parameters.
      xs: inputs `[*batch, T, I]`.
      cotangent: `dL / d y_T [*batch, H]` of the loss L that is asked about; None: a random direction of norm 1 for
        each row, drawn from `key` (None: `jax.random.key(0)`).

    Raises:
      ValueError: `xs` or `cotangent` has a shape that doesn't fit.
    """
    before, xs_T = carries_before(cell, params, xs)
    batch = xs_T.ndim - 2

    last = jax.tree.map(lambda a: a[-1], before)
    y, back = jax.vjp(lambda carry: cell.step(params, carry, xs_T[-1])[1], last)
    if cotangent is None:
        drawn = jax.random.normal(jax.random.key(0) if key is None else key, y.shape, y.dtype)
        cotangent = divide_rows(drawn, row_norm(drawn, batch))
    elif jnp.shape(cotangent) != y.shape:
        raise ValueError(f"cotangent has the shape {jnp.shape(cotangent)}; the output's is {y.shape}")
    unit, log_norm = _unit(back(jnp.asarray(cotangent, y.dtype))[0], batch)

    def step_back(state: tuple[Carry, Array], inputs: Any) -> tuple[tuple[Carry, Array], Array]:
        (unit, log_norm), (carry, x) = state, inputs
        _, back = jax.vjp(lambda carry: cell.step(params, carry, x)[0], carry)
        unit, growth = _unit(back(unit)[0], batch)
        return (unit, log_norm + growth), log_norm + growth

    earlier = jax.tree.map(lambda a: a[:-1], (before, xs_T))
    _, rest = lax.scan(step_back, (unit, log_norm), earlier, reverse=True)
    return jnp.moveaxis(jnp.concatenate([log_norm[None], rest[::-1]]), 0, -1)


def _unit(tree: Carry, batch: int) -> tuple[Carry, Array]:
    """The tree with norm 1 in every row, and the logarithm of the norm it had; rows of 0 stay 0, with -inf."""
    norm = row_norm(tree, batch)
    return divide_rows(tree, jnp.where(norm > 0, norm, 1)), jnp.log(norm)


def half_life(log_norms: ArrayLike) -> Array:
    """In how many steps the gradient halves, `[...]` from the logarithms of its norms at the lags 1 to T `[..., T]`.

    It is that of the exponential through the least-squares line over all lags; infinite where the line doesn't fall,
    0 where some norm is 0.

    Raises:
      ValueError: fewer than 2 lags.
    """
    logs = jnp.asarray(log_norms)
    if logs.ndim < 1 or logs.shape[-1] < 2:
        raise ValueError(f"log_norms has the shape {logs.shape}; a line needs at least 2 lags")
    lags = jnp.arange(logs.shape[-1], dtype=logs.dtype)
    lags = lags - lags.mean()
    slope = jnp.sum(lags * logs, -1) / jnp.sum(lags * lags)
    falling = jnp.log(2.0) / jnp.where(slope < 0, -slope, 1)
    return jnp.where(jnp.isneginf(logs).any(-1), 0.0, jnp.where(slope < 0, falling, jnp.inf))
