"""Evaluates all members on a set, in batches of one shape, so that the whole set needs one program."""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
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
from .plan import CellPlan
from .predictions import compute, finished
from .seeds import OWN, SHARED_ROWS, SeedAxis
from .state import TrainState

EVALUATION_BATCH = 500
EVALUATION_NUMBERS = 2**25
"""The largest number of outputs of a layer in one batch."""


class EvaluationBatch(NamedTuple):
    """Examples `[B, ...]` by name, whether each counts `[B]`, and how many count. The copies at the end of a set's last
    batch don't count."""

    examples: Mapping[str, Any]
    counted: Any
    count: int


@dataclasses.dataclass(frozen=True)
class Scores:
    """The result of evaluating a set.

    Attributes:
      metrics: each member's metrics `[S]` by name.
      kept: the arrays `[S, N, ...]` of each example in the set's order, by metric, or `evaluation.PREDICTIONS`, and
        name.
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
    """Returns the number of examples evaluated at once, which is lower for long sequences."""
    total = len(next(iter(examples.values())))
    # The first axis of a stored example is time, unless `prepare` makes more steps.
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
    """Returns the shapes and types by name for which a program is compiled."""
    return {name: (a.shape, a.dtype) for name, a in batch.examples.items()}


def score(
    program: Callable[..., BatchMeasures],
    axis: SeedAxis,
    state: TrainState,
    batches: Sequence[EvaluationBatch],
    task: Task,
    names: Collection[str],
    keep: bool = False,
) -> Scores:
    """Returns the task's metrics `names` of each member over a set; with `keep` also the arrays of each example."""
    members = axis.put(axis.members)
    measured = [program(members, state, batch.examples, batch.counted) for batch in batches]
    metrics = {name: task.metrics[name] for name in names}
    collected = [name for name, metric in metrics.items() if not isinstance(metric, Additive)]
    counts = [batch.count for batch in batches]
    kept = {
        name: _joined([part.kept[name] for part in measured], axis, counts)
        for name in measured[0].kept
        if keep or name in collected
    }
    found = {}
    for name, metric in metrics.items():
        try:
            if isinstance(metric, Additive):
                found[name] = finished(metric, _summed([part.sums[name] for part in measured], axis))
            else:
                found[name] = compute(metric, kept[name])
        except UserError as e:
            raise UserError(f"{task.name}, {name}: {e}") from e
    return Scores(found, kept if keep else {})


def _summed(parts: Sequence[Mapping[str, Any]], axis: SeedAxis) -> dict[str, np.ndarray]:
    """Returns each member's sums `[S]` over a set."""
    return {name: np.stack([axis.gather(part[name]) for part in parts]).sum(0, dtype=np.float64) for name in parts[0]}


def _joined(parts: Sequence[Mapping[str, Any]], axis: SeedAxis, counts: Sequence[int]) -> dict[str, np.ndarray]:
    """Returns each member's arrays of the examples `[S, N, ...]`, without copies."""
    return {
        name: np.concatenate(
            [axis.gather(part[name])[:, :count] for part, count in zip(parts, counts, strict=True)], axis=1
        )
        for name in parts[0]
    }


def compile_evaluation(
    task: Task, names: Collection[str], cell: CellPlan, axis: SeedAxis, state: TrainState, batch: EvaluationBatch
) -> Any:
    """Compiles the program that measures the metrics `names` of all members on one batch. Its arguments are the axis's
    `members`, the state, the examples and `counted`."""
    program = partial(_unless_copy, cell.model, task, names, axis.mesh_axis, axis.batched)
    spread = axis.shard_over_seeds(program, OWN, OWN, SHARED_ROWS, SHARED_ROWS)
    return spread.lower(axis.put(axis.members), state, batch.examples, batch.counted).compile()


def _unless_copy(
    model: Model, task: Task, names: Collection[str], mesh_axis: str | None, batched: bool, member: Array,
    state: TrainState, batch: Batch, counted: Array,
) -> BatchMeasures:  # fmt: skip
    """Evaluates a member. Unless members are batched, a copy gives zeros, which takes no time."""
    measure = jax.jit(partial(evaluate, model, task, names, mesh_axis))  # jitted so that it is traced only once below
    if batched:
        return measure(state, batch, counted)
    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(measure, state, batch, counted))
    return lax.cond(member, measure, lambda *_: nothing, state, batch, counted)
