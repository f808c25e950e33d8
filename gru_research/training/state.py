"""The state of one seed's training between updates. On devices it has a leading seed axis."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gru_research.models import Model
from gru_research.types import Array, Arrays, Batch, Params, PRNGKey

from .optimizer import Optimizer

STREAMS = {"init": 0, "data": 1, "noise": 2}
"""The independent random streams of a seed."""


class TrainState(NamedTuple):
    """The state of one seed's training.

    Attributes:
      params, opt_state: the current ones; of a diverged seed, those from before `diverged_at`.
      seed: the seed of all random numbers.
      scalars: this member's own fields of the optimiser, such as `learning_rate`.
      active: False for a copy that pads the seed axis, and for a stopped seed.
      step: the number of updates done.
      diverged_at: the first update, counted from 1, whose loss or gradient wasn't finite; 0: none yet.
      last_loss: the training loss of the last good update.
    """

    params: Params
    opt_state: optax.OptState
    seed: Array
    scalars: Arrays
    active: Array
    step: Array
    diverged_at: Array
    last_loss: Array


def stream(seed: Array, name: str) -> PRNGKey:
    """Returns the key of one of a seed's streams."""
    return jax.random.fold_in(jax.random.key(seed), STREAMS[name])


def init_state(
    model: Model, optimizer: Optimizer, example: Batch, seed: Array, scalars: Arrays, active: Array
) -> TrainState:
    """Returns the state before the first update."""
    params = model.init(stream(seed, "init"), example)
    zero = jnp.zeros((), jnp.int32)
    return TrainState(params, optimizer(scalars).init(params), seed, scalars, active, zero, zero, jnp.zeros(()))
