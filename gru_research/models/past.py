"""Attention to what a stream has read, and to which of its words the model has said."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.arguments import split
from gru_research.cells.base import product, promote_rank
from gru_research.cells.dtypes import promoted
from gru_research.cells.initializers import GlorotUniform
from gru_research.types import Array, Params, PRNGKey

KERNEL_INIT = GlorotUniform()
SHIFTS = 3
"""The numbers of steps back, from 0, at which a step's neighbours are compared with what was said."""
FEATURES = 1 + 2 * SHIFTS
SCALE = 64.0
"""Distances in steps are divided by this number."""
NEVER = -1
"""The time at which a word was said that never was."""


class Past(NamedTuple):
    """Steps of a stream that queries `[B, U]` look at. Arrays are `[B, T, ...]` for steps that all queries share, and
    `[B, U, T, ...]` for steps of their own.

    Attributes:
      tokens: what was read, `[B, T]`.
      values: what attention averages, the states and embeddings `[B, T, M]`.
      keys: for each attention the vectors that a query is compared with, `[B, T, A]`.
      times: the number of each step in its stream, `[B, T]`.
    """

    tokens: Array
    values: Array
    keys: tuple[Array, ...]
    times: Array


class View(NamedTuple):
    """What queries `[B, U]` know of each step of a past.

    Attributes:
      seen: `[B, U, T]`, False at steps that come after the query.
      features: float32 `[B, U, T]`, `FEATURES` of them.
    """

    seen: Array
    features: tuple[Array, ...]


def view(past: Past, now: Array, seen: Array, said_at: Array) -> View:
    """Returns the features of each step for queries at the times `now [B, U]`.

    They are how many steps ago the step was, and for the token at the step and at each of the two steps before it,
    whether the model itself has said it, and how long ago: 1 if it was now, and 1/e `SCALE` steps ago.

    Args:
      seen: `[B, U, T]`.
      said_at: the time `[B, U, T]` at which the model last said the token of a step, or `NEVER`.
    """
    now = now[..., None]
    said = said_at != NEVER
    fresh = jnp.where(said, jnp.exp((said_at - now) / SCALE), 0)
    shifted = [_back(a, shift) for shift in range(SHIFTS) for a in (said.astype(jnp.float32), fresh)]
    return View(seen, ((_for_queries(past.times, 2) - now) / SCALE, *shifted))


def _for_queries(a: Array, shared: int) -> Array:
    """Gives an array `[B, T, ...]` of `shared` axes an axis for queries, `[B, 1, T, ...]`; others have one."""
    return a[:, None] if a.ndim == shared else a


def _back(a: Array, shift: int) -> Array:
    """`a [..., T]` of `shift` steps before, 0 before the first."""
    return jnp.pad(a, [(0, 0)] * (a.ndim - 1) + [(shift, 0)])[..., : a.shape[-1]]


def said_before(tokens: Array, said: Array, times: Array) -> Array:
    """Returns for the query at each of U words the time `[B, U, T]` at which each of `tokens [B, T]` was last among the
    words said before it, or `NEVER`.

    Args:
      said: the words that the model says in order, `[B, U]`; a negative one is none.
      times: when it says them, `[B, U]`.
    """
    equal = tokens[:, None, :] == said[..., None]
    last = lax.cummax(jnp.where(equal, times[..., None], NEVER), axis=1)
    return jnp.pad(last, ((0, 0), (1, 0), (0, 0)), constant_values=NEVER)[:, :-1]


