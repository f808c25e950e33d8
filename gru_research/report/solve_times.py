"""The time that a cell's seeds took to solve the task, in updates and in seconds of training.

A seed that diverged, or stopped early without solving the task, counts as unsolved until the end of its cell's budget.
Ending its observation at the failure would make failing cells look faster.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from gru_research import stats
from gru_research.report import results

Unit = Literal["updates", "seconds"]


@dataclasses.dataclass(frozen=True)
class Times:
    """When each seed [S] of a cell solved the task, inf if it didn't, and the `end` of the cell's training.

    Both are in updates or in seconds; `end` is above 0.
    """

    solved_at: np.ndarray
    end: float

    @property
    def solved(self) -> np.ndarray:
        return np.isfinite(self.solved_at)

    def curve(self) -> stats.SurvivalCurve:
        return stats.survival_curve(self.solved_at, self.solved, self.end)

    def mean(self, end: float) -> stats.Estimate:
        """Returns the restricted mean time to solve: an unsolved seed counts as solved at `end`."""
        return stats.restricted_mean(self.solved_at, self.solved, end)


def times(cell: results.CellResults, unit: Unit) -> Times | None:
    """Returns the solve times of a complete cell; None if its records lack the length of training."""
    given = cell.updates or max((seed.updates or 0 for seed in cell.seeds), default=0)
    if unit == "updates":
        at, end = [seed.steps_to_solve for seed in cell.seeds], float(given)
    else:
        if any(seed.ms_per_step is None for seed in cell.seeds):
            return None
        at = [seed.seconds_to_solve for seed in cell.seeds]
        end = min(given * (seed.ms_per_step or 0) / 1000 for seed in cell.seeds)
    if end <= 0 or not math.isfinite(end):
        return None
    return Times(stats.rank_worst(at, "min"), end)


def units(cells: Sequence[results.CellResults]) -> list[Unit]:
    """Returns the units in which any of `cells` has recorded times."""
    known: tuple[Unit, ...] = ("updates", "seconds")
    return [unit for unit in known if any(times(cell, unit) for cell in cells)]


def common_end(cells: Sequence[results.CellResults], unit: Unit) -> float | None:
    """Returns the earliest end of training of `cells`, in `unit`; None if any end is unknown."""
    ends = [found.end if (found := times(cell, unit)) else None for cell in cells]
    known = [end for end in ends if end is not None]
    return min(known) if known and len(known) == len(ends) else None


def restricted_mean(task: results.TaskResults, cell: results.CellResults, unit: Unit) -> stats.Estimate | None:
    """Returns the mean time to solve of `cell`, restricted to the common end of the task's complete cells.

    None without a threshold or recorded times."""
    end, found = common_end(task.complete, unit), times(cell, unit)
    if task.task.threshold is None or end is None or found is None:
        return None
    return found.mean(end)
