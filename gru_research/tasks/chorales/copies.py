"""The longest run that a piece shares with other pieces, in any transposition."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gru_research.data.chorales import SILENT

from .pieces import Piece


class Runs:
    """All runs of symbols in some sequences, as a suffix automaton (Blumer et al. 1985): built in linear time."""

    def __init__(self, sequences: Iterable[Sequence[Any]]):
        self._next: list[dict[Any, int]] = [{}]
        self._link, self._length = [-1], [0]
        for number, sequence in enumerate(sequences):
            last = 0
            for symbol in (*sequence, ("end", number)):  # no run passes this symbol
                last = self._extend(last, symbol)

    def _extend(self, last: int, symbol: Any) -> int:
        new = self._state(self._length[last] + 1, {})
        state = last
        while state >= 0 and symbol not in self._next[state]:
            self._next[state][symbol] = new
            state = self._link[state]
        if state < 0:
            self._link[new] = 0
            return new
        target = self._next[state][symbol]
        if self._length[target] == self._length[state] + 1:
            self._link[new] = target
            return new
        copy = self._state(self._length[state] + 1, dict(self._next[target]))
        self._link[copy] = self._link[target]
        while state >= 0 and self._next[state].get(symbol) == target:
            self._next[state][symbol] = copy
            state = self._link[state]
        self._link[target] = self._link[new] = copy
        return new

    def _state(self, length: int, following: dict[Any, int]) -> int:
        self._next.append(following)
        self._link.append(0)
        self._length.append(length)
        return len(self._next) - 1

    def longest(self, sequence: Sequence[Any]) -> int:
        """Returns the length of the longest run of `sequence` that is among these."""
        state = length = longest = 0
        for symbol in sequence:
            while state and symbol not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if symbol in self._next[state]:
                state, length = self._next[state][symbol], length + 1
            longest = max(longest, length)
        return longest


def longest_copies(pieces: Sequence[Piece], train: Sequence[Piece]) -> np.ndarray:
    """Returns for each piece the longest run of frames that a training piece has too, in any transposition, `[N]`."""
    chords = {chord for piece in train for chord, _ in _frames(piece)}
    changes = Runs(_changes(piece) for piece in train)
    found = []
    for piece in pieces:
        known = any(chord in chords for chord, _ in _frames(piece))
        found.append(known + changes.longest(_changes(piece)))
    return np.array(found)


def _frames(piece: Piece) -> list[tuple[bytes, int]]:
    """Returns each frame's chord above its lowest note, and that note."""
    notes = piece.astype(np.int16)
    lowest = np.where(notes == SILENT, 128, notes).min(1)
    chords = np.where(notes == SILENT, SILENT, notes - lowest[:, None])
    return [(chord.tobytes(), low) for chord, low in zip(chords, lowest.tolist(), strict=True)]


def _changes(piece: Piece) -> list[tuple[bytes, int, bytes]]:
    """Returns two neighbouring chords and the lowest note's step between them, for each frame but the first."""
    frames = _frames(piece)
    return [(one, low - before, other) for (one, before), (other, low) in itertools.pairwise(frames)]
