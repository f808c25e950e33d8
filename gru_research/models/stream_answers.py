"""Greedy answers at many steps of a stream side by side."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.time_loop.carries import carries_before
from gru_research.types import Array, Batch, Params

from . import past
from .past import NEVER, Past

BEFORE = past.SHIFTS - 1
"""The number of steps before an answer that its first steps are compared with."""


def answers_side_by_side(model: Any, params: Params, batch: Batch, before: Past, said_at: Array) -> Array:
    """Returns the greedy answers `[B, R, N]` of a `StreamModel`, each of which continues the true stream up to its
    start. What follows an answer's end is 0.

    Args:
      batch: `inputs [B, T]`, `positions [B, U]`; `starts [B, R]`, the positions that answers follow; and
        `responses [B, R, N]`, of which only the shape is read.
      before: the past of the whole true stream.
      said_at: when the model last said each step's token, for the query at each position, `[B, U, T]`.
    """
    starts, steps = batch["starts"], batch["responses"].shape[-1]
    first = jnp.argmax(batch["positions"][:, None, :] == starts[..., None], -1)
    said_BRT = jnp.take_along_axis(said_at, first[..., None], 1)
    own, own_said = _own_steps(batch["inputs"], starts, said_BRT, steps, before)
    carry, h_BRH = _at_starts(model, params, batch["inputs"], starts)
    seen = before.times[:, None] <= starts[..., None]

    def say(loop: Any, n: Array) -> Any:
        carry, h_BRH, own, said_BRT, own_said, ended = loop
        now = starts + n
        own_seen = (jnp.arange(steps + BEFORE) >= BEFORE) & (jnp.arange(steps + BEFORE) < BEFORE + n)
        views = (
            past.view(before, now, seen, said_BRT),
            past.view(own, now, jnp.broadcast_to(own_seen, own_said.shape), own_said),
        )
        logits, scores = model.predict(params, h_BRH, (before, own), views)
        every = jnp.concatenate([jnp.broadcast_to(before.tokens[:, None], said_BRT.shape), own.tokens], -1)
        logs = past.log_probabilities(logits, scores, every, model.embedding.vocabulary)
        token = jnp.where(ended, model.end, logs.argmax(-1).astype(jnp.int32))
        ended |= token == model.end
        e_BRE = model.embedding.apply(params["embedding"], token)
        carry, h_BRH = model.stack.step(params["stack"], carry, e_BRE)
        one = model.entries(params, token[..., None], h_BRH[..., None, :], e_BRE[..., None, :], now[..., None] + 1)
        own = jax.tree.map(lambda a, new: lax.dynamic_update_slice_in_dim(a, new, BEFORE + n, 2), own, one)
        said_BRT = jnp.where(before.tokens[:, None] == token[..., None], now[..., None] + 1, said_BRT)
        own_said = jnp.where(own.tokens == token[..., None], now[..., None] + 1, own_said)
        return (carry, h_BRH, own, said_BRT, own_said, ended), token

    ended = jnp.zeros(starts.shape, bool)
    loop = carry, h_BRH, own, said_BRT, own_said, ended
    _, tokens_NBR = lax.scan(say, loop, jnp.arange(steps, dtype=jnp.int32))
    tokens = jnp.moveaxis(tokens_NBR, 0, -1)
    return jnp.where(tokens == model.end, 0, tokens)


def _own_steps(inputs: Array, starts: Array, said_BRT: Array, steps: int, before: Past) -> tuple[Past, Array]:
    """Steps `[B, R, BEFORE + N]` of the answers, and when their tokens were said. The first `BEFORE` steps are those of
    the stream up to the start, which aren't seen: the answers' first words are only compared with them."""
    rows, answers = starts.shape
    at = jnp.maximum(starts[..., None] + jnp.arange(1 - BEFORE, 1), 0)
    tokens = jax.vmap(lambda row, at: row[at])(inputs, at)
    said = jnp.take_along_axis(said_BRT, at, -1)
    filled = (rows, answers, steps)
    own = Past(
        jnp.concatenate([tokens, jnp.full(filled, NEVER, tokens.dtype)], -1),
        jnp.zeros((rows, answers, BEFORE + steps, before.values.shape[-1]), before.values.dtype),
        tuple(jnp.zeros((rows, answers, BEFORE + steps, k.shape[-1]), k.dtype) for k in before.keys),
        starts[..., None] + jnp.arange(1 - BEFORE, 1 + steps, dtype=starts.dtype),
    )
    return own, jnp.concatenate([said, jnp.full(filled, NEVER, said.dtype)], -1)


def _at_starts(model: Any, params: Params, inputs: Array, starts: Array) -> tuple[Any, Array]:
    """The carries and the states `[B, R, H]` after the steps `starts [B, R]`."""
    es_BTE = model.embedding.apply(params["embedding"], inputs)
    before_T = carries_before(model.stack, params["stack"], jnp.moveaxis(es_BTE, 1, 0))
    before = jax.tree.map(lambda a: jax.vmap(lambda row, at: row[at])(jnp.moveaxis(a, 0, 1), starts), before_T)
    return model.stack.step(params["stack"], before, jnp.take_along_axis(es_BTE, starts[..., None], 1))
