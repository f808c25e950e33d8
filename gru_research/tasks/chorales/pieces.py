"""Pieces of four voices as tokens: S, A, T, B in turn; cut to segments and transposed for training."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gru_research.data.chorales import SILENT, VOICES

Piece = np.ndarray
"""int8 `[T, 4]`: the pitch of each voice in each frame, a sixteenth; `SILENT` where a voice is silent."""
Ranges = Sequence[tuple[int, int]]
"""The lowest and the highest pitch of each voice."""


@dataclasses.dataclass(frozen=True)
class Alphabet:
    """The tokens: 0 is silence, 1 the pitch `lowest`, and so on up to `highest`."""

    lowest: int
    highest: int

    @property
    def size(self) -> int:
        """V, the number of tokens."""
        return self.highest - self.lowest + 2

    @property
    def begin(self) -> int:
        """The input before a piece's first token. It is never predicted."""
        return self.size

    def tokens(self, piece: Piece) -> np.ndarray:
        """Converts pitches `[T, 4]` to tokens uint8 `[4 T]`.

        Raises:
          ValueError: a pitch is outside the alphabet.
        """
        pitches = np.asarray(piece, np.int16)
        outside = (pitches != SILENT) & ((pitches < self.lowest) | (pitches > self.highest))
        if outside.any():
            step, voice = np.argwhere(outside)[0]
            raise ValueError(
                f"step {step}: pitch {pitches[step, voice]} of the {VOICES[voice]} must be from {self.lowest} to "
                f"{self.highest}, the pitches that the model knows"
            )
        return np.where(pitches == SILENT, 0, pitches - self.lowest + 1).astype(np.uint8).reshape(-1)

    def pitches(self, tokens: np.ndarray) -> Piece:
        """Inverts `tokens`."""
        pitches = np.asarray(tokens, np.int16).reshape(-1, len(VOICES)) + self.lowest - 1
        return np.where(pitches < self.lowest, SILENT, pitches).astype(np.int8)


def from_stored(arrays: Mapping[str, np.ndarray]) -> list[Piece]:
    """Returns the pieces of one split of the built-in data."""
    return [row[:length] for row, length in zip(arrays["pitches"], arrays["length"].tolist(), strict=True)]


def alphabet_of(pieces: Iterable[Piece]) -> Alphabet:
    """Returns the alphabet from the lowest to the highest pitch that sounds."""
    sounding = np.concatenate([piece[piece != SILENT] for piece in pieces])
    return Alphabet(int(sounding.min()), int(sounding.max()))


def ranges_of(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Returns the lowest and the highest pitch of each voice; (128, -1) for a voice that never sounds."""
    found = []
    for voice in range(len(VOICES)):
        pitches = np.concatenate([piece[:, voice] for piece in pieces])
        sounding = pitches[pitches != SILENT]
        found.append((int(sounding.min()), int(sounding.max())) if sounding.size else (128, SILENT))
    return found


def shifts_within(piece: Piece, ranges: Ranges) -> range:
    """Returns the transpositions in semitones that keep each voice of a piece within its range."""
    lowest, highest = -128, 128
    for voice, (low, high) in enumerate(ranges):
        sounding = piece[:, voice][piece[:, voice] != SILENT]
        if sounding.size:
            lowest = max(lowest, low - int(sounding.min()))
            highest = min(highest, high - int(sounding.max()))
    return range(lowest, highest + 1)


def transposed(piece: Piece, shift: int) -> Piece:
    """Returns a piece, `shift` semitones higher."""
    return np.where(piece == SILENT, SILENT, piece + shift).astype(np.int8)


def in_all_keys(pieces: Iterable[Piece], ranges: Ranges) -> list[Piece]:
    """Returns every piece in every transposition that keeps each voice within its range."""
    return [transposed(piece, shift) for piece in pieces for shift in shifts_within(piece, ranges)]


def rows(pieces: Sequence[Piece], alphabet: Alphabet, segment: int = 0, context: int = 0) -> dict[str, np.ndarray]:
    """Returns pieces as padded rows of tokens, cut to segments.

    A piece is cut into the fewest segments of at most `segment` frames, equal up to one frame; 0 cuts nothing. Before
    each segment stand up to `context` frames of the piece that come before it. They are read, but not predicted.

    Returns:
      tokens: uint8 `[N, 1 + 4 T]`. The first one comes before the row's frames: the last token of the frame before, or
        `alphabet.begin`. Padding is 0.
      clock: int32 `[N]`, the number of tokens of the piece before the row's second token.
      length: int32 `[N]`, the number of tokens without the first one; `context` int32 `[N]`, how many of these are
        read only.
    """
    voices = len(VOICES)
    cuts: list[tuple[np.ndarray, int, int, int]] = []
    for piece in pieces:
        tokens = np.concatenate([[alphabet.begin], alphabet.tokens(piece)]).astype(np.uint8)
        parts = -(-len(piece) // segment) if segment else 1
        edges = [len(piece) * part // parts for part in range(parts + 1)]
        for start, stop in itertools.pairwise(edges):
            cuts.append((tokens, max(0, start - context), start, stop))
    longest = max(stop - first for _, first, _, stop in cuts)
    out = np.zeros((len(cuts), 1 + voices * longest), np.uint8)
    for row, (tokens, first, _, stop) in zip(out, cuts, strict=True):
        row[: 1 + voices * (stop - first)] = tokens[voices * first : voices * stop + 1]
    frames = np.array([(first, stop - first, start - first) for _, first, start, stop in cuts], np.int32)
    return {
        "tokens": out,
        **{name: voices * frames[:, n] for n, name in enumerate(("clock", "length", "context"))},
    }
