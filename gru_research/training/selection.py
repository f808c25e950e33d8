"""Early stopping and the choice of the tested parameters, by validation data alone."""

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.stats import rank_worst
from gru_research.tasks import Task
from gru_research.types import Array

from .seeds import OWN, SeedAxis
from .state import TrainState


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The length of training and the times of evaluation.

    Attributes:
      phase: "tuning" or "training", for the progress line.
      updates, eval_every: counts of updates.
      select: which parameters are tested: the "last", or those with the "best" validation metric.
      patience: the number of evaluations without a better metric after which a member stops; 0: never.
    """

    phase: str
    updates: int
    eval_every: int
    select: str
    patience: int

    def end_of_call(self, step: int, steps: int) -> int:
        """Returns the end of a call of up to `steps` updates from `step` on, no later than the next evaluation."""
        return min(step + steps, self.updates, (step // self.eval_every + 1) * self.eval_every)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """All members `[S]` at one step. Losses, norms and shares are means over the updates since the last evaluation."""

    step: int
    state: Mapping[str, np.ndarray]
    measured: Mapping[str, np.ndarray]
    updates: np.ndarray
    train_loss: np.ndarray
    gradient_norm: np.ndarray
    clipped_share: np.ndarray
    train_seconds: float


class Selection:
    """Keeps each member's best parameters, and stops members that have run out of patience."""

    def __init__(self, axis: SeedAxis, task: Task, schedule: Schedule):
        members = len(axis.seeds)
        self._axis, self._task, self._schedule = axis, task, schedule
        self._best = np.full(members, math.inf)
        self._best_step = np.zeros(members, np.int64)
        self._waited = np.zeros(members, np.int64)
        self._diverged = np.zeros(members, bool)
        self._take = axis.shard_over_seeds(_take, OWN, OWN, OWN)
        self.best_params: Any = None
        """The parameters with each member's best validation metric so far."""

    def update(self, state: TrainState, evaluation: Evaluation) -> TrainState:
        """Takes an evaluation into account. Returns the state, in which stopped members are inactive."""
        direction = self._task.validation_direction
        sign = 1 if direction == "min" else -1
        self._diverged = evaluation.state["diverged_at"] > 0
        values = sign * rank_worst(evaluation.measured[self._task.validation_metric], direction)
        values[self._diverged] = math.inf
        better = (values < self._best) | (evaluation.step == 0)
        self._best = np.where(better, values, self._best)
        self._best_step = np.where(better, evaluation.step, self._best_step)
        self._waited = np.where(better, 0, self._waited + 1)
        old = state.params if self.best_params is None else self.best_params
        self.best_params = self._take(self._axis.put_members(list(better)), state.params, old)
        if not self._schedule.patience:
            return state
        going = self._axis.put_members([bool(w < self._schedule.patience) for w in self._waited])
        return state._replace(active=state.active & going)

    @property
    def exhausted(self) -> bool:
        """Whether no member has patience left."""
        patience = self._schedule.patience
        return bool(patience and np.all(self._diverged | (self._waited >= patience)))

    def parameters(self, state: TrainState) -> Any:
        return state.params if self._schedule.select == "last" else self.best_params

    def selected_step(self, state: TrainState) -> np.ndarray:
        """Returns the step `[S]` of the tested parameters."""
        return self._axis.gather(state.step) if self._schedule.select == "last" else self._best_step

    def numbers(self) -> dict[str, np.ndarray]:
        """Returns the state without the parameters, as arrays `[S]`."""
        return {"best": self._best, "best_step": self._best_step, "waited": self._waited, "diverged": self._diverged}

    def restore(self, numbers: Mapping[str, np.ndarray], best_params: Any) -> None:
        """Restores `numbers` and `best_params`."""
        self._best, self._best_step = np.asarray(numbers["best"]), np.asarray(numbers["best_step"])
        self._waited, self._diverged = np.asarray(numbers["waited"]), np.asarray(numbers["diverged"])
        self.best_params = best_params


def _take(better: Array, new: Any, old: Any) -> Any:
    return jax.tree.map(partial(jnp.where, better), new, old)