@dataclasses.dataclass(frozen=True)
class PastAttention:
    """Compares queries with the steps of a past:

        score_ij = q_i W_q . m_j W_k / sqrt(A) + (q_i W_f + b_f) . f_ij

    with the features f_ij of `view`. A query thus weighs, beside what a step is, how far back it was and whether its
    words have been said.

    Attributes:
      size: A.
    """

    size: int

    def init(self, key: PRNGKey, query_size: int, value_size: int) -> dict[str, Array]:
        """`W_q (H, A)`, `W_k (M, A)`, `W_f (H, FEATURES)`, `b_f (FEATURES,)`; the last two are 0."""
        query_key, key_key = split(key)
        return {
            "W_q": KERNEL_INIT(query_key, (query_size, self.size), jnp.float32),
            "W_k": KERNEL_INIT(key_key, (value_size, self.size), jnp.float32),
            "W_f": jnp.zeros((query_size, FEATURES)),
            "b_f": jnp.zeros(FEATURES),
        }

    def keys(self, params: Params, values: Array) -> Array:
        """Returns `[..., T, A]` from values `[..., T, M]`."""
        return affine(values, params["W_k"])

    def scores(self, params: Params, query: Array, keys: Array, seen: View) -> Array:
        """Returns float32 scores `[B, U, T]` from `query [B, U, H]`, the least number at steps that aren't seen."""
        query_BUA = affine(query, params["W_q"])
        equation = "bua,bta->but" if keys.ndim == 3 else "bua,buta->but"
        scores = jnp.einsum(equation, query_BUA, keys.astype(query_BUA.dtype)) / math.sqrt(self.size)
        weights = affine(query, params["W_f"], params["b_f"])
        for number, feature in enumerate(seen.features):  # one loop over [B, U, T], without an array of all features
            scores = scores + weights[..., number, None] * feature
        return jnp.where(seen.seen, scores.astype(jnp.float32), jnp.finfo(jnp.float32).min)


def average(weights: Array, values: Array) -> Array:
    """Returns `[B, U, M]`, the sum of values `[B, T, M]` or `[B, U, T, M]` with weights `[B, U, T]`."""
    equation = "but,btm->bum" if values.ndim == 3 else "but,butm->bum"
    return jnp.einsum(equation, weights.astype(values.dtype), values)


def affine(x: Array, kernel: Array, bias: Any = None) -> Array:
    """`x W + b` for `x [..., I]`, in the promoted type of both."""
    y = product(x, kernel, promoted(x, kernel))
    return y if bias is None else y + promote_rank(bias, y)


def most_probable(logits: Array, scores: Array, tokens: Array) -> Array:
    """Returns the most probable tokens `[B, U]`, where a token has the sum of its own exponent and those of its copies.

    Args:
      logits: of generated words, `[B, U, G]`.
      scores: of copying each step, `[B, U, T]`.
      tokens: at the steps, `[B, T]`.
    """
    largest = jnp.maximum(logits.max(-1), scores.max(-1))[..., None]
    generated, copied = jnp.exp(logits - largest), jnp.exp(scores - largest)
    same = (tokens[:, :, None] == tokens[:, None, :]).astype(copied.dtype)
    sums_BUT = jnp.einsum("but,btk->buk", copied, same)
    own_BUT = jnp.take_along_axis(generated, jnp.minimum(tokens, logits.shape[-1] - 1)[:, None, :], -1)
    sums_BUT = jnp.where(copied > 0, sums_BUT + jnp.where(tokens[:, None, :] < logits.shape[-1], own_BUT, 0), 0)
    best = sums_BUT.argmax(-1)
    from_past = jnp.take_along_axis(tokens, best, 1)
    return jnp.where(sums_BUT.max(-1) >= generated.max(-1), from_past, generated.argmax(-1)).astype(jnp.int32)


def log_probabilities(logits: Array, scores: Array, tokens: Array, vocabulary: int) -> Array:
    """Returns the logarithms `[B, U, V]` of the probabilities of all tokens; minus infinity at impossible ones.

    The arguments are as in `most_probable`, but `tokens` may also be `[B, U, T]`; V is `vocabulary`.
    """
    largest = jnp.maximum(logits.max(-1), scores.max(-1))[..., None]
    sums = jnp.pad(jnp.exp(logits - largest), [(0, 0), (0, 0), (0, vocabulary - logits.shape[-1])])
    tokens = jnp.broadcast_to(_for_queries(tokens, 2), scores.shape)
    add = jax.vmap(jax.vmap(lambda sums, token, copied: sums.at[token].add(copied)))
    sums = add(sums, tokens, jnp.exp(scores - largest))
    return jnp.log(sums) - jnp.log(sums.sum(-1, keepdims=True))
