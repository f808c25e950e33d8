"""The state of one seed's training between updates; on devices it has a leading seed axis."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gru_research.models import Model
from gru_research.types import Array, Batch, Params, PRNGKey

from .optimizer import Optimizer

STREAMS = {"init": 0, "data": 1, "noise": 2}
"""The independent streams of random numbers of a seed."""


class TrainState(NamedTuple):
    """One seed's training.

    Attributes:
      params, opt_state: as they were before `diverged_at`, where the seed diverged.
      seed: of all random numbers.
      scalars: this member's own fields of the optimiser, such as `learning_rate`.
      active: False for a copy that pads the seed axis, and for a seed that stopped.
      step: the number of updates done.
      diverged_at: the number of the first update, from 1, whose loss or gradient wasn't finite; 0: none yet.
      last_loss: the training loss of the last good update.
    """

    params: Params
    opt_state: optax.OptState
    seed: Array
    scalars: Mapping[str, Array]
    active: Array
    step: Array
    diverged_at: Array
    last_loss: Array


def stream(seed: Array, name: str) -> PRNGKey:
    """The key of one of a seed's streams."""
    return jax.random.fold_in(jax.random.key(seed), STREAMS[name])


def init_state(
    model: Model, optimizer: Optimizer, example: Batch, seed: Array, scalars: Mapping[str, Array], active: Array
) -> TrainState:
    """The state before the first update."""
    params = model.init(stream(seed, "init"), example)
    zero = jnp.zeros((), jnp.int32)
    return TrainState(params, optimizer(scalars).init(params), seed, scalars, active, zero, zero, jnp.zeros(()))
