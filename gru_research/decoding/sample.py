"""Tokens drawn at random, from all of the model's distribution or from its most probable part."""

import math

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.arguments import check_key
from gru_research.cells.checks import number, whole
from gru_research.models import Generator
from gru_research.types import Array, Batch, Params, PRNGKey

from .answers import Answers
from .autoregressive import Pick, one_by_one

SMALLEST = float(jnp.finfo(jnp.float32).tiny)


def sample(
    model: Generator,
    params: Params,
    batch: Batch,
    key: PRNGKey,
    *,
    end: int | None,
    longest: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    no_repeat: int = 0,
) -> Answers:
    """Each token is drawn from `softmax(logits / temperature)`, or from the most probable part of it.

    `top_k` (Fan et al. 2018) keeps that many of the most probable tokens, all if there are fewer. `top_p` (nucleus
    sampling, Holtzman et al. 2020) keeps the smallest set of the most probable tokens whose probability reaches
    `top_p`; the most probable token is always kept. With both, `top_p` counts probabilities among the `top_k` tokens.
    Of equally probable tokens the lower ones come first, in both: no tie keeps more than `top_k` tokens.

    The noise of a token depends on `key`, the row's number and the step's number alone (with JAX's default kind of
    keys). So a row's answer is the same in a larger batch, beside other rows and with a larger `longest`.

    Args:
      model, params, batch, end, longest, no_repeat: as in `greedy`. Tokens that would repeat are excluded first.
      key: one key, with which rows are numbered from 0, so that batches of one data set need a key each, as do devices
        inside `jax.shard_map`; or a key for each row, `[B]`, for samples that depend on no batches or devices.
      temperature: above 0; below 1 it sharpens the distribution.
      top_k: how many tokens are kept; 0 keeps all.
      top_p: the share of probability that is kept, above 0 and at most 1.

    Returns:
      `Answers`.

    Raises:
      ValueError: as `greedy`.
      TypeError: `key` isn't a key.
    """
    pick = draw(key, temperature=temperature, top_k=top_k, top_p=top_p)
    return one_by_one(model, params, batch, pick, end=end, longest=longest, no_repeat=no_repeat)


def draw(key: PRNGKey, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Pick:
    """The choice of `sample`, for a decoder of your own: arguments and errors are as there."""
    key = key if _is_for_each_row(key) else check_key(key)
    temperature = number("temperature", temperature, "a finite number above 0", above=0)
    top_k = whole("top_k", top_k, 0)
    top_p = number("top_p", top_p, "a share of probability, above 0 and at most 1", above=0, below=math.nextafter(1, 2))

    def pick(logs_BV: Array, t: Array) -> Array:
        # A key for each row, instead of one draw for all, makes a row's noise independent of the batch's size.
        keys_B = jax.vmap(jax.random.fold_in, (0, None))(_keys(key, logs_BV.shape[0]), t)
        logits_BV = tempered(logs_BV, temperature)
        drawn_from_BV = jnp.where(kept(logits_BV, top_k, top_p), logits_BV, -jnp.inf)
        return jax.vmap(jax.random.categorical)(keys_B, drawn_from_BV)

    return pick


def _is_for_each_row(key: PRNGKey) -> bool:
    return jnp.issubdtype(jnp.result_type(key), jax.dtypes.prng_key) and jnp.ndim(key) == 1


def _keys(key: PRNGKey, rows: int) -> PRNGKey:
    """A key for each row, `[B]`."""
    if not _is_for_each_row(key):
        return jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(rows, dtype=jnp.int32))
    if key.shape != (rows,):
        raise ValueError(f"key of shape {key.shape} must be one key, or one for each row of the batch, {rows}")
    return key


def kept(logits: Array, top_k: int, top_p: float) -> Array:
    """True `[..., V]` at the tokens to draw from, as `sample` defines them."""
    vocabulary = logits.shape[-1]
    if top_k == 0 or top_k >= vocabulary:
        top_k = vocabulary
        if top_p == 1:
            return jnp.ones(logits.shape, bool)
    sorted_logits, tokens = lax.top_k(logits, top_k)
    within = jnp.ones(tokens.shape, bool)
    if top_p < 1:  # at 1, rounding in the sum could drop the least probable tokens
        sums = jnp.cumsum(jax.nn.softmax(sorted_logits), axis=-1)
        within = within.at[..., 1:].set(sums[..., :-1] < top_p)
    return jnp.put_along_axis(jnp.zeros(logits.shape, bool), tokens, within, axis=-1, inplace=False)


def tempered(logs: Array, temperature: float) -> Array:
    """`logs [..., V]` divided by `temperature`, but for a constant; the largest is 0."""
    # So no temperature, however low, makes all of them infinite, or infinity minus infinity.
    return (logs - logs.max(-1, keepdims=True)) / max(temperature, SMALLEST)
