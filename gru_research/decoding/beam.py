"""Beam search: the best of several answers that are followed side by side."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.checks import number, whole
from gru_research.models import Generator
from gru_research.types import Array, Batch, Params

from .answers import Answers
from .repeats import without_repeats
from .sharding import decode_sharded
from .start import started


def beam_search(
    model: Generator,
    params: Params,
    batch: Batch,
    *,
    end: int,
    longest: int,
    beams: int = 5,
    length_penalty: float = 0.0,
    no_repeat: int = 0,
) -> Answers:
    """The best answer of a search that follows K = `beams` unfinished answers in each row.

    At every step all continuations of the K answers are ranked by their log-probability. Those among the best K that
    end are finished answers; the one with the highest `log-probability / length ** length_penalty` is kept. The best K
    that don't end are followed, so a finished answer takes no place from an unfinished one. The result is the finished
    answer that was kept, or the most probable unfinished one where none is finished.

    `length_penalty` 0 compares log-probabilities, which favours short answers; 1 compares their means over the tokens
    (length normalisation: Jean et al. 2015; with an exponent as in fairseq and transformers). Wu et al. 2016, equation
    14, divide by `((5 + length) / 6) ** length_penalty` instead: the same exponent corrects less there.

    One beam without a penalty gives what `greedy` gives. With `V ** longest` beams the result is the best answer there
    is. Each step costs as much as one of B * K rows.

    Args:
      model, params, batch, end, longest, no_repeat: as in `greedy`.
      beams: K, at least 1. More than there are answers find no more.
      length_penalty: the exponent, at least 0.

    Returns:
      `Answers`; `scores` are log-probabilities, not divided by anything.

    Raises:
      ValueError: as `greedy`.
    """
    how = _How(
        end,
        whole("longest", longest, 1),
        whole("beams", beams, 1),
        number("length_penalty", length_penalty, "a finite number, at least 0", least=0),
        whole("no_repeat", no_repeat, 0),
    )
    return decode_sharded(lambda params, batch: _searched(model, params, batch, how), params, batch)


class _How(NamedTuple):
    end: int
    longest: int
    beams: int
    length_penalty: float
    no_repeat: int


def _searched(model: Generator, params: Params, batch: Batch, how: _How) -> Answers:
    end, longest, beams, length_penalty, no_repeat = how
    state, logits_BV = started(model, params, batch, end)
    rows, vocabulary = logits_BV.shape
    # The model sees R = B * K rows, of which b * K + k is beam k of row b.
    state, logits_RV = jax.tree.map(lambda leaf: jnp.repeat(leaf, beams, axis=0), (state, logits_BV))
    changes = _changes(model, params, state, rows * beams)

    def follow(carry, t):
        state, logits_RV, search = carry
        logs_BKV = jax.nn.log_softmax(logits_RV.astype(jnp.float32)).reshape(rows, beams, vocabulary)
        logs_BKV = without_repeats(logs_BKV, search.tokens, t, no_repeat)
        search, parents_BK = _continued(search, logs_BKV, t, end, length_penalty)

        def of_parents(leaf, changes):
            if not changes:
                return leaf
            return _take(leaf.reshape(rows, beams, *leaf.shape[1:]), parents_BK).reshape(leaf.shape)

        state = jax.tree.map(of_parents, state, changes)
        state, logits_RV = model.step(params, state, search.tokens[:, :, t].reshape(-1))
        return (state, logits_RV, search), None

    carry = (state, logits_RV, _nothing(logits_BV[:, 0], beams, longest, end))
    (_, _, search), _ = lax.scan(follow, carry, jnp.arange(longest, dtype=jnp.int32))
    return _result(search)


class _Search(NamedTuple):
    """The state of a search.

    Attributes:
      tokens, scores: of the unfinished answers, `[B, K, N]` and `[B, K]`, the most probable first. A score of minus
        infinity is a place that no answer has taken yet.
      best: the best finished answer; its score is minus infinity where there is none.
    """

    tokens: Array
    scores: Array
    best: Answers


def _nothing(like_B: Array, beams: int, longest: int, end: int) -> _Search:
    """The one answer without tokens."""
    rows = like_B.shape[0]
    # Made like the logits, so that inside `jax.shard_map` it belongs to the same device as the rows.
    tokens_BKN = jnp.full_like(like_B, end, jnp.int32, (rows, beams, longest))
    scores_BK = jnp.full_like(like_B, -jnp.inf, jnp.float32, (rows, beams))
    best = Answers(tokens_BKN[:, 0], jnp.full_like(like_B, longest, jnp.int32), scores_BK[:, 0])
    return _Search(tokens_BKN, scores_BK.at[:, 0].set(0), best)


def _continued(search: _Search, logs_BKV: Array, t: Array, end: int, length_penalty: float) -> tuple[_Search, Array]:
    """The search after token number `t`, and of each answer the one `[B, K]` that it continues."""
    rows, beams, vocabulary = logs_BKV.shape
    scores_BKV = search.scores[:, :, None] + logs_BKV
    # Of 2 K candidates C at least K don't end: each answer ends in one way.
    scores_BC, flat_BC = lax.top_k(scores_BKV.reshape(rows, beams * vocabulary), min(2, vocabulary) * beams)
    parents_BC, chosen_BC = flat_BC // vocabulary, flat_BC % vocabulary
    ends_BC = chosen_BC == end

    first_B1 = jnp.argmax(ends_BC[:, :beams], axis=1)[:, None]  # they are sorted: the first is the most probable
    is_finished_B = ends_BC[:, :beams].any(axis=1)
    finished = Answers(
        _take(search.tokens, _take(parents_BC, first_B1))[:, 0],  # which hold `end` from t on
        jnp.full(rows, t + 1),
        jnp.where(is_finished_B, _take(scores_BC, first_B1)[:, 0], -jnp.inf),
    )

    scores_BK, followed_BK = lax.top_k(jnp.where(ends_BC, -jnp.inf, scores_BC), beams)
    parents_BK = _take(parents_BC, followed_BK)
    tokens_BKN = _take(search.tokens, parents_BK).at[:, :, t].set(_take(chosen_BC, followed_BK))
    return _Search(tokens_BKN, scores_BK, _better(search.best, finished, length_penalty)), parents_BK


def _better(first: Answers, second: Answers, length_penalty: float) -> Answers:
    """Row by row the answer with the higher score, by `length ** length_penalty`; the first where they are equal."""
    of_first_B, of_second_B = (a.scores / a.lengths.astype(jnp.float32) ** length_penalty for a in (first, second))
    return _choose(of_second_B > of_first_B, second, first)


def _result(search: _Search) -> Answers:
    """The best finished answers; where there is none, the most probable unfinished ones."""
    unfinished = Answers(
        search.tokens[:, 0], jnp.full_like(search.best.lengths, search.tokens.shape[-1]), search.scores[:, 0]
    )
    return _choose(search.best.scores == -jnp.inf, unfinished, search.best)


def _choose(is_first_B: Array, first: Answers, second: Answers) -> Answers:
    return Answers(
        jnp.where(is_first_B[:, None], first.tokens, second.tokens),
        jnp.where(is_first_B, first.lengths, second.lengths),
        jnp.where(is_first_B, first.scores, second.scores),
    )


def _take(array: Array, index_BK: Array) -> Array:
    """`array [B, J, ...]` at `index [B, K]`, each row its own: `[B, K, ...]`."""
    return jax.vmap(lambda array_J, index_K: array_J[index_K])(array, index_BK)


def _changes(model: Generator, params: Params, state: Any, rows: int) -> Any:
    """For each array of a state, whether a step changes it.

    An array that a step returns unchanged, such as the encoder's outputs, is the same for all beams of a row. Choosing
    beams would copy it at every step.
    """
    tokens_R = jnp.zeros(rows, jnp.int32)
    program = jax.make_jaxpr(lambda state: model.step(params, state, tokens_R)[0])(state).jaxpr
    pairs = zip(program.invars, program.outvars, strict=True)
    return jax.tree.unflatten(jax.tree.structure(state), [after is not before for before, after in pairs])
