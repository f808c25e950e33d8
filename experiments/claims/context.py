"""What a claim is, and what it is given to find out whether it holds."""

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
    """Training was asked to stop; `status` is what the process exits with."""

    def __init__(self, status: int):
        super().__init__(f"status {status}")
        self.status = status


@dataclasses.dataclass(frozen=True)
class ClaimContext:
    """What all claims share.

    Attributes:
      workdir: their directory.
      dirs: where data lie.
      runs: the experiments of the config, by name.
      train: trains the run of a name to its end, from where it stands, in `workdir/runs/NAME`; raises StoppedError.
      say: tells the user in a line what goes on.
      known: the runs that were followed already, by name: several claims look into the same.
    """

    workdir: Path
    dirs: DataDirs
    runs: Mapping[str, ExperimentConfig]
    train: Callable[[str], None]
    say: Callable[[str], None]
    known: dict[str, trained.FinishedRun] = dataclasses.field(default_factory=dict)

    def finished(self, name: str) -> trained.FinishedRun:
        """The run of a name, trained now where it wasn't.

        Raises:
          StoppedError, UserError: as training does.
        """
        self.train(name)
        return trained.load_finished(self.workdir / folder(name), self.dirs)

    def followed(self, name: str) -> trained.FinishedRun:
        """The same, of a run whose carries are followed from step to step.

        Raises:
          StoppedError, UserError: as `finished`, or they can't be, which may depend on the fields of the data and is
            found out before anything is trained.
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
        """The runs of the config that it needs."""
        ...

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        """Looks, before anything runs, at what the options name in the runs' plans, which are there.

        Raises:
          UserError: something isn't there; says so under the claim's `path` in the config.
        """
        ...

    def find(self, context: ClaimContext, name: str) -> Finding:
        """What came out, under the claim's name in the config; raises what `ClaimContext.finished` raises."""
        ...


class WithoutRuns:
    """The part of a claim that looks into no run."""

    @property
    def runs(self) -> tuple[str, ...]:
        return ()

    def check(self, plans: Mapping[str, Plan], path: str) -> None:
        del plans, path


def folder(run: str) -> str:
    """Where a run lies below the directory of the claims."""
    return f"runs/{run}"


def check_named(path: str, fields: Mapping[str, Sequence[str]]) -> None:
    """Raises UserError where a field names nothing: of nothing every verdict would hold."""
    for field, names in fields.items():
        if not names:
            raise UserError(f"{path}.{field} is empty: name at least one, separated by commas")


def check_cells(plans: Mapping[str, Plan], path: str, run: str, labels: Sequence[tuple[str, str]]) -> None:
    """Raises UserError where a run has no cell of a label; `labels` come with the field that names each."""
    known = plans[run].config.selected_labels
    for field, label in labels:
        if label not in known:
            raise UserError(f"{path}.{field}={label!r} is no cell of config.runs.{run}; its cells: {', '.join(known)}")


def check_followed(plans: Mapping[str, Plan], path: str, run: str) -> None:
    """Raises UserError where a cell of a run has no carry that can be followed from step to step."""
    plan = plans[run]
    for cell in plan.cells:
        if reason := evaluation_hooks.unfit(cell.model, plan.task.spec.example):
            raise UserError(f"{path}.run={run!r}: {cell.label} {reason}")


def check_against(plans: Mapping[str, Plan], path: str, run: str, gru: str, vanilla: Sequence[str]) -> None:
    """Raises UserError where a run can't set its GRU against its vanilla RNNs step by step."""
    check_named(path, {"vanilla": vanilla})
    check_cells(plans, path, run, [("gru", gru), *(("vanilla", label) for label in vanilla)])
    check_followed(plans, path, run)
