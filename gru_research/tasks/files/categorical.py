"""Tokens and labels by name. The training data determine their numbers, not the file."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

UNKNOWN = "<unknown>"
"""The token for anything that training lacks."""
FEW_CLASSES = 20
"""Up to this many distinct whole numbers are read as classes without a warning."""


@dataclasses.dataclass(frozen=True)
class Categorical:
    """Tokens or labels of a file: `ids [...]` are positions in `names`."""

    ids: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> "Categorical":
        """Converts whole numbers or texts of any shape."""
        if values.dtype.kind == "b":
            values = values.astype(np.uint8)
        found, ids = np.unique(values, return_inverse=True)
        return cls(ids.reshape(values.shape).astype(np.int32), tuple(str(value) for value in found.tolist()))

    @classmethod
    def of_sequences(cls, sequences: Sequence[Sequence[str]]) -> "Categorical":
        """Converts sequences of texts, padded to the longest with the first name."""
        number: dict[str, int] = {}
        ids = np.zeros((len(sequences), max(map(len, sequences))), np.int32)
        for row, sequence in zip(ids, sequences, strict=True):
            row[: len(sequence)] = [number.setdefault(text, len(number)) for text in sequence]
        return cls(ids, tuple(number))

    def take(self, rows: np.ndarray) -> "Categorical":
        return Categorical(self.ids[rows], self.names)

    def counts(self, real: np.ndarray) -> dict[str, int]:
        """Returns the count of each name where `real` is True, without names that don't occur."""
        counts = np.bincount(self.ids[real], minlength=len(self.names)).tolist()
        return {name: count for name, count in zip(self.names, counts, strict=True) if count}

    def numbered(self, known: Sequence[str], other: int = -1) -> np.ndarray:
        """Returns positions `[...]` in `known`, and `other` for names outside it."""
        positions = {name: n for n, name in enumerate(known)}
        return np.array([positions.get(name, other) for name in self.names], np.int32)[self.ids]


def ordered(names: Iterable[str]) -> list[str]:
    """Sorts names numerically if all are whole numbers, else alphabetically."""
    names = list(names)
    return sorted(names, key=int) if _whole(names) else sorted(names)


def many_whole(names: Sequence[str]) -> bool:
    """Returns whether classes are many whole numbers, which may be regression targets instead."""
    return len(names) > FEW_CLASSES and _whole(names)


def _whole(names: Sequence[str]) -> bool:
    return all(name.removeprefix("-").isascii() and name.removeprefix("-").isdigit() for name in names)


def unknown_as(min_count: int) -> str:
    """Returns the reason why tokens are unknown, for warnings."""
    rare = f", or occur there fewer than min_count={min_count} times" if min_count > 1 else ""
    return f"aren't known from training{rare}: {UNKNOWN}"


def vocabulary(counts: Mapping[str, int], min_count: int) -> list[str]:
    """Returns the names that occur at least `min_count` times, in order, followed by `UNKNOWN`."""
    return [*ordered(n for n, count in counts.items() if count >= min_count and n != UNKNOWN), UNKNOWN]
