"""How long an input matters: what becomes of the last state when one input is exchanged."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax import lax

from gru_research.cells.arguments import check_inputs, check_key
from gru_research.cells.checks import number, shown
from gru_research.types import Array, ArrayLike, PRNGKey

from .arguments import whole_numbers
from .recurrence import Recurrence, carries_before, row_norm

_LAGS = 16


def input_influence(
    cell: Recurrence, params: Any, xs: ArrayLike, *, lags: Sequence[int] | None = None, key: PRNGKey | None = None
) -> tuple[Array, Array]:
    """How much the last carry changes when the input of one step is exchanged for another sequence's, by the lag.

    The input at step T-1-k becomes that of the same step in another sequence of the batch, which one is drawn from
    `key` for all lags alike: inputs stay such as they are, and where both are equal, nothing changes. The carry is
    carried on from there, so that a lag k costs k + 1 steps of the batch.

    Args:
      cell: a cell, a `Stack`, or anything with their `initial_carry` and `step`.
      params: its parameters.
      xs: at least two sequences `[B, T, I]`.
      lags: k, from 0 (the last step) to T-1; None: about 16 of them, geometrically spaced, the first and the last
        among them.
      key: None: `jax.random.key(0)`.

    Returns:
      The lags `[K]`, ascending, and for each the root mean square over sequences of the change of the carry's norm
      `[K]`.

    Raises:
      ValueError: `xs` isn't a batch of at least two sequences, or a lag that it doesn't have.
    """
    xs = check_inputs("xs", xs)
    if xs.ndim != 3 or xs.shape[0] < 2:
        raise ValueError(f"xs has the shape {xs.shape}; it must be [B, T, I] with at least two sequences to exchange")
    chosen = _default_lags(xs.shape[1])
    if lags is not None:
        given = whole_numbers(lags)
        chosen = [] if given is None else sorted(set(given.tolist()))
        if not chosen or not 0 <= chosen[0] <= chosen[-1] < xs.shape[1]:
            raise ValueError(f"lags={shown(lags)} must be one or more whole numbers from 0 to {xs.shape[1] - 1}")
    before, xs_T = carries_before(cell, params, xs)
    # A random cycle through all sequences: each gets another's input.
    order = jax.random.permutation(jax.random.key(0) if key is None else check_key(key), xs.shape[0])
    other = jnp.zeros_like(order).at[order].set(jnp.roll(order, 1))
    last = jax.tree.map(lambda a: a[-1], before)
    final = cell.step(params, last, xs_T[-1])[0]

    def change(lag: Array) -> Array:
        start = xs_T.shape[0] - 1 - lag
        first = jax.tree.map(lambda a: a[start], before)
        carry = cell.step(params, first, xs_T[start][other])[0]
        carry = lax.fori_loop(start + 1, xs_T.shape[0], lambda t, c: cell.step(params, c, xs_T[t])[0], carry)
        off = jax.tree.map(lambda a, b: a.astype(jnp.promote_types(a.dtype, jnp.float32)) - b, carry, final)
        return jnp.sqrt(jnp.mean(jnp.square(row_norm(off, 1))))

    found = jnp.asarray(chosen)
    return found, lax.map(change, found)


def memory_horizon(lags: ArrayLike, change: ArrayLike, share: float = 0.01) -> Array:
    """The lag from which on an exchanged input no longer matters, from what `input_influence` returns.

    It no longer matters where it changes the carry by less than `share` of the most that any lag does. Between the
    last lag that matters and the next one measured the logarithm of the change is taken as a straight line; infinite
    where the longest lag measured still matters, 0 where nothing ever changes.

    Args:
      lags: `[K]`, ascending.
      change: `[..., K]`.

    Returns:
      `[...]`, in steps.

    Raises:
      ValueError: shapes that don't fit, lags that don't ascend, or `share` isn't above 0 and below 1.
    """
    lags, change = check_inputs("lags", lags), check_inputs("change", change)
    if lags.ndim != 1 or change.shape[-1:] != lags.shape:
        raise ValueError(
            f"lags and change have the shapes {lags.shape} and {change.shape}; they must be [K] and [..., K]"
        )
    if not isinstance(lags, jax.core.Tracer) and not (np.diff(lags) > 0).all():
        raise ValueError(f"lags={shown(lags.tolist())} must ascend")
    share = number("share", share, "above 0 and below 1", above=0, below=1)
    most = change.max(-1, keepdims=True)
    relative = change / jnp.where(most > 0, most, 1)
    matters = relative >= share
    count = lags.shape[0]
    last = count - 1 - jnp.argmax(matters[..., ::-1], -1)
    following = jnp.minimum(last + 1, count - 1)
    logs = jnp.log(jnp.maximum(relative, jnp.finfo(relative.dtype).tiny))
    high, low = (jnp.take_along_axis(logs, at[..., None], -1)[..., 0] for at in (last, following))
    falls = jnp.where(high > low, high - low, 1)
    part = jnp.where(high > low, (high - jnp.log(share)) / falls, 0)
    horizon = lags[last] + part * (lags[following] - lags[last])
    return jnp.where(~matters.any(-1), 0.0, jnp.where(last == count - 1, jnp.inf, horizon))


def _default_lags(steps: int) -> list[int]:
    """0, then geometrically spaced up to the first step."""
    if steps == 1:
        return [0]
    return sorted({0, *np.rint(np.geomspace(1, steps - 1, _LAGS - 1)).astype(int).tolist()})
