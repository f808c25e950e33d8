"""Reads the inputs that `--input` names: a text, lines of a file or of stdin, or arrays from a file."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gru_research.config import UserError
from gru_research.data.own_files import (
    MIDI,
    MUSIC,
    TABLES,
    WAV,
    as_number,
    read_midi,
    read_npy,
    read_npz,
    read_rows,
    read_text,
    read_wav,
)
from gru_research.plural import several
from gru_research.tasks import Task
from gru_research.tasks.anomalies.tables import Columns, read_series
from gru_research.tasks.files.categorical import UNKNOWN
from gru_research.tasks.files.prediction_inputs import from_table, inputs_array
from gru_research.tasks.forecasting.tables import Layout, read_history
from gru_research.tasks.input_encoders import BESIDE
from gru_research.tasks.summarisation.reading import LINES, read_documents

FILES = (".npy", ".npz", ".csv", ".tsv", ".txt")
"""File endings. A word with one of these is a file name, even if no such file exists."""
MOST_LINES = 10
"""The most warnings of unknown tokens."""


class Asked(NamedTuple):
    """One input: the value for the task's `encode`, and its name."""

    raw: Any
    name: str


def read(given: str, task: Task) -> list[Asked]:
    """Returns the inputs that `--input` names: "-" is stdin, an existing file is read, and anything else is a text.

    Raises:
      UserError: a file that doesn't exist, can't be read, or holds no input.
    """
    if given == "-":
        return _stdin()
    path = Path(given)
    form = "" if task.application is None else task.application.form
    if form == "chorales" and path.suffix.lower() in MUSIC:
        return _music(path)
    if form == "anomalies" and path.suffix in TABLES:
        return [Asked(read_series(path, Columns(**task.learned["columns"]), labels=False), str(path))]
    if form == "speech" and path.suffix.lower() == WAV:
        return [Asked(read_wav(path), str(path))]
    if form == "summaries" and path.suffix.lower() in (".txt", LINES) and _is_file(path):
        return [Asked(text, text) for text in read_documents(path)]
    if form == "forecasts" and path.suffix.lower() in TABLES and _is_file(path):
        return [Asked(read_history(path, *_forecasting(task)), str(path))]
    if not _is_file(path):
        if re.fullmatch(r"\S+", given) and path.suffix in FILES:
            raise UserError(f"--input={given}: no such file")
        return [Asked(given, given)]
    readers = {".npy": _npy, ".npz": _npz, ".csv": _table, ".tsv": _table}
    if path.suffix in readers:
        return readers[path.suffix](path, task)
    return _lines(read_text(path))


def _forecasting(task: Task) -> tuple[Layout, int, str]:
    """Returns what a forecast reads of a table: its layout, the look-back, and what is done about missing values."""
    missing = "carry" if "observed" in task.spec.example else "refuse"
    return Layout(**task.learned["layout"]), task.spec.example["inputs"].shape[0], missing


def _music(path: Path) -> list[Asked]:
    """Returns the pieces of a MIDI file, whose missing voices are to be generated, or of a JSON file."""
    if not _is_file(path):
        raise UserError(f"--input={path}: no such file")
    if path.suffix.lower() in MIDI:
        pitches = read_midi(path).pitches.tolist()
        return [Asked([[*step, *[None] * (4 - len(step))] for step in pitches], str(path))]
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as e:
        raise UserError(f"{path}:{e.lineno}: isn't JSON ({e.msg}, column {e.colno})") from e
    if isinstance(content, list) and content and all(_is_piece(piece) for piece in content):
        return [Asked(piece, f"{path}[{n}]") for n, piece in enumerate(content)]
    return [Asked(content, str(path))]


def _is_piece(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(step, list) for step in value)


def unknown(asked: Sequence[Asked], task: Task) -> list[str]:
    """Returns a line for each input with tokens unknown from training; inputs beyond `MOST_LINES` are only counted."""
    words = task.vocabularies.get("inputs", ())
    if UNKNOWN not in words:
        return []
    number, lines = words.index(UNKNOWN), []
    for n, one in enumerate(asked, 1):
        tokens = np.asarray(task.encode(one.raw)["inputs"])
        if count := int((tokens == number).sum()):
            lines.append(f"input {n}: {count:,} of {tokens.size:,} tokens aren't known from training")
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"{more:,} more inputs have tokens that aren't known"] if more > 0 else lines


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a long text isn't a file name
        return False


