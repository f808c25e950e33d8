"""Reads a user's series from a table: optionally a column of times, a column of values, optionally one of labels."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import Table, read_table

from ..files.format_inference import time_column
from ..files.timestamps import check_order, ordered_times
from .series import Series, runs

LABELS = ("label", "anomaly", "is_anomaly", "labels")
"""The usual names of a column of labels."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """What is read of a table, as plain JSON.

    Attributes:
      value: the column of values.
      label: the column with 1 for an anomalous point and 0 for another one; "" if there is none.
      times: the column of times; "" if there is none.
    """

    value: str
    label: str = ""
    times: str = ""


def columns_of(table: Table, value: str, label: str) -> Columns:
    """Returns what is read of a table: the columns as named, or by their names and contents.

    Raises:
      UserError: a column that isn't there.
      FileError: no column of numbers, or several without a choice.
    """
    times = time_column(table) or ""
    usual = [column for column in table.header if column.lower() in LABELS and column != value]
    chosen = (list(table.chosen("label", label)) or usual)[:1]
    rest = [c for c in table.header if c not in (times, *chosen) and table.is_numeric(c)]
    values = list(table.chosen("value", value)) or rest
    if not values:
        raise FileError(f"{table.path}: has no column of numbers, only {', '.join(table.header)}")
    if len(values) > 1:
        raise FileError(f"{table.path}: has the columns {', '.join(values)}: name the one to watch with task.value")
    return Columns(values[0], "".join(chosen), times)


def read_series(path: Path, columns: Columns, table: Table | None = None, labels: bool = True) -> Series:
    """Reads a series.

    Args:
      labels: whether labels are read, where there is a column of them.

    Raises:
      FileError: a column isn't there; a cell that is no number; a label other than 0 and 1; rows that aren't in the
        order of their times. The message has file and line.
    """
    table = table or read_table(path)
    for column in (columns.value, columns.times, columns.label if labels else ""):
        if column and column not in table.header:
            raise FileError(f"{path}: has no column {column!r}; it has {', '.join(table.header)}")
    values = table.numbers((columns.value,))[:, 0]
    times: Any = ()
    if columns.times:
        check_order(table, columns.times)
        found = ordered_times(table, columns.times)
        if found is not None:
            times = np.array([time.replace(tzinfo=time.tzinfo or UTC).timestamp() for time in found]).astype(np.int64)
    windows = runs(_labels(table, columns.label)) if labels and columns.label else None
    return Series(path.stem, values, times, windows)


def _labels(table: Table, column: str) -> np.ndarray:
    labels = table.numbers((column,))[:, 0]
    wrong = np.flatnonzero((labels != 0) & (labels != 1))
    if len(wrong):
        row = int(wrong[0])
        raise FileError(
            f"{table.place(row)}: {column}={table.texts(column)[row]!r} must be 1 for an anomalous point, or 0"
        )
    return labels.astype(np.int32)


def read_all(paths: list[Path], value: str, label: str) -> tuple[Columns, list[Series]]:
    """Returns the columns, which the first file determines, and the series of each file. Raises FileError."""
    first = read_table(paths[0])
    columns = columns_of(first, value, label)
    known: Mapping[Path, Table] = {paths[0]: first}
    return columns, [read_series(path, columns, known.get(path)) for path in paths]
