"""Loads a run from its directory alone."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gru_research import lookup, records
from gru_research.config import ExperimentConfig, UserError, choose, experiment
from gru_research.data import DataDirs
from gru_research.models import Model
from gru_research.run_files import load_learned
from gru_research.tasks import Task
from gru_research.training.batch_maker import Sets
from gru_research.training.checkpoint import FOLDER, Snapshot, load_parameters, read_newest, unfinished
from gru_research.training.plan import CellPlan, Plan, make_plan
from gru_research.types import Params

from .comparison import load_sets
from .predict import predict


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A run, finished or interrupted.

    Attributes:
      workdir: its directory.
      plan: what its config describes: the task, and each cell's model.
      on_record: its records.
      dirs: where its data are.
      changed: the user's own files that changed since the run began: "has changed" or "is gone", by path.
    """

    workdir: Path
    plan: Plan
    on_record: records.Run
    dirs: DataDirs
    changed: Mapping[str, str]
    _read: dict[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    _snapshots: dict[str, Snapshot | None] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def config(self) -> ExperimentConfig:
        """The run's config, with its measured values."""
        return self.plan.config

    @property
    def task(self) -> Task:
        return self.plan.task

    @property
    def finished(self) -> bool:
        return self.on_record.finished

    @functools.cached_property
    def cells(self) -> tuple[str, ...]:
        """The labels of the cells that have parameters, in the config's order. In an interrupted run this includes the
        cell whose training was interrupted, with the parameters of its newest snapshot."""
        return tuple(cell.label for cell in self.plan.cells if self._is_saved(cell.label) or self._snapshot(cell.label))

    @functools.cached_property
    def sets(self) -> Sets:
        """The stored sets among "train", "validation" and "test". They are loaded on first use."""
        return load_sets(self.plan, self.dirs)

    def records(self, kind: str) -> dict[str, list[Any]]:
        """Returns the records of a kind, such as "evaluation" or "result", as columns of equal length by name, as
        `pandas.DataFrame` takes them. Nested fields have dotted names; missing fields are None.

        Raises:
          UserError: there is no such kind.
        """
        choose("kind", kind, records.KINDS)
        rows = [records.dotted(records.fields_of(record)) for record in self.on_record.in_order if record.kind == kind]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [row.get(name) for row in rows] for name in names}

    def cell(self, label: str) -> CellPlan:
        """Returns the plan of a cell. Raises UserError for an unknown label."""
        choose("cell", label, [cell.label for cell in self.plan.cells])
        return next(cell for cell in self.plan.cells if cell.label == label)

    def model(self, cell: str) -> Model:
        """Returns the model that was built around a cell. Raises UserError for an unknown label."""
        return self.cell(cell).model

    def seeds(self, cell: str) -> tuple[int, ...]:
        """Returns the seeds of a cell that has parameters, in order, diverged ones included."""
        return self._saved(cell)[0]

    def parameters(self, cell: str, seed: int | None = None, best: bool = False) -> Params:
        """Returns the parameters of a cell, as NumPy arrays in the structure that its model takes.

        Args:
          seed: one seed; None: all, with a leading seed axis `[S, ...]`.
          best: whether to return those with the best validation metric instead of the tested ones. For a cell whose
            training was interrupted, its last parameters take the place of the tested ones.

        Raises:
          UserError: there is no such cell or seed, no parameters, or they don't fit the model that the code now makes.
        """
        seeds, tested, at_best = self._saved(cell)
        found = at_best if best else tested
        if seed is None:
            return found
        place = seeds.index(choose("seed", seed, seeds))
        return jax.tree.map(lambda a: a[place], found)

    def predict(self, inputs: Iterable[Any], cell: str | None = None, seed: int | None = None) -> Any:
        """Returns the list of a cell's answers to raw inputs; without `cell` a dict of such lists by the cells' labels.

        See `runs.predict.predict` for the arguments, further options and errors. Without a seed each cell uses the one
        with the best validation metric.
        """
        found = predict(self, inputs, cell, seed)
        if cell is not None:
            return [one.answer for one in found]
        return {label: [one.answer for one in found if one.cell == label] for label in self.cells}

    def _is_saved(self, label: str) -> bool:
        return (self.workdir / FOLDER / label).is_dir()

    def _snapshot(self, label: str) -> Snapshot | None:
        if label not in self._snapshots:  # reads all of it, to check that it is complete
            self._snapshots[label] = read_newest(unfinished(self.workdir, label) / "training")
        return self._snapshots[label]

    def _saved(self, label: str) -> tuple[tuple[int, ...], Params, Params]:
        """Returns the seeds, the tested parameters, and the parameters of the best evaluation `[S, ...]`."""
        known = self.cell(label)
        if label not in self._read:
            self._read[label] = self._load(known)
        return self._read[label]

    def _load(self, cell: CellPlan) -> tuple[tuple[int, ...], Params, Params]:
        shapes = jax.eval_shape(cell.model.init, jax.random.key(0), self.task.spec.example)
        where = f"the parameters of {cell.label} in workdir={str(self.workdir)!r}"
        if self._is_saved(cell.label):
            try:
                saved = load_parameters(self.workdir, cell.label)
            except Exception as e:  # orbax and tensorstore raise many kinds for damaged files
                raise UserError(f"{where} are damaged ({' '.join(str(e).split())[:100]})") from e
            seeds = tuple(int(seed) for seed in saved["seeds"])
            return seeds, *(_fitted(shapes, saved[name], len(seeds), where) for name in ("params", "best"))  # pyright: ignore
        snapshot = self._snapshot(cell.label)
        if snapshot is None:
            raise UserError(
                f"workdir={str(self.workdir)!r} has no parameters of {cell.label}: it hasn't been trained, or its "
                "checkpoints are gone"
            )
        leaves, structure = jax.tree.flatten(shapes)
        seeds = self.plan.seeds
        # The first leaves of a state are the parameters.
        found = [[snapshot.arrays[of][f"{i:04d}"] for i in range(len(leaves))] for of in ("state", "best_params")]
        if any([a.shape for a in each] != [(len(seeds), *a.shape) for a in leaves] for each in found):
            raise UserError(f"{where} don't fit the model that the code makes now")
        return seeds, *(jax.tree.unflatten(structure, each) for each in found)  # pyright: ignore


