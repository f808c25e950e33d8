"""The cells of a finished run as analyses take them: with the parameters before and after training, and inputs."""

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
from gru_research.training import CellPlan, Plan, probes
from gru_research.training.state import stream
from gru_research.types import Array, Batch, Params


@dataclasses.dataclass(frozen=True)
class TrainedCell:
    """One cell of a run.

    Attributes:
      plan: what it is.
      seeds: their numbers; those that diverged are among them.
      initial, params: before training and as tested, every array with a leading seed axis `[S, ...]`.
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
        """For cells that `refusal` doesn't refuse."""
        assert isinstance(self.plan.model, SequenceModel)
        return self.plan.model


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run that trained to its end, its cells in the config's order, and its data."""

    plan: Plan
    cells: tuple[TrainedCell, ...]
    records: records.Run
    sets: Mapping[str, Mapping[str, np.ndarray]]

    def cell(self, label: str) -> TrainedCell:
        return next(cell for cell in self.cells if cell.label == label)

    def validation(self, count: int) -> Batch:
        """The first `count` validation examples, as models see them."""
        return self.plan.task.prepare({name: a[:count] for name, a in self.sets["validation"].items()})


def read(workdir: Path, dirs: DataDirs) -> FinishedRun:
    """A finished run from its directory; `dirs` where its data lie elsewhere than they did.

    Raises:
      RecordsError: no readable records.
      UserError: it isn't finished, or its data can't be had.
    """
    run = runs.load(workdir, dirs.data_dir, dirs.manual_dir)
    if not run.finished:
        raise UserError(f"workdir={str(workdir)!r} holds a run that isn't finished: its own command goes on with it")
    for file, how in run.changed.items():
        print(f"warning: {file} {how} since the run", file=sys.stderr, flush=True)
    cells = []
    for cell in run.plan.cells:
        seeds = run.seeds(cell.label)
        cells.append(TrainedCell(cell, seeds, initial(run.plan, cell, seeds), run.parameters(cell.label)))
    return FinishedRun(run.plan, tuple(cells), run.on_record, run.sets)


def initial(plan: Plan, cell: CellPlan, seeds: tuple[int, ...]) -> Params:
    """The parameters before training, `[S, ...]`: those that training began with, bit for bit."""

    def one(seed: Array) -> Params:
        return cell.model.init(stream(seed, "init"), plan.task.spec.example)

    return jax.tree.map(np.asarray, jax.jit(lambda all_seeds: lax.map(one, all_seeds))(jnp.asarray(seeds, jnp.uint32)))


def per_seed(function: Callable[..., Any], *trees: Any) -> Any:
    """`function` of each seed's part of `trees`, whose arrays begin with the seed axis; NumPy arrays `[S, ...]`."""
    return jax.tree.map(
        np.asarray, jax.jit(lambda *all_of_them: lax.map(lambda one: function(*one), all_of_them))(*trees)
    )


def refusal(run: FinishedRun, cell: TrainedCell) -> str | None:
    """Why the analyses of a recurrence can't be made of a cell; None where they can."""
    reason = probes.unfit(cell.plan.model, run.sets["validation"])
    return None if reason is None else f"{cell.label} {reason}"
