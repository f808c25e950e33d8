"""The evaluation of all members on a set: batches that are all alike, so that one program serves the whole set."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from gru_research.tasks import Task

from .plan import CellPlan, Plan
from .seeds import OWN, SHARED_ROWS, SeedAxis
from .state import TrainState
from .step import evaluate

EVALUATION_BATCH = 500
EVALUATION_NUMBERS = 2**25
"""At most so many numbers of a layer's outputs are there at once."""


def evaluation_batches(examples: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
    """A set `[N, ...]` as batches `[size, ...]`, all alike so that one program serves the whole set.

    Copies fill up the last one; `weight [size]` is 0 for them and 1 for the others.
    """
    total = len(next(iter(examples.values())))
    missing = -total % size
    weight = np.concatenate([np.ones(total, np.float32), np.zeros(missing, np.float32)])
    copies = np.arange(missing) % total
    filled = {name: np.concatenate([a, a[copies]]) for name, a in examples.items()} | {"weight": weight}
    return [{name: a[i : i + size] for name, a in filled.items()} for i in range(0, total, size)]


def evaluation_size(examples: Mapping[str, np.ndarray], task: Task, cell: CellPlan) -> int:
    """How many examples of a set are evaluated at once: fewer where sequences are long."""
    total = len(next(iter(examples.values())))
    # The first axis of an example as stored is its time, unless `prepare` makes more steps of it.
    steps = max([task.length or 1, *(max(a.shape[1:2] or (1,)) for a in examples.values())])
    return max(1, min(EVALUATION_BATCH, total, EVALUATION_NUMBERS // (steps * (cell.hidden_size + task.output_size))))


def put_evaluation(
    examples: Mapping[str, np.ndarray], task: Task, cell: CellPlan, axis: SeedAxis
) -> list[dict[str, jax.Array]]:
    """A set as batches on the devices."""
    size = evaluation_size(examples, task, cell)
    return [axis.put(b, SHARED_ROWS) for b in evaluation_batches(examples, size + -size % axis.parts)]


def shapes(batch: Mapping[str, Any]) -> dict[str, Any]:
    """What a compiled program fits: shapes and types by name."""
    return {name: (a.shape, a.dtype) for name, a in batch.items()}


def score(
    program: Callable[..., dict[str, Any]],
    axis: SeedAxis,
    state: TrainState,
    batches: Sequence[Mapping[str, jax.Array]],
) -> dict[str, np.ndarray]:
    """For each member the means `[S]` over a set of what the task measures."""
    sums = [program(state, batch) for batch in batches]
    total = {name: np.stack([axis.gather(part[name]) for part in sums]).sum(0, dtype=np.float64) for name in sums[0]}
    weight = total.pop("weight")
    return {name: a / weight for name, a in total.items()}


def compile_evaluation(plan: Plan, cell: CellPlan, axis: SeedAxis, state: TrainState, examples: Any) -> Any:
    """The program that evaluates all members on one batch."""
    program = partial(evaluate, cell.model, plan.task, axis.over)
    return axis.spread(program, OWN, SHARED_ROWS).lower(state, examples).compile()
