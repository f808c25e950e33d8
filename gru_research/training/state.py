"""What training carries from one update to the next, for one seed; on a device with a leading seed axis."""

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
      seed: what every random number comes from.
      scalars: the optimiser's fields that are this member's own, `learning_rate` among them.
      active: False for a copy that only fills up the seed axis, which is never trained, and for a seed that stopped.
      step: how many updates are done.
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
    """The key from which one stream of a seed starts."""
    return jax.random.fold_in(jax.random.key(seed), STREAMS[name])


def init_state(
    model: Model, optimizer: Optimizer, example: Batch, seed: Array, scalars: Mapping[str, Array], active: Array
) -> TrainState:
    """The state before the first update."""
    params = model.init(stream(seed, "init"), example)
    zero = jnp.zeros((), jnp.int32)
    return TrainState(params, optimizer(scalars).init(params), seed, scalars, active, zero, zero, jnp.zeros(()))
