"""Tables: a header line that names the columns, then rows; separated by commas (.csv) or tabs (.tsv)."""

import csv
import dataclasses
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gru_research.config import FileError, UserError, choose
from gru_research.data.own_files.arrays import FLOAT32
from gru_research.data.own_files.file_checks import read_text
from gru_research.plural import several

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,'\u2019]\d{3})+(\.\d+)?")
_NAMES = {",": "commas", "\t": "tabs"}
MISSING = ("", "?", "-", "na", "n/a", "nan", "none", "null")
"""The cells, in any case, that say that a value is missing."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with its cells as strings.

    Attributes:
      path: the file.
      header: the names of the columns.
      rows: N rows of strings.
      lines: `[N]`, the line of the file where each row starts, from 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def texts(self, column: str) -> list[str]:
        """Returns the cells of a column."""
        position = self.header.index(column)
        return [row[position] for row in self.rows]

    def place(self, row: int) -> str:
        """Returns the place of a row in the file, for errors."""
        return f"{self.path}:{self.lines[row]}"

    def chosen(self, field: str, names: str) -> tuple[str, ...]:
        """Returns the columns that a field of the config names, separated by commas. Raises UserError."""
        wanted = tuple(name.strip() for name in names.split(",") if name.strip())
        for name in wanted:
            choose(field, name, self.header)
        if len(set(wanted)) < len(wanted):
            raise UserError(f"{field}={names!r} names a column twice")
        return wanted

    def is_numeric(self, column: str, missing: bool = False) -> bool:
        """Returns whether most cells of a column are numbers, with or without thousands separators. A column with a
        typing mistake is thus numeric. With `missing`, cells in `MISSING` don't count."""
        cells = [cell for cell in self.texts(column) if not (missing and is_missing(cell))]
        return 2 * sum(as_number(cell) is not None or _has_thousands(cell) for cell in cells) > len(cells)

    def numbers(self, columns: Sequence[str], missing: bool = False) -> np.ndarray:
        """Converts columns to float64 `[N, C]`. Raises FileError at the first cell that isn't finite in float32. With
        `missing`, cells in `MISSING` become NaN."""
        out = np.full((len(self.rows), len(columns)), np.nan)
        for c, column in enumerate(columns):
            for n, cell in enumerate(self.texts(column)):
                if missing and is_missing(cell):
                    continue
                value = as_number(cell)
                if value is None or not abs(value) <= FLOAT32:
                    raise FileError(f"{self.place(n)}: {column}={cell!r} must be {_wanted(cell, value)}")
                out[n, c] = value
        return out


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Reads the cells of a .csv or .tsv file row by row, with the line where each row starts, from 1.

    Empty lines are skipped. Raises FileError for an unclosed quote, or as `read_text` does.
    """
    delimiter = DELIMITERS[path.suffix.lower()]
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, start = [], 1
    limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))  # a cell may hold a long document
    try:
        for cells in reader:
            if cells:
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as e:
        raise FileError(
            f"{path}:{start}: {e}: a cell that starts with a quote must end with one, and double those inside"
        ) from e
    finally:
        csv.field_size_limit(limit)
    return rows


def read_table(path: Path) -> Table:
    """Reads the table of a .csv or .tsv file.

    Raises:
      FileError: no header that names the columns; a row with more or fewer cells; no rows; or as `read_rows`.
    """
    (first, names), *rows = read_rows(path)
    header = _header(path, first, names)
    for line, cells in rows:
        if len(cells) != len(header):
            has = several(len(cells), "cell")
            raise FileError(f"{path}:{line}: has {has}, and the header has {len(header)} ({', '.join(header)})")
    if not rows:
        raise FileError(f"{path}: has a header and no rows")
    return Table(path, header, [cells for _, cells in rows], [line for line, _ in rows])


def _header(path: Path, line: int, cells: Sequence[str]) -> tuple[str, ...]:
    delimiter = DELIMITERS[path.suffix.lower()]
    names = tuple(cell.strip() for cell in cells)
    if names and all(as_number(name) is not None for name in names):
        raise FileError(f"{path}:{line}: the first line must name the columns, and holds numbers: {names[0]!r}, ...")
    if "" in names[1:]:
        raise FileError(f"{path}:{line}: column {names.index('', 1) + 1} has no name")
    twice = [name for n, name in enumerate(names) if name in names[:n]]
    if twice:
        raise FileError(f"{path}:{line}: two columns have the name {twice[0]!r}")
    others = [other for other in (";", "\t", ",") if other != delimiter and other in names[0]]
    if len(names) == 1 and others:
        raise FileError(
            f"{path}:{line}: has one column, {names[0]!r}: columns of a {path.suffix} file are separated by "
            f"{_NAMES[delimiter]}"
        )
    return names


def is_missing(cell: str) -> bool:
    """Returns whether a cell says that its value is missing."""
    return cell.strip().lower() in MISSING


def as_number(cell: str) -> float | None:
    """Returns the number in a cell; None if there is none."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _has_thousands(cell: str) -> bool:
    return _THOUSANDS.fullmatch(cell.strip()) is not None


def _wanted(cell: str, value: float | None) -> str:
    if not cell.strip():
        return "a number: fill it in, or leave the line out"
    if value is None:
        return "a number" + ": leave out the separators of thousands" * _has_thousands(cell)
    return f"at most {FLOAT32:.3g} in size: it is beyond float32" if math.isfinite(value) else "finite"
