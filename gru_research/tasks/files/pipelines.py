"""The three families of tasks of a user's files: labelled sequences, forecasting, language models."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_research.config import FileError
from gru_research.data.own_files import Table, out_of_range, read_npy, read_table, read_text

from ..base import Stored, Task
from . import labelled, series, texts
from .examples import Examples, from_npz
from .format_inference import Format
from .options import Options
from .rows import from_numbers, from_texts
from .splits import SplitShares
from .timestamps import check_order
from .tokenization import tokenize


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """The functions that convert files to a task.

    Attributes:
      read: reads one file, unless its table is given.
      divide: divides the contents of the files into the sets.
      learn: returns the facts of the training set.
      inferred: returns sentences on what the facts imply for the task.
      warn: returns warnings about the sets.
      facts: converts JSON to facts.
      arrays: returns a set's arrays for training.
      make: makes the task from its name, the facts, and a function that returns the sets.
    """

    read: Callable[[Format, Path, Table | None], Any]
    divide: Callable[[Mapping[str, Any], SplitShares, Format], dict[str, Any]]
    learn: Callable[[Mapping[str, Any], Format, Options, Path], Any]
    inferred: Callable[[Format, Any], list[str]]
    warn: Callable[[Mapping[str, Any], Any, Format, Options], list[str]]
    facts: Callable[[Mapping[str, Any]], Any]
    arrays: Callable[[Any, Any], dict[str, np.ndarray]]
    make: Callable[..., Task]


def _examples(reading: Format, path: Path, table: Table | None) -> Examples:
    if reading.form == "arrays":
        return from_npz(path, reading.kind, *reading.arrays)
    table = table or read_table(path)
    _check_columns(table, [*reading.inputs, *reading.targets])
    if reading.form == "rows":
        return from_numbers(table, reading.kind, reading.inputs, reading.targets)
    return from_texts(table, reading.kind, reading.inputs[0], reading.targets[0], reading.unit, reading.limit)


def _check_columns(table: Table, wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in table.header:
            raise FileError(f"{table.path}:1: lacks the column {column!r}; it has {', '.join(table.header)}")


def _drawn(files: Mapping[str, Examples], shares: SplitShares, reading: Format) -> dict[str, Examples]:
    del reading
    rows = shares.drawn(len(files["train"]), "examples")
    return {split: files["train"].take(part) for split, part in rows.items()} | {
        split: examples for split, examples in files.items() if split != "train"
    }


def _steps(reading: Format, path: Path, table: Table | None) -> np.ndarray:
    """Reads a series `[N, I]`, float64."""
    if path.suffix.lower() != ".npy":
        checked = table is not None  # `infer_format` checked the order
        table = table or read_table(path)
        _check_columns(table, [*reading.inputs, *reading.targets])
        if not checked and reading.times in table.header:
            check_order(table, reading.times)
        return table.numbers(reading.inputs)
    array = read_npy(path)
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind == "U":
        raise FileError(f"{path}: an array of shape {array.shape} ({array.dtype}) must be numbers [N] or [N, I]")
    steps = array.reshape(len(array), -1).astype(np.float64)
    wrong = np.argwhere(out_of_range(steps))
    if len(wrong):
        step, feature = wrong[0].tolist()
        value = steps[step, feature]
        must = "and must be finite" if not np.isfinite(value) else "which is beyond float32"
        raise FileError(f"{path}: step {step} holds {value}, {must}")
    return steps


def _learn_series(sets: Mapping[str, Any], reading: Format, options: Options, path: Path) -> series.Facts:
    features = sets["train"].steps.shape[1]
    columns = reading.inputs or (["value"] if features == 1 else [f"value {n}" for n in range(features)])
    return series.learn(
        sets,
        columns,
        reading.targets or columns,
        length=options.length,
        horizon=options.horizon,
        season=options.season,
        normalise=options.normalise,
        path=path,
    )


LABELLED = Pipeline(
    read=_examples,
    divide=_drawn,
    learn=lambda sets, reading, options, path: labelled.learn(
        sets, unit=reading.unit, limit=reading.limit, min_count=options.min_count, normalise=options.normalise
    ),
    inferred=lambda reading, facts: labelled.inferred(facts) if reading.form == "arrays" else [],
    warn=lambda sets, facts, reading, options: labelled.warnings(
        sets, facts, reading.kind == "auto", options.min_count
    ),
    facts=labelled.Facts.of,
    arrays=lambda facts, examples: labelled.arrays(examples, facts),
    make=labelled.make,
)
SERIES = Pipeline(
    read=_steps,
    divide=lambda files, shares, reading: series.parts(files, shares),
    learn=_learn_series,
    inferred=lambda reading, facts: [f"windows have {facts.length} steps (length)"],
    warn=lambda sets, facts, reading, options: series.warnings(sets, facts),
    facts=series.Facts.of,
    arrays=series.arrays,
    make=series.make,
)
TEXT = Pipeline(
    read=lambda reading, path, table: tokenize(read_text(path), reading.unit),
    divide=lambda files, shares, reading: texts.parts(files, shares, reading.unit),
    learn=lambda sets, reading, options, path: texts.learn(
        sets, reading.unit, options.length, options.min_count, str(path)
    ),
    inferred=lambda reading, facts: [f"segments have {facts.length} {facts.unit} (length)"],
    warn=lambda sets, facts, reading, options: texts.warnings(sets, facts, options.min_count),
    facts=lambda learned: texts.Facts(**learned),
    arrays=lambda facts, units: {"text": texts.segments(texts.tokens(units, facts.vocabulary), facts.length)},
    make=lambda name, facts, read, **fields: texts.make(name, facts, Stored(read=read), **fields),
)
PIPELINES = {"arrays": LABELLED, "rows": LABELLED, "sentences": LABELLED, "series": SERIES, "text": TEXT}
