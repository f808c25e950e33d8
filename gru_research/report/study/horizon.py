"""The horizon of each cell: the largest value of the swept field up to which enough of its seeds solve the task."""

import dataclasses
import functools

from gru_research import tables
from gru_research.plural import several
from gru_research.report import formatting, results
from gru_research.report.study import reading
from gru_research.tables import Column


@dataclasses.dataclass(frozen=True)
class Reach:
    """The results of a cell at each value, in order, and its horizon.

    Attributes:
      values, cells: the values with complete results of the cell, from the first value without a gap, and the results.
      horizon: the largest value up to which a sufficient share of seeds solved; None: not even the first.
      failed: the first value at which too few seeds solved; None if there is none.
      next_value: the first value without complete results, if the cell hasn't failed before; otherwise None.
    """

    label: str
    values: tuple[float, ...]
    cells: tuple[results.CellResults, ...]
    horizon: float | None
    failed: float | None
    next_value: float | None


def reaches(study: reading.Study) -> list[Reach]:
    """Returns the `Reach` of each cell, in the order of `study.labels`."""
    return [_reach(study, label) for label in study.labels]


def noun(study: reading.Study) -> str:
    """Returns the name of the swept field, such as "length" for task.length."""
    return study.field.rpartition(".")[2].replace("_", " ") or "value"


def solved(cell: results.CellResults) -> int:
    return sum(seed.steps_to_solve is not None for seed in cell.seeds)


def words(study: reading.Study, reach: Reach) -> str:
    """Describes a cell's horizon and where it failed, in one sentence."""
    name = noun(study)
    if reach.failed is not None:
        count = reach.cells[reach.values.index(reach.failed)]
        failed = f"{solved(count)} of {several(len(count.seeds), 'seed')} solved it"
        if reach.horizon is None:
            return f"{reach.label} failed at the first {name}, {formatting.count(reach.failed)}: {failed}."
        return (
            f"{reach.label} goes up to {name} {formatting.count(reach.horizon)}; it failed at "
            f"{formatting.count(reach.failed)}: {failed}."
        )
    if reach.next_value is None:
        return f"{reach.label} never failed up to the last {name}, {formatting.count(reach.horizon)}."
    if reach.horizon is None:
        return f"{reach.label} has no complete results at the first {name}, {formatting.count(reach.next_value)}."
    return (
        f"{reach.label} goes up to {name} {formatting.count(reach.horizon)} at least; there are no complete results at "
        f"{formatting.count(reach.next_value)}."
    )


def table(study: reading.Study, caption: str) -> tables.Table:
    """Returns a row for each cell: its horizon, and the number of seeds that solved each value."""
    name = noun(study)
    columns = [
        Column("cell", lambda reach: reach.label, "left"),
        Column(f"horizon ({name})", functools.partial(_horizon, study)),
        Column("first failed", lambda reach: formatting.count(reach.failed)),
    ]
    for value in (run.value for run in study.runs):
        columns.append(Column(f"{name} {formatting.count(value)}", functools.partial(_solved_at, value)))
    return tables.tabulate(columns, zip(reaches(study)), caption)


def _solved_at(value: float | None, reach: Reach) -> str:
    if value not in reach.values:
        return formatting.UNKNOWN
    cell = reach.cells[reach.values.index(value)]
    return f"{solved(cell)}/{len(cell.seeds)}"


def _reach(study: reading.Study, label: str) -> Reach:
    values, cells = [], []
    horizon = failed = next_value = None
    for run in study.runs:
        assert run.value is not None
        cell = run.cell(label)
        if cell is None:
            next_value = run.value if failed is None else None
            break
        values.append(run.value)
        cells.append(cell)
        if failed is None and solved(cell) >= study.solved * len(cell.seeds):
            horizon = run.value
        elif failed is None:
            failed = run.value
    return Reach(label, tuple(values), tuple(cells), horizon, failed, next_value)


def _horizon(study: reading.Study, reach: Reach) -> str:
    if reach.horizon is None:
        first = study.runs[0].value
        return formatting.UNKNOWN if reach.failed is None else f"below {formatting.count(first)}"
    return (
        formatting.count(reach.horizon) if reach.failed is not None else f"at least {formatting.count(reach.horizon)}"
    )
