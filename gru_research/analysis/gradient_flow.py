"""How the gradient of a loss at the end reaches back: its norm against the lag."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.arguments import check_inputs, check_key
from gru_research.types import Array, ArrayLike, Carry, PRNGKey

from .recurrence import Recurrence, aligned_at_the_end, carries_before, check_smooth, divide_rows, row_norm


def gradient_flow(
    cell: Recurrence,
    params: Any,
    xs: ArrayLike,
    *,
    cotangent: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    key: PRNGKey | None = None,
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
      lengths: `[*batch]`, from 1 to T: T is each row's own, the lags count from its last real step, and those that
        it doesn't have are NaN. None: all steps are real.

    Raises:
      ValueError: `xs`, `cotangent` or `lengths` has a shape that doesn't fit, or where values are known (outside
        `jit`) a length isn't from 1 to T.
    """
    xs, real_T = aligned_at_the_end(xs, lengths)
    before, xs_T = carries_before(cell, params, xs, real_T)
    check_smooth(before)
    batch = xs_T.ndim - 2

    last = jax.tree.map(lambda a: a[-1], before)
    y, back = jax.vjp(lambda carry: cell.step(params, carry, xs_T[-1])[1], last)
    if cotangent is None:
        drawn = jax.random.normal(jax.random.key(0) if key is None else check_key(key), y.shape, y.dtype)
        cotangent = divide_rows(drawn, row_norm(drawn, batch))
    cotangent = check_inputs("cotangent", cotangent)
    if cotangent.shape != y.shape:
        raise ValueError(f"cotangent has the shape {cotangent.shape}; the output's is {y.shape}")
    unit, log_norm = _unit(back(cotangent.astype(y.dtype))[0], batch)

    def step_back(state: tuple[Carry, Array], inputs: Any) -> tuple[tuple[Carry, Array], Array]:
        (unit, log_norm), (carry, x) = state, inputs
        _, back = jax.vjp(lambda carry: cell.step(params, carry, x)[0], carry)
        unit, growth = _unit(back(unit)[0], batch)
        return (unit, log_norm + growth), log_norm + growth

    earlier = jax.tree.map(lambda a: a[:-1], (before, xs_T))
    _, rest = lax.scan(step_back, (unit, log_norm), earlier, reverse=True)
    found = jnp.concatenate([log_norm[None], rest[::-1]])
    if real_T is not None:
        found = jnp.where(real_T[::-1], found, jnp.nan)
    return jnp.moveaxis(found, 0, -1)


def _unit(tree: Carry, batch: int) -> tuple[Carry, Array]:
    """The tree with norm 1 in every row, and the logarithm of the norm it had; rows of 0 stay 0, with -inf."""
    norm = row_norm(tree, batch)
    return divide_rows(tree, jnp.where(norm > 0, norm, 1)), jnp.log(norm)


def half_life(log_norms: ArrayLike) -> Array:
    """In how many steps the gradient halves, `[...]` from the logarithms of its norms at the lags 1 to T `[..., T]`.

    It belongs to the exponential through the least-squares line over all lags that aren't NaN (lags beyond a
    row's length are); infinite where the line doesn't fall, 0 where some norm is 0, NaN where fewer than 2 are left.

    Raises:
      ValueError: fewer than 2 lags.
    """
    logs = check_inputs("log_norms", log_norms)
    if logs.ndim < 1 or logs.shape[-1] < 2:
        raise ValueError(f"log_norms has the shape {logs.shape}; a line needs at least 2 lags")
    there = ~jnp.isnan(logs)
    count = there.sum(-1, keepdims=True)
    lags = jnp.arange(logs.shape[-1], dtype=logs.dtype)
    lags = jnp.where(there, lags - jnp.sum(lags * there, -1, keepdims=True) / jnp.maximum(count, 1), 0)
    square = jnp.sum(lags * lags, -1)
    slope = jnp.sum(jnp.where(there, lags * logs, 0), -1) / jnp.where(square > 0, square, 1)
    falling = jnp.log(2.0) / jnp.where(slope < 0, -slope, 1)
    found = jnp.where(jnp.isneginf(logs).any(-1), 0.0, jnp.where(slope < 0, falling, jnp.inf))
    return jnp.where(count[..., 0] < 2, jnp.nan, found)
