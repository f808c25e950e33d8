"""A cache of one cell's compiled programs, shared by tuning, training and the test."""

import time
from collections.abc import Callable, Collection, Hashable
from functools import partial
from typing import Any, TypeVar

import jax
import numpy as np

from gru_research import native
from gru_research.tasks import Task

from .batch_maker import BatchMaker
from .evaluation import BatchMeasures
from .optimizer import Optimizer
from .plan import CellPlan, Plan
from .scoring import EvaluationBatch, compile_evaluation
from .seeds import OWN, OWN_BATCHES, SHARED, SeedAxis
from .state import TrainState
from .step import Buckets, Sums, run_updates

T = TypeVar("T")


class ProgramCache:
    """Compiles the programs of one cell ahead of time, so that no timing includes compilation.

    A program is reused for arguments of the same structure, shapes, types and shardings on the same devices, with an
    optimiser that makes the same program. A member's own numbers, such as its learning rate, are arguments.

    Attributes:
      seconds: the total time of compilation so far.
      engine: the engine of recurrent layers in training, "native" or "XLA"; "" before compilation.
    """

    def __init__(self, plan: Plan, cell: CellPlan) -> None:
        self._plan, self._cell = plan, cell
        self._made: dict[Hashable, Any] = {}
        self.seconds, self.engine = 0.0, ""

    def training(
        self, axis: SeedAxis, optimizer: Optimizer, state: TrainState, sums: Sums, batches: BatchMaker
    ) -> Callable[..., tuple[TrainState, Sums]]:
        """Returns the training program for a state, sums and batches of a maker."""

        def compile_it() -> Callable[..., tuple[TrainState, Sums]]:
            lowered = lower_training(self._plan, self._cell, axis, optimizer, state, sums, batches)
            self.engine = native.engine_of(lowered)
            return lowered.compile()

        fits = _fits((state, sums, batches.layout)), batches.buckets
        return self._once(("training", axis.mesh, optimizer.program, fits), compile_it)

    def evaluation(
        self, task: Task, names: Collection[str], axis: SeedAxis, state: TrainState, batch: EvaluationBatch
    ) -> Callable[..., BatchMeasures]:
        """Returns the program that measures metrics for a state and a batch.

        `task` is the plan's, or a copy that generates answers in another way.
        """
        return self._once(
            ("evaluation", tuple(sorted(task.answer.items())), tuple(names), axis.mesh, _fits((state, batch.examples))),
            lambda: compile_evaluation(task, names, self._cell, axis, state, batch),
        )

    def _once(self, key: Hashable, compile_it: Callable[[], T]) -> T:
        if key not in self._made:
            started = time.perf_counter()
            self._made[key] = compile_it()
            self.seconds += time.perf_counter() - started
        return self._made[key]


def lower_training(
    plan: Plan, cell: CellPlan, axis: SeedAxis, optimizer: Optimizer, state: TrainState, sums: Sums, batches: BatchMaker
) -> jax.stages.Lowered:
    """Lowers the program that updates all members up to a step; the state and the sums are donated."""
    cut = None if batches.buckets is None else Buckets(batches.buckets, axis.shared_axes)
    train = partial(run_updates, cell.model, optimizer, plan.task, plan.config.batch_size, axis.mesh_axis, cut)
    program = axis.shard_over_seeds(train, OWN, OWN, OWN_BATCHES, SHARED, donate=(0, 1))
    return program.lower(state, sums, batches.layout, np.int32(0))


def _fits(arguments: Any) -> Hashable:
    """Returns a key that is equal for arguments of one compiled program: structure, shapes, types, shardings."""
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple((a.shape, str(a.dtype), a.sharding) for a in leaves)
