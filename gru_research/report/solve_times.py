"""How long the seeds of a cell took to solve the task, in updates and in seconds of training.

A seed that diverged, or stopped early without having solved the task, counts as unsolved to the end of what its
cell was given: to end its observation where it failed would make cells that fail look faster.
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
    """When each seed [S] of a cell solved the task, infinite where it didn't, and the `end` of the cell's training.

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
        """The mean time to solve where an unsolved seed counts as one that took until `end`."""
        return stats.restricted_mean(self.solved_at, self.solved, end)


def times(cell: results.CellResults, unit: Unit) -> Times | None:
    """The times of a cell with every seed's result; None where its records don't say how long it was trained."""
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
    """The units in which the times of any of `cells` are on record."""
    known: tuple[Unit, ...] = ("updates", "seconds")
    return [unit for unit in known if any(times(cell, unit) for cell in cells)]


def common_end(cells: Sequence[results.CellResults], unit: Unit) -> float | None:
    """Up to when all `cells` were trained, in `unit`; None where that isn't known of each."""
    ends = [found.end if (found := times(cell, unit)) else None for cell in cells]
    known = [end for end in ends if end is not None]
    return min(known) if known and len(known) == len(ends) else None


def restricted_mean(task: results.TaskResults, cell: results.CellResults, unit: Unit) -> stats.Estimate | None:
    """The mean time of `cell` up to the common end of the task's complete cells; None without a threshold."""
    end, found = common_end(task.complete, unit), times(cell, unit)
    if task.task.threshold is None or end is None or found is None:
        return None
    return found.mean(end)
