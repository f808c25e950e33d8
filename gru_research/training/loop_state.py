"""The state of the training loop between two calls, and its conversion to plain arrays for snapshots."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import UserError

from .seeds import SeedAxis
from .selection import Evaluation, Selection
from .state import TrainState
from .step import Sums, no_sums


@dataclasses.dataclass
class LoopState:
    """Everything that changes during training, except what `Selection` keeps.

    Attributes:
      step: the number of updates done.
      sums: sums over the updates since the last evaluation.
      evaluations: all evaluations so far.
      train_seconds: the wall time of all calls of the training program, each until its results are ready. It excludes
        waiting for batches and includes making the next ones during a call.
      evaluation_seconds: the wall time of evaluations, in this process.
    """

    step: int
    state: TrainState
    sums: Sums
    evaluations: list[Evaluation]
    train_seconds: float
    evaluation_seconds: float = 0.0


def start_sums(axis: SeedAxis) -> Sums:
    """Returns every member's sums before the first update."""
    return axis.put(jax.tree.map(lambda a: jnp.broadcast_to(a, (axis.length,)), no_sums()))


def to_arrays(loop_state: LoopState, selection: Selection, axis: SeedAxis) -> dict[str, Any]:
    """Converts the state to nested dicts of numpy arrays without padding, so that any number of devices can load it."""
    evaluations = [dataclasses.asdict(evaluation) for evaluation in loop_state.evaluations]
    return {
        "state": by_number(axis.gather(loop_state.state)),
        "sums": by_number(axis.gather(loop_state.sums)),
        "best_params": by_number(axis.gather(selection.best_params)),
        "selection": selection.numbers(),
        "evaluations": jax.tree.map(lambda *values: np.stack(values), *evaluations),
        "train_seconds": np.float64(loop_state.train_seconds),
    }


def from_arrays(
    arrays: Mapping[str, Any], fresh: LoopState, selection: Selection, axis: SeedAxis, step: int
) -> LoopState:
    """Inverts `to_arrays`; `fresh`, the state before training, gives the structure of the arrays.

    Raises:
      UserError: the arrays belong to another model or optimiser.
    """
    state = axis.put_back(like(axis.gather(fresh.state), arrays["state"]))
    # Copies have the first member's state, but are inactive.
    state = state._replace(active=state.active & axis.put(axis.members))
    best = axis.put_back(like(axis.gather(fresh.state.params), arrays["best_params"]))
    selection.restore(arrays["selection"], best)
    stacked = arrays["evaluations"]
    evaluations = []
    for e in range(len(stacked["step"])):
        one = jax.tree.map(lambda a, e=e: a[e], dict(stacked))
        one |= {"step": int(one["step"]), "train_seconds": float(one["train_seconds"])}
        evaluations.append(Evaluation(**one))
    sums = axis.put_back(like(axis.gather(fresh.sums), arrays["sums"]))
    return LoopState(step, state, sums, evaluations, float(arrays["train_seconds"]))


def by_number(tree: Any) -> dict[str, np.ndarray]:
    """Returns the leaves of a tree by number, with names that are safe on disk."""
    return {f"{i:04d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(tree))}


def like(tree: Any, leaves: Mapping[str, np.ndarray]) -> Any:
    """Inverts `by_number`, in the structure of `tree`. Raises UserError where the leaves don't fit."""
    expected, structure = jax.tree.flatten(tree)
    found = [np.asarray(leaves[name]) for name in sorted(leaves)]
    if [(a.shape, a.dtype) for a in expected] != [(a.shape, a.dtype) for a in found]:
        raise UserError(
            "the checkpoint is of another model or optimiser than the code makes now: choose another workdir"
        )
    return jax.tree.unflatten(structure, found)
