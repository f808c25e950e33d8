"""Infers the form of a file and the kind of prediction from its extension, its columns and the options."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from gru_research.config import FileError
from gru_research.data.own_files import Table

from .categorical import many_whole
from .options import ENDINGS, Options
from .rows import LABEL_NAMES, index_column, text_columns
from .timestamps import check_order

TIME_NAMES = (
    "", "unnamed: 0", "index", "time", "times", "date", "dates", "datetime", "timestamp", "ds", "period",
    "year", "quarter", "month", "week", "day", "hour", "minute", "second", "step", "t",
)  # fmt: skip
"""Names of a first column that holds times or row numbers."""
_TIME = re.compile(r"\d{1,4}([-/.:]\d{1,4})+([ T]+\d{1,2}(:\d{2})*(\.\d+)?)?( ?[AaPp][Mm])?(Z|[+-]\d{2}:?\d{2})?")
KINDS = {
    "arrays": ("classification", "regression", "tagging"),
    "rows": ("classification", "regression"),
    "sentences": ("classification", "regression"),
    "series": ("forecasting",),
    "text": ("next_token",),
}
"""The kinds of prediction for each form of file."""


@dataclasses.dataclass(frozen=True)
class Format:
    """The way files are read, as plain JSON.

    Attributes:
      form: a key of `KINDS`.
      kind: the kind of prediction; "auto" for arrays, whose shapes and dtypes determine it.
      inputs, targets: columns of a table.
      unit: the unit of tokenisation.
      limit: the maximum number of units read from a text in a table; 0 reads all.
      arrays: the names of the input and target arrays in an .npz.
      times: the column with the times of a series.
    """

    form: str
    kind: str
    inputs: Sequence[str] = ()
    targets: Sequence[str] = ()
    unit: str = ""
    limit: int = 0
    arrays: Sequence[str] = ("inputs", "targets")
    times: str | None = None


def infer_format(path: Path, table: Table | None, options: Options) -> tuple[Format, list[str]]:
    """Returns the format of a file, and sentences on what was inferred. `table` is the content of a .csv or .tsv.

    Raises:
      ValueError: `kind` doesn't fit the file, or the extension is unknown.
      FileError: the columns don't determine the target.
    """
    ending, kind = path.suffix.lower(), options.kind
    if table is not None:
        return _of_table(table, options)
    form = {".npz": "arrays", ".npy": "series"}.get(ending, "text")
    if form == "text" and ending not in ENDINGS and kind != "next_token":
        raise ValueError(
            f"train={path.name!r} must end with {', '.join(ENDINGS)}; kind='next_token' reads any other file as a text"
        )
    _check_kind(path, kind, form)
    if form == "arrays":
        return Format(form, kind, arrays=(options.inputs or "inputs", options.target or "targets")), []
    if form == "series":
        return Format(form, "forecasting"), []
    unit = "characters" if options.unit == "auto" else options.unit
    return Format(form, "next_token", unit=unit), [f"asked for is which of its {unit} comes next (unit, kind)"]


def _check_kind(path: Path, kind: str, form: str) -> None:
    if kind not in ("auto", *KINDS[form]):
        raise ValueError(f"kind={kind!r} isn't for a {path.suffix} file; choose from {', '.join(KINDS[form])}")


def _of_table(table: Table, options: Options) -> tuple[Format, list[str]]:
    kind, inputs, target = options.kind, options.inputs, options.target
    for other in ("tagging", "next_token"):
        if kind == other:
            choices = "classification, regression, forecasting"
            raise ValueError(f"kind={kind!r} isn't for a {table.path.suffix} file; choose from {choices}")
    times = time_column(table)
    texts = [column for column in table.header if column != times and not table.is_numeric(column)]
    if kind == "forecasting" or (kind == "auto" and not texts):
        return _series(table, kind, inputs, target, times)
    read = table.chosen("inputs", inputs) or [column for column in table.header if column not in target.split(",")]
    asked = table.chosen("target", target)
    if kind != "auto" and not any(column in texts for column in read if column not in asked):
        return _rows(table, kind, inputs, target)
    text, label = text_columns(table, inputs, target)
    said = []
    if kind == "auto":
        kind = "regression" if label not in texts and _has_fractions(table, label) else "classification"
        numbers = kind == "classification" and many_whole(list(set(map(str.strip, table.texts(label)))))
        meant = ", whose whole numbers are classes; kind='regression' reads them as numbers" if numbers else ""
        said.append(f"asked for is {kind} of {label!r}{meant} (kind)")
    unit = "words" if options.unit == "auto" else options.unit
    said.insert(0, f"inputs are the {unit} of {text!r} (inputs, unit)")
    return Format("sentences", kind, (text,), (label,), unit, options.length), said


def time_column(table: Table) -> str | None:
    """Returns the first column if its name or its cells show that it holds times or row numbers, else None."""
    first = table.header[0]
    if len(table.header) == 1:
        return None
    if first.lower() in TIME_NAMES:
        return first
    dated = not table.is_numeric(first) and all(_TIME.fullmatch(cell.strip()) for cell in table.texts(first))
    return first if dated else None


def _series(table: Table, kind: str, inputs: str, target: str, times: str | None) -> tuple[Format, list[str]]:
    labels = [column for column in table.header if column.lower() in LABEL_NAMES]
    if kind == "auto" and not times and (target or labels):
        raise FileError(
            f"{table.path}: holds numbers alone, and {target or labels[0]!r} to be asked for: say "
            f"kind='forecasting' where a row is a step of one series, or kind='classification' or 'regression' where "
            f"a row is a sequence"
        )
    numeric = [column for column in table.header if column != times and table.is_numeric(column)]
    asked = list(table.chosen("target", target)) or list(table.chosen("inputs", inputs)) or numeric
    read = list(table.chosen("inputs", inputs)) or numeric
    read += [column for column in asked if column not in read]
    if not read:
        raise FileError(f"{table.path}: has no column of numbers to be forecast, only {', '.join(table.header)}")
    said = [f"rows are steps of one series; forecast: {', '.join(asked)} (kind, target)"]
    if times is not None and not check_order(table, times):
        said.append(
            f"the form of the times in {times!r} isn't known, and their order isn't checked: rows must run from older "
            f"to newer"
        )
    if left_out := [column for column in table.header if column not in read]:
        said.append(
            f"not read: {', '.join(column or 'the first column, which has no name' for column in left_out)} (inputs)"
        )
    return Format("series", "forecasting", read, asked, times=times), said


def _rows(table: Table, kind: str, inputs: str, target: str) -> tuple[Format, list[str]]:
    asked = list(table.chosen("target", target)) or [c for c in table.header if c.lower() in LABEL_NAMES]
    if not asked or (kind == "classification" and len(asked) > 1):
        raise FileError(
            f"{table.path}: has the columns {', '.join(table.header[:20])}: name the one that is asked for with target"
        )
    read = [c for c in table.chosen("inputs", inputs) or table.header if c not in asked]
    if "" in read:
        raise FileError(f"{table.path}: would be read with all columns but {', '.join(asked)}{index_column(table)}")
    if not read:
        raise FileError(f"{table.path}: has no column beside {', '.join(asked)}, which is asked for")
    return Format("rows", kind, read, asked), [
        f"a row is a sequence of {len(read)} steps, {read[0]} to {read[-1]}, and asked for is {', '.join(asked)} "
        f"(inputs, target)"
    ]


def _has_fractions(table: Table, column: str) -> bool:
    return any(float(value) != int(value) for (value,) in table.numbers((column,)))
