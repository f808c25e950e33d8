"""Divides one file into training, validation and test: at random, or in order."""

import dataclasses
import filecmp
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gru_research.data.own_files import existing_file


@dataclasses.dataclass(frozen=True)
class SplitShares:
    """The shares of the training file for validation and test; 0 for a set with its own file.

    Raises:
      ValueError: a share is out of range, or both leave nothing for training.
    """

    validation: float
    test: float
    seed: int = 0

    def __post_init__(self) -> None:
        for split in ("validation", "test"):
            if not 0 <= getattr(self, split) < 1:
                raise ValueError(f"{split}_share={getattr(self, split)!r} must be above 0 and below 1")
        if self.validation + self.test >= 1:
            raise ValueError(
                f"test_share={self.test!r} and validation_share={self.validation!r} leave nothing for training"
            )
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed={self.seed!r} must be 0 or more and below 2**32")

    def drawn(self, count: int, what: str) -> dict[str, np.ndarray]:
        """Returns random positions out of `count` by split. Training positions are in random order, because a file may
        be sorted and `train_examples` takes the first ones. The others are in the file's order.

        `what` names the examples in errors.
        """
        # RandomState's stream never changes. The stream of NumPy's Generator may.
        order = np.random.RandomState(self.seed).permutation(count)
        sizes = self._sizes(count, what)
        parts = np.split(order, np.cumsum([sizes["validation"], sizes["test"]]))
        found = {"train": parts[2], "validation": np.sort(parts[0]), "test": np.sort(parts[1])}
        return {split: positions for split, positions in found.items() if split == "train" or sizes[split]}

    def ends(self, count: int, what: str) -> dict[str, slice]:
        """Returns contiguous parts by split: training, then validation, then test."""
        sizes = self._sizes(count, what)
        first, second = sizes["train"], sizes["train"] + sizes["validation"]
        found = {"train": slice(0, first), "validation": slice(first, second), "test": slice(second, count)}
        return {split: part for split, part in found.items() if split == "train" or sizes[split]}

    def _sizes(self, count: int, what: str) -> dict[str, int]:
        sizes = {split: round(getattr(self, split) * count) for split in ("validation", "test")}
        for split, size in sizes.items():
            if getattr(self, split) and not size:
                raise ValueError(f"{split}_share={getattr(self, split)!r} of {count} {what} is none")
        sizes["train"] = count - sum(sizes.values())
        if sizes["train"] < 1:
            raise ValueError(
                f"test_share={self.test!r} and validation_share={self.validation!r} of {count} {what} leave none for "
                f"training"
            )
        return sizes


def check_shares(named: Mapping[str, str], shares: Mapping[str, float]) -> None:
    """Raises ValueError for a set of `shares` that has neither a file in `named` nor a share of the training file."""
    for split, share in shares.items():
        if not named[split] and not share:
            raise ValueError(f"{split}_share={share!r} must be above 0, or {split} a file")


def distinct_files(named: Mapping[str, str]) -> dict[str, Path]:
    """Returns the files by set, without sets whose name is "". Raises ValueError if one is missing or used twice."""
    paths: dict[str, Path] = {}
    for split, name in named.items():
        if not name:
            continue
        path = existing_file(split, name)
        for other, its in paths.items():
            if path.samefile(its) or filecmp.cmp(path, its, shallow=False):
                raise ValueError(
                    f"{split}={name!r} is the file of {other} too, or a copy of it: leave it out for a share of train's"
                )
        paths[split] = path
    return paths
