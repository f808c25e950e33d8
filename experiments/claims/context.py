"""The interface of claims, and the context in which they run."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gru_research.config import ExperimentConfig, UserError
from gru_research.data import DataDirs
from gru_research.report.claims.findings import Finding
from gru_research.runs import trained
from gru_research.runs.comparison import load_sets
from gru_research.training import Plan, evaluation_hooks, make_plan


class StoppedError(Exception):
    """Training was stopped by request. `status` is the exit status."""

    def __init__(self, status: int):
        super().__init__(f"status {status}")
        self.status = status


@dataclasses.dataclass(frozen=True)
class ClaimContext:
    """The context that all claims share.

    Attributes:
      workdir: the directory of the claims.
      dirs: the data directories.
      runs: the experiments of the config, by name.
      train: trains or resumes the named run to its end, in `workdir/runs/NAME`; raises StoppedError.
      say: prints a progress line.
      known: a cache of the runs that `followed` returned, by name, since several claims share a run.
    """

    workdir: Path
    dirs: DataDirs
    runs: Mapping[str, ExperimentConfig]
    train: Callable[[str], None]
    say: Callable[[str], None]
    known: dict[str, trained.FinishedRun] = dataclasses.field(default_factory=dict)

    def finished(self, name: str) -> trained.FinishedRun:
        """Returns the named run. Trains it first if it isn't finished.

        Raises:
          StoppedError, UserError: as in training.
        """
        self.train(name)
        return trained.load_finished(self.workdir / folder(name), self.dirs)

    def followed(self, name: str) -> trained.FinishedRun:
        """Returns the named run, like `finished`, after checking that its carries can be traced step by step.

        Raises:
          StoppedError, UserError: as in `finished`, or if the carries can't be traced. That may depend on the data's
            fields; it is checked before training.
        """
        if name in self.known:
            return self.known[name]
        plan = make_plan(self.runs[name], self.dirs)
        validation = load_sets(plan, self.dirs)["validation"]
        for cell in plan.cells:
            if reason := evaluation_hooks.unfit(cell.model, validation):
                raise UserError(f"config.runs.{name}: {cell.label} {reason}")
        return self.known.setdefault(name, self.finished(name))


class Claim(Protocol):
    """A claim with its options: a frozen dataclass of `experiments.claims`."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The names of the runs that the claim needs."""
        ...

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        """Checks, before anything runs, that the runs' plans contain what the options name.

        Raises:
          UserError: something is missing. The message has the claim's `path` in the config.
        """
        ...

    def find(self, context: ClaimContext, name: str) -> Finding:
        """Returns the finding under the claim's `name` in the config. Raises the errors of `ClaimContext.finished`."""
        ...


class WithoutRuns:
    """Base class of claims that need no run."""

    @property
    def runs(self) -> tuple[str, ...]:
        return ()

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        del plans, path


def folder(run: str) -> str:
    """Returns a run's directory, relative to the claims' directory."""
    return f"runs/{run}"


def check_named(path: str, fields: Mapping[str, Sequence[str]]) -> None:
    """Raises UserError if a field is empty, since every verdict would hold for an empty list."""
    for field, names in fields.items():
        if not names:
            raise UserError(f"{path}.{field} is empty: name at least one, separated by commas")


def check_cells(plans: Mapping[str, Plan], path: str, run: str, labels: Sequence[tuple[str, str]]) -> None:
    """Raises UserError if a run lacks a cell. `labels` are pairs of a field and the label that it names."""
    known = plans[run].config.selected_labels
    for field, label in labels:
        if label not in known:
            raise UserError(f"{path}.{field}={label!r} is no cell of config.runs.{run}; its cells: {', '.join(known)}")


def check_followed(plans: Mapping[str, Plan], path: str, run: str) -> None:
    """Raises UserError if the carry of any cell in the run can't be traced step by step."""
    plan = plans[run]
    for cell in plan.cells:
        if reason := evaluation_hooks.unfit(cell.model, plan.task.spec.example):
            raise UserError(f"{path}.run={run!r}: {cell.label} {reason}")


def check_against(plans: Mapping[str, Plan], path: str, run: str, gru: str, vanilla: Sequence[str]) -> None:
    """Raises UserError if a run can't compare its GRU with its vanilla RNNs step by step."""
    check_named(path, {"vanilla": vanilla})
    check_cells(plans, path, run, [("gru", gru), *(("vanilla", label) for label in vanilla)])
    check_followed(plans, path, run)
