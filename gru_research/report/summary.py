"""The summary: one row for each complete cell of a task, and `summary.csv`."""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from gru_research import records, stats, tables
from gru_research.report import results, solve_times
from gru_research.tables import Column

# With fewer seeds, the bootstrap interval isn't shown, as its coverage is far below the nominal one.
MIN_SEEDS_FOR_INTERVAL = 5


@dataclasses.dataclass(frozen=True)
class SummaryRow:
    """One cell on one task, over its seeds. The fields are the columns of `summary.csv`, in order.

    A value is None if it isn't recorded or needs a threshold that the task lacks. Intervals are None below 5 seeds.

    Attributes:
      metric, iqm: the test metric's name and its IQM. Non-finite seeds rank worst, so the IQM and the ends of its 95 %
        interval, `ci_low` and `ci_high`, may be infinite.
      steps_to_solve, seconds_to_solve: medians over seeds, infinite if unsolved.
      ms_per_step: the mean over seeds of the training time per update of one seed.
      updates, flops: the cell's budget of updates, and the operations of one example's forward pass.
      tuned: whether the learning rate comes from draws.
      restricted_mean_steps: the mean of the updates to solve, with its interval. An unsolved seed counts as solved
        after `restricted_to` updates, which all cells of the task were given.
      mean, standard_deviation: mean and standard deviation (n - 1) of the test metric over all seeds; None if a seed
        isn't finite. The deviation of one seed is None.
    """

    task: str
    cell: str
    parameters: int | None
    seeds: int
    metric: str
    iqm: float
    ci_low: float | None
    ci_high: float | None
    solved_seeds: int | None
    steps_to_solve: float | None
    ms_per_step: float | None
    hidden_size: int | None
    learning_rate: float | None
    diverged_seeds: int
    compile_seconds: float | None
    updates: int | None = None
    flops: float | None = None
    tuned: bool | None = None
    seconds_to_solve: float | None = None
    restricted_mean_steps: float | None = None
    restricted_mean_low: float | None = None
    restricted_mean_high: float | None = None
    restricted_to: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None


def summarize(run: records.Run) -> list[SummaryRow]:
    """Returns the rows of a run's complete cells, in order."""
    return [row(task, cell) for task in results.collect(run) for cell in task.complete]


def row(task: results.TaskResults, cell: results.CellResults) -> SummaryRow:
    """Summarises a cell that has the result of at least one seed."""
    values = stats.rank_worst([seed.test_metric for seed in cell.seeds], task.task.direction)
    low, high = interval(values)
    middle, deviation = mean_and_deviation(values)
    solvable = task.task.threshold is not None
    milliseconds = [seed.ms_per_step for seed in cell.seeds if seed.ms_per_step is not None]
    seconds = solve_times.times(cell, "seconds")
    mean = solve_times.restricted_mean(task, cell, "updates")
    shown = mean if mean and len(cell.seeds) >= MIN_SEEDS_FOR_INTERVAL else None
    return SummaryRow(
        task=task.task.name,
        cell=cell.label,
        parameters=cell.parameters,
        seeds=len(cell.seeds),
        metric=task.task.metric,
        iqm=stats.iqm(values),
        ci_low=low,
        ci_high=high,
        solved_seeds=sum(seed.steps_to_solve is not None for seed in cell.seeds) if solvable else None,
        steps_to_solve=stats.median_with_infinite(seed.steps_to_solve for seed in cell.seeds) if solvable else None,
        ms_per_step=statistics.fmean(milliseconds) if milliseconds else None,
        hidden_size=cell.hidden_size,
        learning_rate=cell.learning_rate,
        diverged_seeds=sum(seed.diverged_at is not None for seed in cell.seeds),
        compile_seconds=cell.compile_seconds,
        updates=cell.updates,
        flops=cell.flops,
        tuned=cell.tuned,
        seconds_to_solve=stats.median_with_infinite(seconds.solved_at) if seconds else None,
        restricted_mean_steps=mean and mean.value,
        restricted_mean_low=shown and shown.low,
        restricted_mean_high=shown and shown.high,
        restricted_to=mean and solve_times.common_end(task.complete, "updates"),
        mean=middle,
        standard_deviation=deviation,
    )


def mean_and_deviation(values: np.ndarray) -> tuple[float | None, float | None]:
    """Returns the mean and the standard deviation (n - 1) of `values` [S]. Both are None if a value isn't finite; the
    deviation of a single value is None."""
    if not np.isfinite(values).all():
        return None, None
    return statistics.fmean(values), statistics.stdev(values.tolist()) if len(values) > 1 else None


def interval(values: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    """Returns the 95 % interval of the IQM of `values` [S]; (None, None) below 5 seeds."""
    return stats.iqm_interval(values) if len(values) >= MIN_SEEDS_FOR_INTERVAL else (None, None)


def to_csv(rows: Iterable[SummaryRow], runs: Sequence[str] | None = None) -> str:
    """Returns the rows as CSV with a header line. Unknown and non-finite values are empty fields.

    `runs` gives the name of each row's run, and adds a leading column `run`.
    """
    columns = [Column("run", lambda run, row: run)] if runs is not None else []
    for field in dataclasses.fields(SummaryRow):
        columns.append(Column(field.name, lambda run, row, name=field.name: _csv_field(getattr(row, name))))
    return tables.to_csv(tables.tabulate(columns, zip(runs or itertools.repeat(""), rows, strict=False)))


def _csv_field(value: str | float | None) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, ".8g") if isinstance(value, float) else str(value)
