"""Reads documents with their summaries: the built-in data set, and a user's own files."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gru_research.config import FileError, choose
from gru_research.data import DataDirs, load
from gru_research.data.own_files import read_table, read_text

from ..files.source import DataSource, own_files
from .words import split_words

DATASETS = ("aeslc",)
ZERO_SHOT = "zero_shot"
"""The set of a data set that nothing was trained on."""
ZERO_SHOTS = ("opinosis",)
TABLES = (".tsv", ".csv")
LINES = ".jsonl"
FIELDS = ("document", "summary")


class Pair(NamedTuple):
    """A document with its summary.

    Attributes:
      others: further right summaries, which are for measuring alone.
    """

    document: str
    summary: str
    others: tuple[str, ...] = ()


Sets = Mapping[str, Sequence[Pair]]


@dataclasses.dataclass(frozen=True)
class Source(DataSource):
    """Where documents come from; `zero_shot` is a data set for testing alone."""

    zero_shot: str = ""

    @classmethod
    def of(
        cls, dataset: str, train: str, validation: str, test: str, validation_share: float, test_share: float,
        seed: int, zero_shot: str = "",
    ) -> "Source":  # fmt: skip
        """Returns the source that the task's options name.

        Raises:
          ValueError: an unknown data set, a file that is neither a table nor JSON Lines, or as `own_files`.
        """
        choose("zero_shot", zero_shot, ("", *ZERO_SHOTS))
        files = own_files(train, validation, test, validation_share, test_share, seed)
        if files and Path(files.train).suffix.lower() not in (*TABLES, LINES):
            raise ValueError(f"train={train!r} must end with {', '.join(TABLES)} or {LINES}")
        return cls("" if files else choose("dataset", dataset, DATASETS), files, zero_shot)

    def read(self, dirs: DataDirs) -> dict[str, list[Pair]]:
        """Returns the pairs of "train", "validation", "test" and, where there is one, "zero_shot".

        Raises:
          FileError: a fault in a file, with its line.
          ValueError: a share leaves nothing.
        """
        further = {ZERO_SHOT: _builtin(self.zero_shot, dirs)["test"]} if self.zero_shot else {}
        if self.files is None:
            return _builtin(self.dataset, dirs) | further
        sets = {split: read_pairs(path) for split, path in self.files.paths().items()}
        rows = self.files.shares().drawn(len(sets["train"]), "documents")
        drawn = {split: [sets["train"][row] for row in part.tolist()] for split, part in rows.items()}
        return {**drawn, **{split: pairs for split, pairs in sets.items() if split != "train"}, **further}


def _builtin(name: str, dirs: DataDirs) -> dict[str, list[Pair]]:
    """Returns the pairs of a built-in data set by split."""
    return {split: parse_lines(a["text"].tobytes().decode(), name) for split, a in load(name, dirs).items()}


def read_pairs(path: Path) -> list[Pair]:
    """Returns the pairs of a file, in its order: a table with the columns `document` and `summary` (.tsv, .csv), or
    JSON Lines with an object of these fields a line (.jsonl).

    Raises:
      FileError: a column or a field is missing; a document or a summary isn't a text, or has no word; a line isn't
        JSON; or as `read_table` and `read_text`.
    """
    if path.suffix.lower() == LINES:
        return parse_lines(read_text(path), str(path))
    table = read_table(path)
    for column in FIELDS:
        if column not in table.header:
            raise FileError(f"{path}:1: lacks the column {column!r}; it has {', '.join(table.header)}")
    rows = zip(*(table.texts(column) for column in FIELDS), strict=True)
    return [_pair(dict(zip(FIELDS, row, strict=True)), (), table.place(n)) for n, row in enumerate(rows)]


def read_documents(path: Path) -> list[str]:
    """Returns the documents of a file for prediction: the "document" of each line of JSON Lines, or else the whole text
    as one document. Raises FileError as `read_pairs`."""
    text = read_text(path)
    if path.suffix.lower() != LINES:
        return [text]
    return [pair.document for pair in parse_lines(text, str(path), FIELDS[:1])]


def parse_lines(text: str, path: str, needed: Sequence[str] = FIELDS) -> list[Pair]:
    """Returns the pairs of JSON Lines, as `read_pairs`; "others" may hold a list of further right summaries. Empty
    lines are skipped.

    Args:
      path: the file, for errors.
      needed: the fields that a line must have; the summary is "" where it isn't among them.
    """
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as e:
            raise FileError(f"{place}: isn't JSON ({e}): each line must be an object, as {_EXAMPLE}") from e
        if not isinstance(row, dict):
            raise FileError(f"{place}: {line[:40]!r} must be an object, as {_EXAMPLE}")
        for field in needed:
            if field not in row:
                raise FileError(f"{place}: lacks {field!r}; it has {', '.join(map(repr, row)) or 'nothing'}")
            if not isinstance(row[field], str):
                raise FileError(f"{place}: {field}={str(row[field])[:40]!r} must be a text")
        others = row.get("others", [])
        if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
            raise FileError(f"{place}: others={str(others)[:40]!r} must be a list of texts")
        texts = {field: row[field] for field in needed}
        found.append(_pair(texts, tuple(others), place))
    return found


_EXAMPLE = '{"document": "...", "summary": "..."}'


def _pair(texts: Mapping[str, str], others: tuple[str, ...], place: str) -> Pair:
    for field, text in texts.items():
        if not split_words(text[:_SEEN]):
            raise FileError(f"{place}: {field}={text[:40]!r} has no word")
    return Pair(texts["document"], texts.get("summary", ""), others)


_SEEN = 10_000
"""The first letters of a text, in which a word must be."""
