"""Reads a user's series from a table: a header, an optional first column of times, and numbers."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import Table, read_table

from ..files.format_inference import time_column
from ..files.timestamps import check_order, ordered_times

UNEVEN = 1.2
"""The largest ratio of a step in time to the usual one without a warning; months differ by less."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is read of a table, as plain JSON.

    Attributes:
      columns: the C series.
      times: the column of times; "" if there is none.
    """

    columns: Sequence[str]
    times: str = ""


@dataclasses.dataclass(frozen=True)
class History:
    """A series before a forecast.

    Attributes:
      values: `[N, C]` in the file's units, NaN where one is missing.
      times: the N times; () if they are unknown.
    """

    values: np.ndarray
    times: Sequence[datetime] = ()


def layout_of(table: Table, columns: str) -> tuple[Layout, list[str]]:
    """Returns what is read of the training file, and sentences on what was inferred.

    Raises:
      UserError: a column that isn't there.
      FileError: no column of numbers.
    """
    times = time_column(table)
    others = [column for column in table.header if column != times]
    read = list(table.chosen("columns", columns)) or [c for c in others if table.is_numeric(c, missing=True)]
    if not read:
        raise FileError(f"{table.path}: has no column of numbers to be forecast, only {', '.join(table.header)}")
    said = [f"forecast: {', '.join(read)} (columns)"]
    if left_out := [column for column in others if column not in read]:
        said.append(f"not read: {', '.join(left_out)} (columns)")
    return Layout(read, times or ""), said + (_of_times(table, times) if times else [])


def _of_times(table: Table, column: str) -> list[str]:
    """Returns a sentence if the times are unknown or uneven. Raises FileError if they aren't in order."""
    times = ordered_times(table, column)
    if times is None:
        if check_order(table, column):
            return []
        return [
            f"the form of the times in {column!r} isn't known, and their order isn't checked: rows must run from older "
            f"to newer"
        ]
    seconds = np.array([(b - a).total_seconds() for a, b in itertools.pairwise(times)])
    usual = float(np.median(seconds)) if len(seconds) else 0.0
    uneven = np.flatnonzero((seconds > UNEVEN * usual) | (seconds * UNEVEN < usual))
    if not len(uneven):
        return []
    row = int(uneven[0]) + 1
    return [
        f"line {table.lines[row]}: {column}={table.texts(column)[row]!r} is {timedelta(seconds=seconds[row - 1])} "
        f"after the row above, and most rows are {timedelta(seconds=usual)} apart: rows are read as evenly spaced"
    ]


def values_of(table: Table, layout: Layout, missing: str) -> np.ndarray:
    """Returns the series `[N, C]`, with NaN for missing values if `missing` is "carry".

    Raises:
      FileError: a column isn't there; a cell that is no number; or a missing value if `missing` is "refuse".
    """
    for column in layout.columns:
        if column not in table.header:
            raise FileError(f"{table.path}: has no column {column!r}; it has {', '.join(table.header)}")
    values = table.numbers(layout.columns, missing=True)
    gaps = np.argwhere(np.isnan(values))
    if missing == "refuse" and len(gaps):
        row, c = map(int, gaps[0])
        column = layout.columns[c]
        raise FileError(
            f"{table.place(row)}: {column}={table.texts(column)[row]!r} is missing: fill it in, or let missing='carry' "
            f"mask it"
        )
    return values


def read_files(
    paths: Mapping[str, Path], layout: Layout, missing: str, tables: Mapping[Path, Table]
) -> dict[str, np.ndarray]:
    """Returns the series of each file by set; `tables` holds those that are already read. Raises FileError."""
    found = {}
    for split, path in paths.items():
        table = tables.get(path) or read_table(path)
        if layout.times in table.header:
            check_order(table, layout.times)
        found[split] = values_of(table, layout, missing)
    return found


def read_history(path: Path, layout: Layout, look_back: int, missing: str) -> History:
    """Returns the last `look_back` rows of a file that is to be continued, with their times where they are known.

    Raises:
      FileError: too few rows, or as `values_of` does; earlier rows aren't read.
    """
    table = read_table(path)
    if len(table.rows) < look_back:
        raise FileError(
            f"{table.place(-1)}: the last row is row {len(table.rows):,}, and a forecast reads the last {look_back:,}, "
            f"the look-back"
        )
    last = dataclasses.replace(table, rows=table.rows[-look_back:], lines=table.lines[-look_back:])
    column = layout.times if layout.times in table.header else time_column(table)
    times = ordered_times(last, column) if column and column not in layout.columns else None
    values = values_of(last, layout, missing)
    empty = np.isnan(values).all(0)
    if empty.any():
        name = layout.columns[int(empty.argmax())]
        raise FileError(f"{table.place(-1)}: {name} has no value in the last {look_back:,} rows, the look-back")
    return History(values, tuple(times or ()))


def times_after(times: Sequence[datetime], steps: int) -> list[datetime] | None:
    """Returns the times of the steps after a series, at its usual distance; months follow each other by the calendar.
    None where there are fewer than two times."""
    if len(times) < 2:
        return None
    gaps = [b - a for a, b in itertools.pairwise(times)]
    if (
        all(gap.days in range(28, 32) for gap in gaps)
        and len({time.day for time in times}) == 1
        and times[-1].day <= 28
    ):
        return [_months_after(times[-1], n) for n in range(1, steps + 1)]
    usual = timedelta(seconds=float(np.median([gap.total_seconds() for gap in gaps])))
    return [times[-1] + n * usual for n in range(1, steps + 1)]


def _months_after(time: datetime, count: int) -> datetime:
    years, month = divmod(time.month - 1 + count, 12)
    return time.replace(year=time.year + years, month=month + 1)