def load(workdir: str | Path, data_dir: str = "", manual_dir: str = "") -> LoadedRun:
    """Implements `runs.load`."""
    folder = Path(workdir)
    run = records.read(folder / records.FILE_NAME)
    env = run.header.env
    dirs = DataDirs(data_dir or env.get("data_dir", ""), manual_dir or env.get("manual_dir", ""))
    try:
        plan = make_plan(experiment(run.header.config), dirs, load_learned(folder))
    except UserError as e:
        raise UserError(f"workdir={str(folder)!r} holds a run that can't be made here: {e}") from e
    return LoadedRun(folder, plan, run, dirs, lookup.changed_files(run.header.files))


def _fitted(shapes: Params, saved: Any, seeds: int, where: str) -> Params:
    """Converts restored parameters, orbax's dicts and lists, to the structure of `shapes`. Raises UserError."""

    def one(path: tuple[Any, ...], shape: jax.ShapeDtypeStruct) -> np.ndarray:
        found = saved
        for key in path:
            name = getattr(key, "key", getattr(key, "idx", getattr(key, "name", None)))
            try:
                found = found[name] if not isinstance(found, Mapping) or name in found else found[str(name)]
            except (KeyError, IndexError, TypeError) as e:
                raise UserError(f"{where} don't fit the model that the code makes now: {name!r} is missing") from e
        if np.shape(found) != (seeds, *shape.shape):
            raise UserError(f"{where} don't fit the model that the code makes now: a shape is {np.shape(found)}")
        return np.asarray(found)

    return jax.tree_util.tree_map_with_path(one, shapes)
