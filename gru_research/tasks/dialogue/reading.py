"""Reads dialogues: the built-in data sets, and a user's own text files."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.config import choose
from gru_research.data import DataDirs, load
from gru_research.data.own_files import Dialogue, parse_dialogues, read_dialogues

from ..files.source import DataSource, own_files
from ..files.splits import SplitShares

TASKS = tuple(f"dialog_babi_{number}" for number in range(1, 7))
CHAT = "chatterbot"
DATASETS = (*TASKS, CHAT)
OOV = "test_oov"
"""The test set whose words training lacks."""
Sets = Mapping[str, Sequence[Dialogue]]


@dataclasses.dataclass(frozen=True)
class Source(DataSource):
    """Where dialogues come from.

    Attributes:
      seed: draws the shares of a data set without parts of its own.
    """

    seed: int = 0

    @classmethod
    def of(
        cls, dataset: str, train: str, validation: str, test: str, validation_share: float, test_share: float, seed: int
    ) -> "Source":
        """Returns the source that the task's options name. Raises ValueError for an unknown data set, or as
        `own_files`."""
        files = own_files(train, validation, test, validation_share, test_share, seed)
        return cls("" if files else choose("dataset", dataset, DATASETS), files, seed)

    def read(self, dirs: DataDirs) -> dict[str, list[Dialogue]]:
        """Returns the dialogues of "train", "validation", "test" and, where there is one, "test_oov".

        Raises:
          FileError: a fault in a file, with its line.
          ValueError: a share leaves nothing.
        """
        if self.files is not None:
            sets = {split: read_dialogues(path) for split, path in self.files.paths().items()}
            return {**_drawn(sets["train"], self.files.shares()), **{s: d for s, d in sets.items() if s != "train"}}
        found = {split: _parsed(arrays, split) for split, arrays in load(self.dataset, dirs).items() if _is_text(split)}
        return _drawn(found["train"], SplitShares(0.1, 0.1, self.seed)) if self.dataset == CHAT else found


def knowledge(dataset: str, dirs: DataDirs) -> dict[str, list[tuple[str, ...]]]:
    """Returns the facts of each subject in a data set's knowledge base: subject, relation and object. Empty where a
    data set has none."""
    if dataset not in TASKS[:5]:
        return {}
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in load(dataset, dirs)["knowledge"]["text"].tobytes().decode().splitlines():
        left, _, value = line.partition("\t")
        _, subject, relation = left.split()
        found.setdefault(subject, []).append((subject, relation, value))
    return found


def _is_text(split: str) -> bool:
    return split != "knowledge"


def _parsed(arrays: Mapping[str, np.ndarray], split: str) -> list[Dialogue]:
    return parse_dialogues(arrays["text"].tobytes().decode(), split)


def _drawn(dialogues: Sequence[Dialogue], shares: SplitShares) -> dict[str, list[Dialogue]]:
    rows = shares.drawn(len(dialogues), "dialogues")
    return {split: [dialogues[row] for row in part.tolist()] for split, part in rows.items()}
