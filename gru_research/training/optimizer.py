"""Optimisers and learning-rate schedules from a config, on optax."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import optax

from gru_research.config import OptimizerConfig, UserError, choose
from gru_research.types import ArrayLike, DType

OPTIMIZERS: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "adam": lambda decay: optax.scale_by_adam(eps=EPSILONS["adam"]),
    "lion": lambda decay: optax.scale_by_lion(),
    "momentum": lambda decay: optax.trace(decay),
    "rmsprop": lambda decay: optax.scale_by_rms(decay, eps=EPSILONS["rmsprop"]),
    "sgd": lambda decay: optax.identity(),
}
"""The optimisers that a config can name, from its `decay`, before the learning rate."""

EPSILONS = {"adam": 1e-8, "rmsprop": 1e-8}
"""What an optimiser adds to its mean of squares, or to the root of it, to avoid division by 0."""

SCHEDULES: dict[str, Callable[[int], optax.Schedule]] = {
    "constant": lambda updates: optax.constant_schedule(1.0),
    "cosine": lambda updates: optax.cosine_decay_schedule(1.0, updates),
    "linear": lambda updates: optax.linear_schedule(1.0, 0.0, updates),
    "onecycle": lambda updates: optax.cosine_onecycle_schedule(updates, 1.0),
}
"""The schedules that a config can name, as factors of the learning rate: from the updates after the warm-up."""

Scalars = Mapping[str, float] | Mapping[str, ArrayLike]
"""The fields of the optimiser that may differ between the members of one program: `learning_rate`, `clip`,
`weight_decay`; those left out are the config's."""


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optimiser for `updates` updates, as a function of the scalars that a member of a program has of its own."""

    config: OptimizerConfig
    updates: int

    def __call__(self, scalars: Scalars) -> optax.GradientTransformation:
        """May be called inside jit: `scalars` may be traced."""
        return make_optimizer(self.config, self.updates, scalars)

    @property
    def program(self) -> tuple[OptimizerConfig, int]:
        """What a program that is compiled with it depends on: of the number of updates only where the schedule does."""
        return self.config, 0 if self.config.schedule == "constant" else self.updates

    def clip(self, scalars: Scalars) -> ArrayLike | float | None:
        """The global norm above which gradients are scaled down; None where they aren't."""
        return clip_of(self.config, scalars)


def check_precision(config: OptimizerConfig, path: str, dtype: DType) -> None:
    """Raises UserError where parameters of `dtype` would end as 0 / 0, since the optimiser's epsilon is 0 in it.

    The least number of float16 is 6e-8: with Adam and RMSProp training isn't finite after a few updates. `path` is
    what the message calls the field.
    """
    epsilon = EPSILONS.get(config.name)
    if epsilon is not None and not np.asarray(epsilon, dtype).any():
        others = ", ".join(name for name in OPTIMIZERS if name not in EPSILONS)
        raise UserError(
            f"{path}='{dtype}' can't be trained by optimizer.name={config.name!r}, whose epsilon of {epsilon:g} is 0 "
            f"in it: choose bfloat16 or float32 (dtype='{dtype}' may stay), or one of {others}"
        )


def make_schedule(config: OptimizerConfig, updates: int) -> optax.Schedule:
    """The factor of the learning rate against the number of updates done: linear warm-up, then `config.schedule`."""
    choose("config.optimizer.schedule", config.schedule, SCHEDULES)
    if config.warmup >= updates:
        raise UserError(f"config.optimizer.warmup={config.warmup} must be below the number of updates, {updates}")
    schedule = SCHEDULES[config.schedule](updates - config.warmup)
    if not config.warmup:
        return schedule
    return optax.join_schedules([optax.linear_schedule(0.0, 1.0, config.warmup), schedule], [config.warmup])


def make_optimizer(config: OptimizerConfig, updates: int, scalars: Scalars) -> optax.GradientTransformation:
    """Clipping by the global norm, the optimiser, decoupled weight decay, the schedule.

    `scalars` may be traced: their values change nothing in the program and in the shape of the optimiser's state.

    Raises:
      UserError: an unknown optimiser or schedule, or a warm-up that is longer than the run.
    """
    choose("config.optimizer.name", config.name, OPTIMIZERS)
    schedule = make_schedule(config, updates)
    rate = scalars.get("learning_rate", config.learning_rate)
    clip = clip_of(config, scalars)
    decay = scalars.get("weight_decay", config.weight_decay or None)
    return optax.chain(
        optax.identity() if clip is None else optax.clip_by_global_norm(clip),  # pyright: ignore[reportArgumentType]
        OPTIMIZERS[config.name](config.decay),
        optax.identity() if decay is None else optax.add_decayed_weights(decay),  # pyright: ignore[reportArgumentType]
        optax.scale_by_learning_rate(lambda count: rate * schedule(count)),
    )


def clip_of(config: OptimizerConfig, scalars: Scalars) -> ArrayLike | float | None:
    """The scalars' `clip`, or the config's; None where that is 0."""
    return scalars.get("clip", config.clip or None)
