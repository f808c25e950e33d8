"""Evaluates one batch inside jit: the examples' statistics, the sums of these, and the predictions."""

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.decoding import DECODERS, Answers
from gru_research.metrics import Additive
from gru_research.models import Model
from gru_research.tasks import Task
from gru_research.tasks.base import PREDICTIONS
from gru_research.types import Array, Arrays, Batch, Params

from .state import TrainState

SMALL = 256
"""An example's outputs are kept as its prediction up to this number."""


class BatchMeasures(NamedTuple):
    """The results for one batch: `sums` has the summed statistics of additive metrics by metric and name; `kept` has
    the arrays `[B, ...]` of each example by metric, or `PREDICTIONS`, and name."""

    sums: Mapping[str, Arrays]
    kept: Mapping[str, Arrays]


def evaluate(
    model: Model,
    task: Task,
    names: Collection[str],
    mesh_axis: str | None,
    state: TrainState,
    batch: Batch,
    counted: Array,
) -> BatchMeasures:
    """Returns the task's metrics `names` of one batch.

    `counted [B]` is False for copies that fill up a set's last batch.
    Where rows are divided over `mesh_axis`, `batch` and `counted` are this device's parts; the result is whole.
    """
    prepared = task.prepare(batch)
    metrics = {name: task.metrics[name] for name in names}
    read: dict[str, Any] = {"outputs": model.apply(state.params, prepared)}
    if any(metric.of == "answers" for metric in metrics.values()):
        read["answers"] = generate(model, task, state.params, prepared)
    each = {name: wide(metric.statistics(read[metric.of], prepared)) for name, metric in metrics.items()}
    sums = {
        name: {part: jnp.sum(jnp.where(counted, a, 0)) for part, a in each[name].items()}
        for name, metric in metrics.items()
        if isinstance(metric, Additive)
    }
    kept = each | {PREDICTIONS: wide(predictions(read))}
    if mesh_axis is not None:
        sums = lax.psum(sums, mesh_axis)
        kept = jax.tree.map(lambda a: lax.all_gather(a, mesh_axis, tiled=True), kept)
    return BatchMeasures(sums, kept)


def wide(arrays: Arrays) -> dict[str, Array]:
    """Converts 16-bit numbers to float32, for exact sums and because NumPy's files have no bfloat16."""
    return {
        name: a.astype(jnp.float32) if jnp.issubdtype(a.dtype, jnp.floating) and a.dtype.itemsize < 4 else a
        for name, a in arrays.items()
    }


def predictions(read: Mapping[str, Any]) -> dict[str, Array]:
    """Returns the predictions of the examples, `[B, ...]`: answers, or outputs where they are small."""
    if "answers" in read:
        answers = read["answers"]
        return {"tokens": answers.tokens, "lengths": answers.lengths, "scores": answers.scores}
    outputs = read["outputs"]
    small = isinstance(outputs, jax.Array) and math.prod(outputs.shape[1:]) <= SMALL
    return {"outputs": outputs} if small else {}


def generate(model: Any, task: Task, params: Params, batch: Batch) -> Answers:
    """Generates answers to a prepared batch with the task's decoder."""
    generation = task.spec.generation
    assert generation is not None, task.name
    how = dict(task.answer)
    return DECODERS[how.pop("name")](model, params, batch, end=generation.end, longest=generation.longest, **how)
