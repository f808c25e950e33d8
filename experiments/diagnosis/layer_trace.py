"""Traces a trained layer's gates and states over sequences, and evaluates its cell with some of them held."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import gru_research as gr
from gru_research.analysis import intervene
from gru_research.cells import gate_roles
from gru_research.config import ExperimentConfig
from gru_research.runs import trained
from gru_research.tasks import Task
from gru_research.training import evaluation_hooks
from gru_research.training.evaluation import wide
from gru_research.training.predictions import compute
from gru_research.types import Array, Batch, Params


@dataclasses.dataclass(frozen=True)
class LayerTrace:
    """One layer of all seeds: its cell, its gates `[S, B, T, H]` by name, and its outputs `[S, B, T, H]`."""

    cell: Any
    gates: Mapping[str, np.ndarray]
    states: np.ndarray

    @property
    def proper(self) -> list[str]:
        """The names of the gates, without the candidate."""
        return [gate for gate in self.gates if not gate_roles.is_candidate(self.cell, gate)]

    def title(self, gate: str) -> str:
        """Formats a gate's name, as "update gate z"."""
        return gate_roles.gate_title(self.cell, gate)


def untraceable(config: ExperimentConfig) -> str | None:
    """Returns why a run's gates and states can't be shown, to follow "the run" in a sentence; None if they can."""
    if any(config.model.options.get(name) for name in ("zoneout", "zoneout_cell")):
        return "has zoneout: the state of an evaluation is an expectation, and its gates belong to no sequence"
    return None


def trace_layer(cell: trained.TrainedCell, params: Params, batch: Batch, layer: int = 0) -> LayerTrace:
    """Returns the gates and outputs of a layer at evaluation; runs the layers below it first."""

    def one(mine: Params) -> tuple[dict[str, Array], Array]:
        xs: Array | None = evaluation_hooks.inputs_of(cell.model, mine, batch)
        stack = cell.model.stack
        if layer:
            below = dataclasses.replace(stack, cells=stack.cells[:layer])
            xs = below.apply(mine["stack"][:layer], xs)[1]
        assert xs is not None
        _, ys, gates = gr.trace(_recurrent(cell, layer), mine["stack"][layer], xs)
        assert ys is not None
        return gates, ys

    gates, states = trained.per_seed(one, params)
    return LayerTrace(cell.model.stack.cells[layer], gates, states)


def metrics_with(
    cell: trained.TrainedCell,
    batch: Batch,
    task: Task,
    changes: Mapping[str, np.ndarray],
    held: Callable[[Mapping[str, Array]], Mapping[str, Any]],
    layer: int = 0,
    at: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Returns the task's metric on a batch with something of a layer held, `[S]` for each of K changes.

    All changes are one compiled program.

    Args:
      changes: arrays `[S, K, ...]` by name.
      held: the arguments of `intervene` for one seed and one change, whose arrays it gets without these axes.
      at: booleans `[K, B, T]`: a change acts only at the steps where it is true; for a lowest layer that reads the
        inputs themselves.
    """
    assert at is None or (layer == 0 and cell.model.embedding is None)
    count = next(iter(changes.values())).shape[1]

    def with_one(params: Params, change: Mapping[str, Array], marked: Array | None) -> Mapping[str, Array]:
        shown = batch
        if marked is not None:
            inputs = jnp.asarray(batch["inputs"])
            shown = {**batch, "inputs": jnp.concatenate([inputs, marked[..., None].astype(inputs.dtype)], -1)}
        stack, by_step = cell.model.stack, marked is not None
        changed, inside = intervene(_recurrent(cell, layer), params["stack"][layer], **held(change), by_step=by_step)
        cells = tuple(changed if i == layer else c for i, c in enumerate(stack.cells))
        model = dataclasses.replace(cell.model, stack=dataclasses.replace(stack, cells=cells))
        all_layers = [inside if i == layer else p for i, p in enumerate(params["stack"])]
        return _statistics(task, model.apply({**params, "stack": all_layers}, shown), batch)

    def of_seed(params: Params, mine: Mapping[str, Array]) -> Mapping[str, Array]:
        return lax.map(lambda one: with_one(params, *one), (mine, at))

    kept = trained.per_seed(of_seed, cell.params, changes)
    metric = task.metrics[task.metric]
    return [compute(metric, {name: a[:, k] for name, a in kept.items()}) for k in range(count)]


def metric(cell: trained.TrainedCell, params: Params, batch: Batch, task: Task) -> np.ndarray:
    """Returns the task's metric on a batch, `[S]`."""
    kept = trained.per_seed(lambda mine: _statistics(task, cell.model.apply(mine, batch), batch), params)
    return compute(task.metrics[task.metric], kept)


def _statistics(task: Task, outputs: Any, batch: Batch) -> Mapping[str, Array]:
    """Returns the metric's statistics, `[B, ...]` by name; `compute` makes the metric of them outside jit, as in an
    evaluation."""
    return wide(task.metrics[task.metric].statistics(outputs, batch))


def _recurrent(cell: trained.TrainedCell, layer: int) -> Any:
    inside = cell.model.stack.cells[layer]
    assert hasattr(inside, "gates"), inside
    return inside


def median_seed(values: np.ndarray, direction: str) -> int:
    """Returns the index of the median seed, the upper of two; a seed that isn't finite ranks worst."""
    worst = np.inf if direction == "min" else -np.inf
    return int(np.argsort(np.where(np.isfinite(values), values, worst), kind="stable")[len(values) // 2])


def one_seed(tree: Any, seed: int) -> Any:
    """Returns one seed's part of a tree."""
    return jax.tree.map(lambda a: a[seed], tree)
