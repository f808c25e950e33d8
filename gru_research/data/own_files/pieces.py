"""Reads pieces of music in up to four voices: MIDI files, and JSON lists of four pitches a step."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gru_research.config import FileError, UserError
from gru_research.data.own_files.file_checks import read_text
from gru_research.data.own_files.midi import MOST_VOICES, SILENT, Voices, read_midi

MIDI = (".mid", ".midi")
MUSIC = (*MIDI, ".json")
"""The extensions of pieces."""
_HIGHEST = 127  # the highest pitch in MIDI
_SHORTEST = 2


class OwnPiece(NamedTuple):
    """A piece.

    Attributes:
      pitches: int8 `[T, 4]`, one sixteenth a step; `SILENT` where a voice is silent.
      place: the file and, in JSON, the line where the piece begins.
      off_grid: as in `midi.Voices`.
    """

    pitches: np.ndarray
    place: str
    off_grid: float = 0.0


def music_files(field: str, name: str) -> list[Path]:
    """Returns the absolute path of the file that a field of the config names, or the files of the folder, sorted.

    Raises:
      UserError: there is no such file or folder, or no file of `MUSIC` in it.
    """
    path = Path(name).expanduser().absolute()
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in MUSIC and file.is_file())
            if not files:
                raise UserError(f"{field}={name!r} is a folder without files that end with {', '.join(MUSIC)}")
            return files
        if not path.is_file():
            raise UserError(f"{field}={name!r}: no such file or folder")
    except OSError as e:  # a name that is too long, or no permission
        raise UserError(f"{field}={name!r} can't be read: {e.strerror}") from e
    if path.suffix.lower() not in MUSIC:
        raise UserError(f"{field}={name!r} must be a folder, or end with {', '.join(MUSIC)}")
    return [path]


def read_pieces(path: Path) -> list[OwnPiece]:
    """Reads the pieces of one file: one of a MIDI file, one or several of a JSON file.

    A JSON piece is a list of steps, each the pitches of soprano, alto, tenor and bass, -1 for silence; a file holds a
    piece or a list of pieces. A MIDI file with fewer than four voices has the upper ones; the others are silent.

    Raises:
      FileError: the file isn't as described, or a piece is shorter than two steps or has no notes.
    """
    if path.suffix.lower() in MIDI:
        voices = read_midi(path)
        found = [OwnPiece(four_voices(voices), str(path), voices.off_grid)]
    else:
        found = _read_json(path)
    for piece in found:
        if len(piece.pitches) < _SHORTEST:
            raise FileError(f"{piece.place}: the piece has one step, and must have at least {_SHORTEST}")
        if (piece.pitches == SILENT).all():
            raise FileError(f"{piece.place}: the piece has no notes")
    return found


def four_voices(voices: Voices) -> np.ndarray:
    """Returns the pitches `[T, 4]` of a MIDI file's voices; missing voices are silent."""
    missing = MOST_VOICES - voices.pitches.shape[1]
    return np.pad(voices.pitches, ((0, 0), (0, missing)), constant_values=SILENT)


def _read_json(path: Path) -> list[OwnPiece]:
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as e:
        raise FileError(f"{path}:{e.lineno}: isn't JSON ({e.msg}, column {e.colno})") from e
    except RecursionError as e:
        raise FileError(f"{path}: isn't a list of pieces: its lists are nested too deep") from e
    if not isinstance(content, list) or not content:
        raise FileError(f"{path}:1: must be a list of steps, or of pieces, and is {_short(content)}")
    single = isinstance(content[0], list) and bool(content[0]) and not isinstance(content[0][0], list)
    if single:
        return [OwnPiece(_piece(path, text, content, ()), f"{path}:{line_of(text, (0,))}")]
    return [
        OwnPiece(_piece(path, text, steps, (n,)), f"{path}:{line_of(text, (n,))}") for n, steps in enumerate(content)
    ]


def _piece(path: Path, text: str, steps: Any, place: tuple[int, ...]) -> np.ndarray:
    """Returns the pitches `[T, 4]` of the piece at `place` in the file's lists."""
    if not isinstance(steps, list) or not steps:
        raise FileError(f"{path}:{line_of(text, place)}: a piece must be a list of steps, and is {_short(steps)}")
    for n, step in enumerate(steps):
        if not isinstance(step, list) or len(step) != MOST_VOICES or not all(map(_is_pitch, step)):
            raise FileError(
                f"{path}:{line_of(text, (*place, n))}: step {n} is {_short(step)}, and must have four whole numbers "
                f"from {SILENT} (silence) to {_HIGHEST}"
            )
    return np.array(steps, np.int8)


def line_of(text: str, place: Sequence[int]) -> int:
    """Returns the line, from 1, where the value at `place` begins in JSON text: (2, 5) is element 5 of element 2."""
    wanted, at, line = list(place), [], 1
    for character in text:
        if character == "\n":
            line += 1
        elif character.isspace():
            continue
        elif character in "],":
            if character == ",":
                at[-1] += 1
            else:
                at.pop()
        else:
            if at == wanted:
                return line
            if character == "[":
                at.append(0)
    return line


def _is_pitch(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and SILENT <= value <= _HIGHEST


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
