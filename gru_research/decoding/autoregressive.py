"""Decodes one answer for each row, token by token, without going back."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells.checks import whole
from gru_research.models import Generator
from gru_research.types import Array, Batch, Params

from .answers import Answers
from .repeats import without_repeats
from .sharding import decode_sharded
from .start import started

Pick = Callable[[Array, Array], Array]
"""`(logs [B, V], t) -> tokens [B]`: token number `t` of each row from the logarithms of the probabilities, which are
minus infinity at excluded tokens."""


def one_by_one(
    model: Generator, params: Params, batch: Batch, pick: Pick, *, end: int | None, longest: int, no_repeat: int = 0
) -> Answers:
    """Decodes answers whose tokens `pick` chooses; a row is finished at its end token.

    The other arguments and the errors are as in `greedy`.
    """
    how = _How(pick, end, whole("longest", longest, 1), whole("no_repeat", no_repeat, 0))
    return decode_sharded(lambda params, batch: _decoded(model, params, batch, how), params, batch)


NO_TOKEN = -1
"""No token has this number, so that no answer ends."""


class _How(NamedTuple):
    pick: Pick
    end: int | None
    longest: int
    no_repeat: int


def _decoded(model: Generator, params: Params, batch: Batch, how: _How) -> Answers:
    pick, end, longest, no_repeat = how
    state, logits_BV = started(model, params, batch, end)
    rows = logits_BV.shape[0]
    end = NO_TOKEN if end is None else end

    def choose(carry, t):
        state, logits_BV, answers, ended_B = carry
        logs_BV = jax.nn.log_softmax(logits_BV.astype(jnp.float32))
        picked_B = pick(without_repeats(logs_BV, answers.tokens, t, no_repeat), t).astype(jnp.int32)
        log_B = jnp.take_along_axis(logs_BV, picked_B[:, None], axis=1)[:, 0]
        token_B = jnp.where(ended_B, end, picked_B)
        answers = Answers(
            answers.tokens.at[:, t].set(token_B),
            answers.lengths + jnp.where(ended_B, 0, 1),
            answers.scores + jnp.where(ended_B, 0, log_B),
        )
        state, logits_BV = model.step(params, state, token_B)
        return (state, logits_BV, answers, ended_B | (token_B == end)), None

    # Made like the logits, so that inside `jax.shard_map` they belong to the same device as the rows.
    like_B = logits_BV[:, 0]
    nothing = Answers(
        jnp.full_like(like_B, end, jnp.int32, (rows, longest)),
        jnp.zeros_like(like_B, jnp.int32),
        jnp.zeros_like(like_B, jnp.float32),
    )
    carry = (state, logits_BV, nothing, jnp.zeros_like(like_B, bool))
    (_, _, answers, _), _ = lax.scan(choose, carry, jnp.arange(longest, dtype=jnp.int32))
    return answers