def _stdin() -> list[Asked]:
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as e:
        raise UserError(f"stdin isn't text in UTF-8 (byte {e.start})") from e
    if not text:
        raise UserError("stdin is empty: it must have an input a line")
    return _lines(text)


def _lines(text: str) -> list[Asked]:
    """Returns each line as an input, without blank lines at the end."""
    lines = text.split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    return [Asked(line, line) for line in lines]


def _npy(path: Path, task: Task) -> list[Asked]:
    return _one_or_several(read_npy(path), path, task)


def _npz(path: Path, task: Task) -> list[Asked]:
    name = inputs_array(task.learned)
    arrays = read_npz(path, [name], BESIDE)
    arrays = {"inputs": arrays.pop(name), **arrays}
    if len(arrays) == 1:
        return _one_or_several(arrays["inputs"], path, task)
    count = len(arrays["inputs"]) if arrays["inputs"].ndim else 0
    for name, array in arrays.items():
        if array.shape[:1] != (count,):
            raise UserError(f"{path}: {name} of shape {list(array.shape)} must have a row for each of {count} inputs")
    return [Asked(_row(arrays, n, path), f"{path}[{n}]") for n in range(count)]


def _row(arrays: Mapping[str, np.ndarray], n: int, path: Path) -> Any:
    """Returns input n, cut to its length."""
    row = {name: array[n] for name, array in arrays.items()}
    length, steps = row.pop("lengths", None), len(row["inputs"])
    if length is not None:
        if length.ndim or length.dtype.kind not in "iu" or not 0 <= length <= steps:
            raise UserError(f"{path}: lengths[{n}]={length} must be a whole number from 0 to {steps}")
        row = {name: array[:length] for name, array in row.items()}
    return row["inputs"] if len(row) == 1 else row


def _table(path: Path, task: Task) -> list[Asked]:
    """Returns the columns that the run was trained on; for other tasks, rows of numbers after an optional heading."""
    own = from_table(task.learned, path)
    if own is not None:
        return [Asked(raw, raw if isinstance(raw, str) else f"{path}[{n}]") for n, raw in enumerate(own)]
    rows = read_rows(path)
    if any(as_number(cell) is None for cell in rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise UserError(f"{path} has no line of numbers (a file of texts ends with .txt)")
    first, cells = rows[0]
    array = np.empty((len(rows), len(cells)))
    for n, (line, cells) in enumerate(rows):
        if len(cells) != array.shape[1]:
            wanted = f"{several(array.shape[1], 'number')}, as line {first} has"
            raise UserError(f"{path}:{line}: must have {wanted}; it has {len(cells)}")
        array[n] = [_number(f"{path}:{line}", cell) for cell in cells]
    return _one_or_several(array[:, 0] if array.shape[1] == 1 else array, path, task)


def _number(place: str, cell: str) -> float:
    value = as_number(cell)
    if value is None:
        raise UserError(f"{place}: {cell[:40]!r} must be a number")
    return value


def _one_or_several(array: np.ndarray, path: Path, task: Task) -> list[Asked]:
    """Returns the whole array as one input if the task can read it, else each row as an input."""
    if array.ndim and not array.size:
        raise UserError(f"{path}: an array of shape {list(array.shape)} holds no input")
    reason = _refusal(task, array)
    if reason is None:
        return [Asked(array, str(path))]
    one = len(task.spec.example["inputs"].shape)
    if array.ndim > one + 1 and _refusal(task, array[0]) is not None:
        raise UserError(
            f"{path}: an array of shape {list(array.shape)} must be an input, of {one} axes, or several of them, of "
            f"{one + 1}"
        )
    if array.ndim >= 2 and (array.ndim > one or _refusal(task, array[0]) is None):
        return [Asked(row, f"{path}[{n}]") for n, row in enumerate(array)]
    raise UserError(f"{path}: {reason}")


def _refusal(task: Task, raw: Any) -> str | None:
    """Returns the reason why the task can't read an input; None if it can."""
    try:
        task.encode(raw)
    except (ValueError, TypeError) as e:
        return str(e)
    return None
