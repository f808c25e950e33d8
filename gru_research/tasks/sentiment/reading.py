"""Reads texts with their labels: the built-in data sets, and a user's own tables."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_research.config import FileError
from gru_research.data import DataDirs, load
from gru_research.data.goemotions import EMOTIONS
from gru_research.data.own_files import TABLES, Table, read_table
from gru_research.data.text_arrays import to_texts

from ..files.options import Options as Files
from ..files.source import DataSource, own_files
from .words import split_words

POLARITIES = ("negative", "positive")
"""The labels of SST-2, in the order of their numbers."""
OUT_OF_SCOPE = {"clinc_oos": "oos"}
"""The label of the texts that no other label is meant for, by data set."""


@dataclasses.dataclass(frozen=True)
class Texts:
    """N texts with their labels.

    Attributes:
      words: the words of each text.
      labels: the names of each text's labels; one, or any number where `separator` divides them.
      place: returns the place of a text in its file, for errors.
      path: the file or the name of the data set.
    """

    words: Sequence[Sequence[str]]
    labels: Sequence[Sequence[str]]
    place: Callable[[int], str]
    path: Path

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: np.ndarray) -> "Texts":
        positions: list[int] = rows.tolist()
        place = self.place
        words, labels = ([values[n] for n in positions] for values in (self.words, self.labels))
        return Texts(words, labels, lambda n: place(positions[n]), self.path)


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of a table: the text's, the labels', and what divides several labels ("": there is one)."""

    text: str = "text"
    label: str = "label"
    separator: str = ""


@dataclasses.dataclass(frozen=True)
class Source(DataSource):
    """Where texts come from; `columns` are those of the user's tables."""

    columns: Columns

    @classmethod
    def of(
        cls, dataset: str, train: str, validation: str, test: str, validation_share: float, test_share: float,
        seed: int, text: str, label: str, separator: str,
    ) -> "Source":  # fmt: skip
        """Returns the source that the task's options name. Raises ValueError as `own_files`."""
        files = own_files(train, validation, test, validation_share, test_share, seed)
        return cls("" if files else dataset, files, Columns(text, label, separator))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Source":
        return super().from_json({**fields, "columns": Columns(**fields["columns"])})

    @property
    def several(self) -> bool:
        """Whether a text may have several labels."""
        return self.dataset == "goemotions" if self.files is None else bool(self.columns.separator)

    def read(self, dirs: DataDirs) -> dict[str, Texts]:
        """Returns the three sets. Raises as `read_builtin` and `read_files`."""
        return read_builtin(self.dataset, dirs) if self.files is None else read_files(self.files, self.columns)


def read_builtin(name: str, dirs: DataDirs) -> dict[str, Texts]:
    """Returns the three sets of "sst2", "goemotions" or "clinc_oos"."""
    sets = dict(load(name, dirs))
    intents = sets.pop("intents", None)
    names: list[str] = [] if intents is None else to_texts(intents["text"], intents["length"])
    return {split: _of_arrays(name, arrays, names) for split, arrays in sets.items()}


def _of_arrays(name: str, arrays: Mapping[str, np.ndarray], intents: list[str]) -> Texts:
    texts = to_texts(arrays["text"], arrays["length"])
    if name == "sst2":
        # SST-2 is already divided into words, by blanks.
        words, labels = [text.split() for text in texts], [(POLARITIES[n],) for n in arrays["label"].tolist()]
    elif name == "clinc_oos":
        words, labels = [split_words(text) for text in texts], [(intents[n],) for n in arrays["label"].tolist()]
    else:
        words = [split_words(text) for text in texts]
        labels = [tuple(EMOTIONS[n] for n in np.flatnonzero(row)) for row in arrays["labels"]]
    return Texts(words, labels, lambda n: f"{name}[{n}]", Path(name))


def read_files(files: Files, columns: Columns) -> dict[str, Texts]:
    """Returns the three sets of a user's tables.

    Raises:
      ValueError: a file isn't a table, or a share leaves nothing.
      FileError: a column is missing, or a row has no text or no label.
    """
    paths = files.paths()
    if paths["train"].suffix.lower() not in TABLES:
        raise ValueError(f"train={files.train!r} must end with {' or '.join(TABLES)}: a table of texts and labels")
    sets = {split: from_table(read_table(path), columns) for split, path in paths.items()}
    rows = files.shares().drawn(len(sets["train"]), "texts")
    return {split: sets["train"].take(part) for split, part in rows.items()} | {
        split: texts for split, texts in sets.items() if split != "train"
    }


def from_table(table: Table, columns: Columns) -> Texts:
    """Returns the texts of a table. Raises FileError as `read_files`."""
    for field in ("text", "label"):
        column = getattr(columns, field)
        if column not in table.header:
            raise FileError(f"{table.path}:1: lacks the column {column!r}; it has {', '.join(table.header)}")
    words, labels = [], []
    for n, (text, label) in enumerate(zip(table.texts(columns.text), table.texts(columns.label), strict=True)):
        found = split_words(text)
        if not found:
            raise FileError(f"{table.place(n)}: {columns.text}={text!r} has no word")
        words.append(found)
        labels.append(_labels(table.place(n), label, columns))
    return Texts(words, labels, table.place, table.path)


def _labels(place: str, cell: str, columns: Columns) -> tuple[str, ...]:
    """Returns the labels of a cell. With a separator, an empty cell has none."""
    parts = [part.strip() for part in (cell.split(columns.separator) if columns.separator else [cell])]
    if parts == [""] and columns.separator:
        return ()
    if "" in parts:
        raise FileError(f"{place}: {columns.label}={cell!r} {'has an empty label' if len(parts) > 1 else 'is empty'}")
    return tuple(dict.fromkeys(parts))
