"""Reads pairs of sentences: Multi30k, and a user's own two files that translate each other line by line."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_research.config import FileError, choose
from gru_research.data import DataDirs, load
from gru_research.data.own_files import existing_file, read_text
from gru_research.data.text_arrays import to_texts

from ..files.splits import SplitShares, check_shares, distinct_files

DIRECTIONS = ("de-en", "en-de")
TEST_SETS = {"2016": "test", "2017": "test_2017"}
"""Multi30k's test sets by year."""
SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Pairs:
    """N pairs of sentences.

    Attributes:
      source, target: the texts.
      place: returns the place of a pair's source in its file, for errors.
    """

    source: Sequence[str]
    target: Sequence[str]
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, positions: Sequence[int]) -> "Pairs":
        source, target = ([texts[n] for n in positions] for texts in (self.source, self.target))
        place = self.place
        return Pairs(source, target, lambda n: place(positions[n]))


@dataclasses.dataclass(frozen=True)
class Source:
    """Where pairs come from, as plain JSON.

    Attributes:
      direction, test_set: of Multi30k.
      files: the user's own two files by split; without "train" the other sets are Multi30k's.
      validation_share, test_share, seed: of the training files, for sets without files.
    """

    direction: str
    test_set: str
    files: Mapping[str, tuple[str, str]]
    validation_share: float
    test_share: float
    seed: int

    @classmethod
    def of(
        cls, direction: str, test_set: str, named: Mapping[str, str], validation_share: float, test_share: float,
        seed: int,
    ) -> "Source":  # fmt: skip
        """Returns the source that the task's options name. Raises ValueError for other than two different files."""
        choose("direction", direction, DIRECTIONS)
        choose("test_set", test_set, TEST_SETS)
        if named["validation"] and not named["train"]:
            raise ValueError(f"validation={named['validation']!r} needs train: two files for training")
        files = {split: _two_files(split, names) for split, names in named.items() if names}
        if named["train"]:
            check_shares(named, {"validation": validation_share, "test": test_share})
            SplitShares(0 if named["validation"] else validation_share, 0 if named["test"] else test_share, seed)
            for side in range(2):
                distinct_files({split: files[split][side] for split in SPLITS if split in files})
        return cls(direction, test_set, files, validation_share, test_share, seed)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Source":
        """Inverts `dataclasses.asdict`."""
        return cls(**{**fields, "files": {split: (a, b) for split, (a, b) in fields["files"].items()}})

    @property
    def paths(self) -> tuple[Path, ...]:
        """The user's own files."""
        return tuple(Path(path) for pair in self.files.values() for path in pair)

    @property
    def name(self) -> str:
        """A name that is fit for a file."""
        if "train" not in self.files:
            return f"multi30k-{self.direction}"
        return re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(self.files["train"][0]).stem)[:60] or "data"

    @property
    def published(self) -> str:
        """The direction whose published figures are of this test set; "" if there are none."""
        return self.direction if not self.files and self.test_set == "2016" else ""

    def read(self, dirs: DataDirs) -> dict[str, Pairs]:
        """Returns the three sets. Raises FileError for a fault in a user's file."""
        own = {split: read_files(*paths) for split, paths in self.files.items()}
        if "train" not in own:
            return read_multi30k(self.direction, self.test_set, dirs) | own
        shares = SplitShares(
            0 if "validation" in own else self.validation_share, 0 if "test" in own else self.test_share, self.seed
        )
        parts = shares.drawn(len(own["train"]), "pairs of sentences")
        return own | {split: own["train"].take(positions.tolist()) for split, positions in parts.items()}


def read_multi30k(direction: str, test_set: str, dirs: DataDirs) -> dict[str, Pairs]:
    """Returns Multi30k's three sets."""
    stored = load("multi30k", dirs)
    first, second = direction.split("-")
    found = {}
    for split, name in {"train": "train", "validation": "validation", "test": TEST_SETS[test_set]}.items():
        source, target = (to_texts(stored[name][one], stored[name][f"{one}_length"]) for one in (first, second))
        found[split] = Pairs(source, target, lambda n, name=name: f"multi30k, {name}[{n}]")
    return found


def _two_files(field: str, names: str) -> tuple[str, str]:
    parts = [name.strip() for name in names.split(",")]
    if len(parts) != 2 or "" in parts:
        raise ValueError(f"{field}={names!r} must be two files, such as 'a.de,b.en'")
    first, second = (existing_file(field, name) for name in parts)
    if first.samefile(second):
        raise ValueError(f"{field}={names!r} must be two different files")
    return str(first), str(second)


def read_files(first: str, second: str) -> Pairs:
    """Returns the pairs of two files: line n of one translates line n of the other.

    Raises:
      FileError: a file isn't UTF-8, is empty or has an empty line, or the numbers of lines differ.
    """
    source, target = (_lines(Path(path)) for path in (first, second))
    if len(source) != len(target):
        shorter, longer = sorted(((len(source), first), (len(target), second)))
        raise FileError(
            f"{longer[1]}:{shorter[0] + 1}: has no translation: {longer[1]} has {longer[0]:,} lines, and {shorter[1]} "
            f"{shorter[0]:,}"
        )
    return Pairs(source, target, lambda n: f"{first}:{n + 1}")


def _lines(path: Path) -> list[str]:
    lines = [line.strip() for line in read_text(path).removesuffix("\n").split("\n")]
    for n, line in enumerate(lines, start=1):
        if not line:
            raise FileError(f"{path}:{n}: is empty: each line must be a sentence")
    return lines
