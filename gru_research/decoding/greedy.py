"""The most probable token at every step."""

import jax.numpy as jnp

from gru_research.models import Generator
from gru_research.types import Batch, Params

from .answers import Answers
from .autoregressive import one_by_one


def greedy(
    model: Generator, params: Params, batch: Batch, *, end: int | None, longest: int, no_repeat: int = 0
) -> Answers:
    """The most probable token at every step; of equally probable ones the lowest.

    It is a pure function and one `lax.scan` of `longest` steps: call it inside `jax.jit`.

    Args:
      model: has `start` and `step` (`models.Generator`).
      params: the model's parameters.
      batch: what `model.start` reads, with a leading batch axis B.
      end: the token that ends an answer; None: none does, and all answers have `longest` tokens.
      longest: N, the most tokens that an answer may have, `end` included.
      no_repeat: sequences of how many tokens may not occur twice in an answer; 0 allows all.

    Returns:
      `Answers`.

    Raises:
      ValueError: an argument out of its range, or a model without `start` and `step`, or one whose state has an array
        without a batch axis or another kind of array after a step. The message is one line.
    """
    return one_by_one(
        model, params, batch, lambda logs_BV, t: jnp.argmax(logs_BV, -1), end=end, longest=longest, no_repeat=no_repeat
    )
