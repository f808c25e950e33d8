"""Raw inputs and answers of predictions: pieces with notes to fill in, as lists or as JSON."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from gru_research.data.chorales import SILENT, VOICES

from .generation import FREE, encode_free
from .pieces import Alphabet

_HIGHEST = 127


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Converts a piece to tokens `inputs [4 T]` and `lengths []`."""

    alphabet: Alphabet

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Encodes a piece.

        Args:
          raw: a list of steps, or an array `[T, 4]`, or either as JSON. A step is the pitches of soprano, alto, tenor
            and bass: -1 for silence, None (null) for a note to generate. A step that is one pitch is the soprano alone;
            the other voices are generated. An empty list or text has no notes: the whole piece is generated.

        Raises:
          ValueError: something else, or a pitch outside the alphabet.
        """
        steps = _parsed(raw) if isinstance(raw, str) else raw
        if isinstance(steps, np.ndarray):
            steps = steps.tolist()
        if not isinstance(steps, Sequence):
            raise ValueError(f"{str(raw)[:40]!r} must be a list of steps, each of four pitches")
        piece = np.array([_step(n, step) for n, step in enumerate(steps)], np.int16).reshape(-1, len(VOICES))
        tokens = encode_free(piece, self.alphabet)
        return {"inputs": tokens, "lengths": np.array(len(tokens), np.int32)}


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Converts tokens to pitches."""

    alphabet: Alphabet

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns `pitches`, four for each step, and `given`, the number of steps that the input had."""
        length = int(output["lengths"])
        pitches = self.alphabet.pitches(np.asarray(output["tokens"])[:length])
        return {"pitches": pitches.tolist(), "given": int(output["given"]) // len(VOICES)}


def _parsed(text: str) -> Any:
    if not text.strip():
        return []
    try:
        return json.loads(text)
    except json.JSONDecodeError as e:
        raise ValueError(f"{text[:40]!r} isn't JSON, nor a file that is there ({e.msg}, column {e.colno})") from e


def _step(number: int, step: Any) -> list[int]:
    notes = step if isinstance(step, list | tuple) else [step, None, None, None]
    if len(notes) != len(VOICES) or not all(map(_is_note, notes)):
        raise ValueError(
            f"step {number} is {str(step)[:40]}, and must be four pitches: {SILENT} is silence, null a note to generate"
        )
    return [FREE if note is None else note for note in notes]


def _is_note(note: Any) -> bool:
    whole = isinstance(note, int) and not isinstance(note, bool)
    return note is None or (whole and SILENT <= note <= _HIGHEST)
