"""The objective of a trial: its validation metrics, read from its records. The test set is never used."""

from collections import defaultdict
from typing import Any

from gru_research import records, stats


def value(run: records.Run, cell: str, direction: stats.Direction) -> float:
    """Returns the IQM over seeds of the final validation metric of `cell`; of the best cell if `cell` is empty.

    A seed that diverged ranks worst, so the value may be infinite.

    Raises:
      RecordsError: the run has no result of the cell.
    """
    by_cell: dict[str, list[Any]] = defaultdict(list)
    for result in run.results:
        by_cell[result.cell].append(result.validation_metric)
    chosen = [cell] if cell else list(by_cell)
    if not chosen or any(label not in by_cell for label in chosen):
        raise records.RecordsError(f"the run has no result of {cell or 'any cell'}")
    values = [_iqm(by_cell[label], direction) for label in chosen]
    return min(values) if direction == "min" else max(values)


def curve(run: records.Run, cell: str, direction: stats.Direction) -> dict[int, float]:
    """Returns that IQM at each evaluation that all seeds have, by update. `cell` may be empty if the run has one."""
    seeds: dict[int, list[Any]] = defaultdict(list)
    for evaluation in run.evaluations:
        if evaluation.cell == cell or not cell:
            seeds[evaluation.step].append(evaluation.validation_metric)
    whole = run.header.config["seeds"]
    return {step: _iqm(metrics, direction) for step, metrics in sorted(seeds.items()) if len(metrics) == whole}


def _iqm(metrics: list[Any], direction: stats.Direction) -> float:
    return float(stats.iqm(stats.rank_worst(metrics, direction)))
