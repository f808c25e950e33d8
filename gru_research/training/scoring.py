"""Evaluates all members on a set, in batches of one shape, so that one program serves the whole set."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gru_research.config import UserError
from gru_research.metrics import Additive
from gru_research.models import Model
from gru_research.tasks import Task
from gru_research.types import Array, Batch

from .evaluation import BatchMeasures, evaluate
from .plan import CellPlan, Plan
from .predictions import compute, finished
from .seeds import OWN, SHARED_ROWS, SeedAxis
from .state import TrainState

EVALUATION_BATCH = 500
EVALUATION_NUMBERS = 2**25
"""The most numbers of a layer's outputs in one batch."""


class EvaluationBatch(NamedTuple):
    """Examples `[B, ...]` by name, which of them count `[B]`, and how many: copies that fill up a set's last batch, at
    its end, don't."""

    examples: Mapping[str, Any]
    counted: Any
    count: int


@dataclasses.dataclass(frozen=True)
class Scores:
    """The result of evaluating a set.

    Attributes:
      metrics: of each member `[S]` by name.
      kept: by metric, and under `evaluation.PREDICTIONS`, the arrays `[S, N, ...]` of each example by name, in the
        set's order.
    """

    metrics: Mapping[str, np.ndarray]
    kept: Mapping[str, Mapping[str, np.ndarray]]


def evaluation_batches(examples: Mapping[str, np.ndarray], size: int) -> list[EvaluationBatch]:
    """Divides a set `[N, ...]` into batches `[size, ...]` of one shape."""
    total = len(next(iter(examples.values())))
    missing = -total % size
    counted = np.arange(total + missing) < total
    copies = np.arange(missing) % total
    filled = {name: np.concatenate([a, a[copies]]) for name, a in examples.items()}
    return [
        EvaluationBatch(
            {name: a[i : i + size] for name, a in filled.items()}, counted[i : i + size], min(size, total - i)
        )
        for i in range(0, total, size)
    ]


def evaluation_size(examples: Mapping[str, np.ndarray], task: Task, cell: CellPlan) -> int:
    """How many examples of a set are evaluated at once: fewer where sequences are long."""
    total = len(next(iter(examples.values())))
    # The first axis of an example as stored is its time, unless `prepare` makes more steps of it.
    steps = max([task.length or 1, *(max(a.shape[1:2] or (1,)) for a in examples.values())])
    numbers = steps * (cell.hidden_size + task.spec.output_size)
    return max(1, min(EVALUATION_BATCH, total, EVALUATION_NUMBERS // numbers))


def put_evaluation(
    examples: Mapping[str, np.ndarray], task: Task, cell: CellPlan, axis: SeedAxis
) -> list[EvaluationBatch]:
    """Puts a set on the devices, in batches."""
    size = evaluation_size(examples, task, cell)
    batches = evaluation_batches(examples, size + -size % axis.parts)
    placed = [axis.put(b[:2], SHARED_ROWS) for b in batches]
    return [EvaluationBatch(examples, counted, b.count) for (examples, counted), b in zip(placed, batches, strict=True)]


def shapes(batch: EvaluationBatch) -> dict[str, Any]:
    """What a compiled program fits: shapes and types by name."""
    return {name: (a.shape, a.dtype) for name, a in batch.examples.items()}


def score(
    program: Callable[..., BatchMeasures],
    axis: SeedAxis,
    state: TrainState,
    batches: Sequence[EvaluationBatch],
    task: Task,
    keep: bool = False,
) -> Scores:
    """What the task measures of each member over a set; with `keep` also the arrays of each example."""
    members = axis.put(axis.members)
    measured = [program(members, state, batch.examples, batch.counted) for batch in batches]
    collected = [name for name, metric in task.metrics.items() if not isinstance(metric, Additive)]
    counts = [batch.count for batch in batches]
    kept = {
        name: _joined([part.kept[name] for part in measured], axis, counts)
        for name in measured[0].kept
        if keep or name in collected
    }
    found = {}
    for name, metric in task.metrics.items():
        try:
            if isinstance(metric, Additive):
                found[name] = finished(metric, _summed([part.sums[name] for part in measured], axis))
            else:
                found[name] = compute(metric, kept[name])
        except UserError as e:
            raise UserError(f"{task.name}, {name}: {e}") from e
    return Scores(found, kept if keep else {})


def _summed(parts: Sequence[Mapping[str, Any]], axis: SeedAxis) -> dict[str, np.ndarray]:
    """For each member the sums `[S]` over a set."""
    return {name: np.stack([axis.gather(part[name]) for part in parts]).sum(0, dtype=np.float64) for name in parts[0]}


def _joined(parts: Sequence[Mapping[str, Any]], axis: SeedAxis, counts: Sequence[int]) -> dict[str, np.ndarray]:
    """For each member the examples' arrays `[S, N, ...]`, without copies."""
    return {
        name: np.concatenate(
            [axis.gather(part[name])[:, :count] for part, count in zip(parts, counts, strict=True)], axis=1
        )
        for name in parts[0]
    }


def compile_evaluation(plan: Plan, cell: CellPlan, axis: SeedAxis, state: TrainState, batch: EvaluationBatch) -> Any:
    """The program that evaluates all members on one batch: from which places of the axis hold members, their state, the
    examples and which of them count."""
    program = partial(_unless_copy, cell.model, plan.task, axis.mesh_axis, axis.batched)
    spread = axis.shard_over_seeds(program, OWN, OWN, SHARED_ROWS, SHARED_ROWS)
    return spread.lower(axis.put(axis.members), state, batch.examples, batch.counted).compile()


def _unless_copy(
    model: Model, task: Task, mesh_axis: str | None, batched: bool, member: Array, state: TrainState, batch: Batch,
    counted: Array,
) -> BatchMeasures:  # fmt: skip
    """Evaluates a member. A copy gives zeros, which take no time where members aren't batched."""
    measure = jax.jit(partial(evaluate, model, task, mesh_axis))  # so that it is traced once for what follows
    if batched:
        return measure(state, batch, counted)
    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(measure, state, batch, counted))
    return lax.cond(member, measure, lambda *_: nothing, state, batch, counted)
