"""Builds optax optimisers and learning-rate schedules from a config."""

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
"""The optimisers that a config can name, as functions of its `decay`, without the learning rate."""

EPSILONS = {"adam": 1e-8, "rmsprop": 1e-8}
"""The constants that optimisers add to their mean of squares, or to its root, to avoid division by 0."""

SCHEDULES: dict[str, Callable[[int], optax.Schedule]] = {
    "constant": lambda updates: optax.constant_schedule(1.0),
    "cosine": lambda updates: optax.cosine_decay_schedule(1.0, updates),
    "linear": lambda updates: optax.linear_schedule(1.0, 0.0, updates),
    "onecycle": lambda updates: optax.cosine_onecycle_schedule(updates, 1.0),
}
"""The schedules that a config can name, as factors of the learning rate, from the number of updates after warm-up."""

Scalars = Mapping[str, float] | Mapping[str, ArrayLike]
"""The fields of the optimiser that may differ between the members of one program: `learning_rate`, `clip` and
`weight_decay`. Missing ones have the config's value."""


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """An optimiser for `updates` updates, as a function of a member's own scalars."""

    config: OptimizerConfig
    updates: int

    def __call__(self, scalars: Scalars) -> optax.GradientTransformation:
        """Returns the optimiser of one member. It may be called inside jit: `scalars` may be traced."""
        return make_optimizer(self.config, self.updates, scalars)

    @property
    def program(self) -> tuple[OptimizerConfig, int]:
        """The config and, where the schedule uses it, the number of updates, which determine a compiled program."""
        return self.config, 0 if self.config.schedule == "constant" else self.updates

    def clip(self, scalars: Scalars) -> ArrayLike | float | None:
        """Returns the global norm above which gradients are scaled down; None without clipping."""
        return clip_of(self.config, scalars)


def check_precision(config: OptimizerConfig, path: str, dtype: DType) -> None:
    """Raises UserError where the optimiser's epsilon rounds to 0 in `dtype`, so that updates would divide 0 by 0.

    The smallest float16 is 6e-8: with Adam or RMSProp training isn't finite after a few updates. `path` names the field
    in the message.
    """
    epsilon = EPSILONS.get(config.name)
    if epsilon is not None and not np.asarray(epsilon, dtype).any():
        others = ", ".join(name for name in OPTIMIZERS if name not in EPSILONS)
        raise UserError(
            f"{path}='{dtype}' can't be trained by optimizer.name={config.name!r}, whose epsilon of {epsilon:g} is 0 "
            f"in it: choose bfloat16 or float32 (dtype='{dtype}' may stay), or one of {others}"
        )


def make_schedule(config: OptimizerConfig, updates: int) -> optax.Schedule:
    """Returns the learning rate's factor by the number of updates done: linear warm-up, then `config.schedule`."""
    choose("config.optimizer.schedule", config.schedule, SCHEDULES)
    if config.warmup >= updates:
        raise UserError(f"config.optimizer.warmup={config.warmup} must be below the number of updates, {updates}")
    schedule = SCHEDULES[config.schedule](updates - config.warmup)
    if not config.warmup:
        return schedule
    return optax.join_schedules([optax.linear_schedule(0.0, 1.0, config.warmup), schedule], [config.warmup])


def make_optimizer(config: OptimizerConfig, updates: int, scalars: Scalars) -> optax.GradientTransformation:
    """Returns the chain of clipping by the global norm, the optimiser, decoupled weight decay and the schedule.

    `scalars` may be traced: their values change neither the program nor the shape of the optimiser's state.

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
    """Returns the scalars' `clip`, or the config's; None where the config's is 0."""
    return scalars.get("clip", config.clip or None)
