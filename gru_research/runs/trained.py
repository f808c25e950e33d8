"""Loads the cells of a finished run for analyses: parameters before and after training, and validation inputs."""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gru_research import records, runs
from gru_research.config import UserError
from gru_research.data import DataDirs
from gru_research.models import SequenceModel
from gru_research.training import CellPlan, Plan, evaluation_hooks
from gru_research.training.state import stream
from gru_research.types import Array, Batch, Params


@dataclasses.dataclass(frozen=True)
class TrainedCell:
    """One trained cell of a run.

    Attributes:
      plan: the cell's description.
      seeds: all seeds, diverged ones included.
      initial, params: the parameters before training and the tested ones; every array has a leading seed axis
        `[S, ...]`.
    """

    plan: CellPlan
    seeds: tuple[int, ...]
    initial: Params
    params: Params

    @property
    def label(self) -> str:
        return self.plan.label

    @property
    def model(self) -> SequenceModel:
        """The cell's model, where `refusal` returns None."""
        assert isinstance(self.plan.model, SequenceModel)
        return self.plan.model


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A finished run: its cells in the config's order, its records and its data."""

    plan: Plan
    cells: tuple[TrainedCell, ...]
    records: records.Run
    sets: Mapping[str, Mapping[str, np.ndarray]]

    def cell(self, label: str) -> TrainedCell:
        return next(cell for cell in self.cells if cell.label == label)

    def validation(self, count: int) -> Batch:
        """Returns the first `count` validation examples as a model's batch."""
        return self.plan.task.prepare({name: a[:count] for name, a in self.sets["validation"].items()})


def load_finished(workdir: Path, dirs: DataDirs) -> FinishedRun:
    """Loads a finished run from its directory.

    Args:
      dirs: where the data are now, if they have moved.

    Raises:
      RecordsError: there are no readable records.
      UserError: the run isn't finished, or its data can't be loaded.
    """
    run = runs.load(workdir, dirs.data_dir, dirs.manual_dir)
    if not run.finished:
        raise UserError(f"workdir={str(workdir)!r} holds a run that isn't finished: run its command again to resume it")
    for file, how in run.changed.items():
        print(f"warning: {file} {how} since the run", file=sys.stderr, flush=True)
    cells = []
    for cell in run.plan.cells:
        seeds = run.seeds(cell.label)
        cells.append(TrainedCell(cell, seeds, initial_parameters(run.plan, cell, seeds), run.parameters(cell.label)))
    return FinishedRun(run.plan, tuple(cells), run.on_record, run.sets)


def initial_parameters(plan: Plan, cell: CellPlan, seeds: tuple[int, ...]) -> Params:
    """Returns the parameters that training started from, `[S, ...]`, bit for bit."""

    def one(seed: Array) -> Params:
        return cell.model.init(stream(seed, "init"), plan.task.spec.example)

    return jax.tree.map(np.asarray, jax.jit(lambda all_seeds: lax.map(one, all_seeds))(jnp.asarray(seeds, jnp.uint32)))


def per_seed(function: Callable[..., Any], *trees: Any) -> Any:
    """Applies `function` to each seed's part of `trees`, whose leading axis is the seed; returns NumPy arrays."""
    return jax.tree.map(
        np.asarray, jax.jit(lambda *all_of_them: lax.map(lambda one: function(*one), all_of_them))(*trees)
    )


def refusal(run: FinishedRun, cell: TrainedCell) -> str | None:
    """Returns why a cell's recurrence can't be analysed; None where it can."""
    reason = evaluation_hooks.unfit(cell.plan.model, run.sets["validation"])
    return None if reason is None else f"{cell.label} {reason}"
