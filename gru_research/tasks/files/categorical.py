"""Tokens and labels by name: numbered by what training holds, whatever a file has them as."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

UNKNOWN = "<unknown>"
"""The token of whatever training lacks."""
FEW_CLASSES = 20
"""Up to this number whole numbers are taken for classes without a word."""


@dataclasses.dataclass(frozen=True)
class Categorical:
    """Tokens or labels of a file: `ids [...]` are positions in `names`."""

    ids: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> "Categorical":
        """Whole numbers or texts of any shape."""
        if values.dtype.kind == "b":
            values = values.astype(np.uint8)
        found, ids = np.unique(values, return_inverse=True)
        return cls(ids.reshape(values.shape).astype(np.int32), tuple(str(value) for value in found.tolist()))

    @classmethod
    def of_sequences(cls, sequences: Sequence[Sequence[str]]) -> "Categorical":
        """Sequences of texts, padded to the longest with the first name."""
        number: dict[str, int] = {}
        ids = np.zeros((len(sequences), max(map(len, sequences))), np.int32)
        for row, sequence in zip(ids, sequences, strict=True):
            row[: len(sequence)] = [number.setdefault(text, len(number)) for text in sequence]
        return cls(ids, tuple(number))

    def take(self, rows: np.ndarray) -> "Categorical":
        return Categorical(self.ids[rows], self.names)

    def counts(self, real: np.ndarray) -> dict[str, int]:
        """How often each name occurs where `real` is True; names that don't occur are left out."""
        counts = np.bincount(self.ids[real], minlength=len(self.names)).tolist()
        return {name: count for name, count in zip(self.names, counts, strict=True) if count}

    def numbered(self, known: Sequence[str], other: int = -1) -> np.ndarray:
        """Positions in `known` `[...]`, `other` where a name isn't there."""
        positions = {name: n for n, name in enumerate(known)}
        return np.array([positions.get(name, other) for name in self.names], np.int32)[self.ids]


def ordered(names: Iterable[str]) -> list[str]:
    """Whole numbers by size, anything else by the alphabet."""
    names = list(names)
    return sorted(names, key=int) if _whole(names) else sorted(names)


def many_whole(names: Sequence[str]) -> bool:
    """Whether classes are more whole numbers than classes often are: they may be meant as numbers."""
    return len(names) > FEW_CLASSES and _whole(names)


def _whole(names: Sequence[str]) -> bool:
    return all(name.removeprefix("-").isascii() and name.removeprefix("-").isdigit() for name in names)


def unknown_as(min_count: int) -> str:
    """Of tokens: why they are unknown, for notes."""
    rare = f", or occur there fewer than min_count={min_count} times" if min_count > 1 else ""
    return f"aren't known from training{rare}: {UNKNOWN}"


def vocabulary(counts: Mapping[str, int], min_count: int) -> list[str]:
    """What occurs at least `min_count` times, in order, and `UNKNOWN` behind it."""
    return [*ordered(n for n, count in counts.items() if count >= min_count and n != UNKNOWN), UNKNOWN]
