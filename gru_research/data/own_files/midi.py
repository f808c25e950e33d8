"""Reads MIDI files with up to four voices as pitches in sixteenths, and writes such pieces."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gru_research.config import FileError, UserError
from gru_research.data.own_files.file_checks import cannot_read, check_memory

SILENT = -1
"""The pitch of a voice that is silent."""
MOST_VOICES = 4
LONGEST = 100_000
"""The most sixteenths of a piece."""
_PER_BEAT = 4  # sixteenths in a quarter
_DRUMS = 9  # the channel of percussion, counted from 0
_FACTOR = 64  # a message of three bytes is a Python object
_VELOCITY, _TICKS = 80, 120


class Voices(NamedTuple):
    """The voices of a MIDI file.

    Attributes:
      pitches: int8 `[T, V]` with 1 to 4 voices, the highest first; `SILENT` where a voice is silent.
      off_grid: the share of notes that begin further than an eighth of a sixteenth from the next sixteenth.
    """

    pitches: np.ndarray
    off_grid: float


class _Note(NamedTuple):
    """A note in sixteenths, from `start` to before `stop`, and whether it began between two sixteenths."""

    start: int
    stop: int
    pitch: int
    off: bool


def read_midi(path: Path) -> Voices:
    """Reads the notes of a MIDI file, rounded to sixteenths.

    A voice is a track or a channel, the highest on average first. Where one of these has several notes at once, the
    notes of each sixteenth are the voices instead, from the highest down.

    Raises:
      FileError: the file isn't a MIDI file, is damaged, has drums, no notes, more than four voices, or is too long.
      UserError: mido isn't installed.
    """
    parts = _parts(path, _opened(path))
    if not parts:
        raise FileError(f"{path}: has no notes")
    if len(parts) > MOST_VOICES:
        raise FileError(f"{path}: has notes in {len(parts)} tracks or channels, and must have at most {MOST_VOICES}")
    notes = [note for part in parts for note in part]
    length = max(note.stop for note in notes)
    if length > LONGEST:
        raise FileError(f"{path}: is {length:,} sixteenths long, and must have at most {LONGEST:,}")
    off_grid = sum(note.off for note in notes) / len(notes)
    lines = [_line(part, length) for part in parts]
    if any(line is None for line in lines):
        return Voices(_stacked(path, notes, length), off_grid)
    found = [line for line in lines if line is not None]
    found.sort(key=lambda line: -float(line[line != SILENT].mean()))
    return Voices(np.stack(found, 1), off_grid)


def write_midi(path: Path, pitches: np.ndarray, quarters_per_minute: float, names: Sequence[str]) -> None:
    """Writes pitches `[T, V]`, one sixteenth a step, with a track for each voice. A held pitch is one note.

    Raises:
      UserError: mido isn't installed.
      OSError: the file can't be written.
    """
    mido = _mido()
    file = mido.MidiFile(type=1, ticks_per_beat=_PER_BEAT * _TICKS)
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(quarters_per_minute))
    file.tracks.append(mido.MidiTrack([tempo]))
    for channel, (name, line) in enumerate(zip(names, np.asarray(pitches).T.tolist(), strict=True)):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        waited = 0
        for pitch, same in itertools.groupby(line):
            ticks = _TICKS * len(list(same))
            if pitch == SILENT:
                waited += ticks
                continue
            note = {"channel": channel, "note": pitch, "velocity": _VELOCITY}
            track.append(mido.Message("note_on", time=waited, **note))
            track.append(mido.Message("note_off", time=ticks, **note))
            waited = 0
        file.tracks.append(track)
    file.save(path)


def _mido() -> Any:
    try:
        import mido
    except ImportError as e:
        raise UserError("MIDI files need mido: pip install 'gru_research[applications]'") from e
    return mido


def _opened(path: Path) -> Any:
    mido = _mido()
    try:
        check_memory(path, path.stat().st_size * _FACTOR, "reading it")
        file = mido.MidiFile(path)
    except FileError:
        raise
    except FileNotFoundError as e:
        raise cannot_read(path, e) from e
    except Exception as e:  # mido reports damage by many unrelated types
        raise FileError(f"{path}: can't be read as a MIDI file ({' '.join(str(e).split())[:80] or 'it is cut'})") from e
    if file.ticks_per_beat <= 0:
        raise FileError(f"{path}: counts time in frames of film (SMPTE), and must count in ticks of a quarter")
    return file


def _parts(path: Path, file: Any) -> list[list[_Note]]:
    """Returns the notes of each track and channel that has notes."""
    parts: dict[tuple[int, int], list[_Note]] = {}
    ticks = file.ticks_per_beat / _PER_BEAT
    for number, track in enumerate(file.tracks, 1):
        sounding: dict[tuple[int, int], int] = {}
        now = 0

        def end(key: tuple[int, int], begun: int, now: int, number: int) -> None:
            start = round(begun / ticks)
            note = _Note(start, max(start + 1, round(now / ticks)), key[1], abs(begun / ticks - start) > 1 / 8)
            parts.setdefault((number, key[0]), []).append(note)

        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            if message.channel == _DRUMS:
                raise FileError(f"{path}: track {number} has drums (channel 10): leave them out")
            key = message.channel, message.note
            if key in sounding:
                end(key, sounding.pop(key), now, number)
            if message.type == "note_on" and message.velocity > 0:
                sounding[key] = now
        for key, begun in sounding.items():  # notes that never end, end with their track
            end(key, begun, now, number)
    return list(parts.values())


def _line(notes: Iterable[_Note], length: int) -> np.ndarray | None:
    """Returns the pitches `[T]` of a voice; None where two notes sound at once.

    A note that overlaps the next one by a single sixteenth, as in legato playing, is cut.
    """
    line = np.full(length, SILENT, np.int8)
    latest = -1
    for note in sorted(notes):
        here = line[note.start : note.stop]
        if note.start == latest or (here != SILENT).sum() > 1:
            return None
        here[:], latest = note.pitch, note.start
    return line


def _stacked(path: Path, notes: Iterable[_Note], length: int) -> np.ndarray:
    """Returns the pitches `[T, V]` of each sixteenth, from the highest down."""
    sounding: list[set[int]] = [set() for _ in range(length)]
    for note in notes:
        for step in range(note.start, note.stop):
            sounding[step].add(note.pitch)
    most = max(map(len, sounding))
    if most > MOST_VOICES:
        step = next(n for n, pitches in enumerate(sounding) if len(pitches) > MOST_VOICES)
        raise FileError(
            f"{path}: has {len(sounding[step])} notes at once (quarter {step // _PER_BEAT + 1}), and must have at most "
            f"{MOST_VOICES}"
        )
    out = np.full((length, most), SILENT, np.int8)
    for row, pitches in zip(out, sounding, strict=True):
        row[: len(pitches)] = sorted(pitches, reverse=True)
    return out
