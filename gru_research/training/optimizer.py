"""Optimisers and learning-rate schedules from a config, on optax."""

from collections.abc import Callable

import optax

from gru_research.config import OptimizerConfig, UserError, choose

OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "adam": optax.scale_by_adam,
    "lion": optax.scale_by_lion,
    "momentum": lambda: optax.trace(decay=0.9),
    "rmsprop": optax.scale_by_rms,
    "sgd": optax.identity,
}
"""The optimisers that a config can name, before the learning rate."""

SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda rate, updates: optax.constant_schedule(rate),
    "cosine": lambda rate, updates: optax.cosine_decay_schedule(rate, updates),
    "linear": lambda rate, updates: optax.linear_schedule(rate, 0.0, updates),
}
"""The schedules that a config can name: from (learning rate, updates after the warm-up)."""


def make_schedule(config: OptimizerConfig, learning_rate: float, updates: int) -> optax.Schedule:
    """The learning rate against the number of updates done: linear warm-up, then `config.schedule`."""
    choose("config.optimizer.schedule", config.schedule, SCHEDULES)
    if config.warmup >= updates:
        raise UserError(f"config.optimizer.warmup={config.warmup} must be below config.updates={updates}")
    schedule = SCHEDULES[config.schedule](learning_rate, updates - config.warmup)
    if not config.warmup:
        return schedule
    return optax.join_schedules([optax.linear_schedule(0.0, learning_rate, config.warmup), schedule], [config.warmup])


def make_optimizer(config: OptimizerConfig, learning_rate: float, updates: int) -> optax.GradientTransformation:
    """Clipping by the global norm, the optimiser, decoupled weight decay, the schedule.

    Raises:
      UserError: an unknown optimiser or schedule, or a warm-up that is longer than the run.
    """
    choose("config.optimizer.name", config.name, OPTIMIZERS)
    schedule = make_schedule(config, learning_rate, updates)
    return optax.chain(
        optax.clip_by_global_norm(config.clip) if config.clip else optax.identity(),
        OPTIMIZERS[config.name](),
        optax.add_decayed_weights(config.weight_decay) if config.weight_decay else optax.identity(),
        optax.scale_by_learning_rate(schedule),
    )
