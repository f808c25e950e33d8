"""Tokens that would repeat a sequence of n tokens which an answer already has."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.types import Array


def without_repeats(logs: Array, tokens: Array, t: Array, size: int) -> Array:
    """`logs [..., V]` of the next token, minus infinity where it would make a sequence of `size` tokens occur twice.

    Args:
      logs: logarithms of probabilities.
      tokens: `[..., N]`, of which the first `t` are chosen already.
      t: the number of the token to choose, from 0.
      size: how many tokens may not come again in the same order; 0 excludes nothing.
    """
    if not 0 < size <= tokens.shape[-1]:
        return logs
    repeats = partial(_repeats, t=t, size=size, vocabulary=logs.shape[-1])
    for _ in logs.shape[:-1]:
        repeats = jax.vmap(repeats)
    return jnp.where(repeats(tokens), -jnp.inf, logs)


def _repeats(tokens_N: Array, t: Array, size: int, vocabulary: int) -> Array:
    """True `[V]` at the tokens that complete a sequence which is there already."""
    starts = jnp.arange(tokens_N.shape[0] - size + 1, dtype=jnp.int32)
    earlier = tokens_N[starts[:, None] + jnp.arange(size, dtype=jnp.int32)[None]]
    # Before there are size - 1 tokens the slice is meaningless, but then no earlier sequence is complete either.
    latest = lax.dynamic_slice_in_dim(tokens_N, t - (size - 1), size - 1)
    same = (earlier[:, :-1] == latest[None]).all(-1) & (starts + size <= t)
    return jnp.zeros(vocabulary, bool).at[earlier[:, -1]].max(same)
