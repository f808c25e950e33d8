"""A published table: the runs that repeat it and its rows, each with the function that judges our result."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from gru_research import records

TRAINING_SHARE = 0.75
"""The share of a budget that is training; compilation, evaluation and reports take the rest."""


@dataclasses.dataclass(frozen=True)
class TableRun:
    """One comparison of a table.

    Attributes:
      config: as a config file gives it. Where `share` is above 0 its `seconds` come from the budget.
      share: the run's share of the table's budget, divided equally among its cells; 0: the config gives the updates.
      gpu: True for a run that needs a GPU. Other machines skip it unless `--runs` names it.
    """

    config: Mapping[str, Any]
    share: float = 0.0
    gpu: bool = False

    def with_budget(self, budget_minutes: float) -> dict[str, Any]:
        """Returns the config with each cell's training time in `seconds`, computed from the budget."""
        if not self.share:
            return dict(self.config)
        seconds = 60 * budget_minutes * TRAINING_SHARE * self.share / len(self.config["cells"])
        return {**self.config, "seconds": round(seconds, 1)}


@dataclasses.dataclass(frozen=True)
class RowResult:
    """Our result for a row, as text: the value, its interval (or the number of seeds) and the verdict."""

    value: str
    interval: str
    verdict: str


Judge = Callable[[Mapping[str, records.Run]], RowResult | None]
"""Maps the finished runs, by name, to a row's result; None where the row's run isn't among them."""


@dataclasses.dataclass(frozen=True)
class TableRow:
    """One row: the published number, and how ours is judged.

    Attributes:
      label: what the row is about.
      published: the number, as the source prints it.
      judge: computes our result from the finished runs.
    """

    label: str
    published: str
    judge: Judge


@dataclasses.dataclass(frozen=True)
class PublishedTable:
    """A published table.

    Attributes:
      title, source: what was published, and where.
      rows: the rows.
      differences: how our protocol differs from the published one, one sentence each.
      runs: what is trained, by name; empty where the table only counts parameters.
    """

    title: str
    source: str
    rows: tuple[TableRow, ...]
    differences: tuple[str, ...]
    runs: Mapping[str, TableRun] = dataclasses.field(default_factory=dict)
