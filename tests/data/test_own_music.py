"""Music of the user's own: MIDI files and JSON lists as pitches in sixteenths; every fault is one line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest

from gru_research.config import FileError, UserError
from gru_research.data.own_files import four_voices, music_files, read_midi, read_pieces, write_midi
from gru_research.data.own_files.pieces import line_of
from tests.faults import fault, seen
from tests.tasks.chorales.test_pieces import drawn

TICKS = 24  # a sixteenth
Notes = list[tuple[int, int, int]]
"""Begin and end in ticks, and pitch."""
SCALE: Notes = [(0, 48, 60), (48, 96, 62), (96, 144, 64)]


def midi(path: Path, *tracks: Notes, channels: tuple[int, ...] = (), per_beat: int = 4 * TICKS) -> Path:
    """Writes notes, each track with its channel."""
    file = mido.MidiFile(ticks_per_beat=per_beat)
    for n, notes in enumerate(tracks):
        channel = channels[n] if channels else n
        events = sorted([(begin, 1, pitch) for begin, _, pitch in notes] + [(end, 0, pitch) for _, end, pitch in notes])
        track, now = mido.MidiTrack(), 0
        for at, on, pitch in events:
            message = mido.Message("note_on", channel=channel, note=pitch, velocity=70 * on, time=at - now)
            track.append(message)
            now = at
        file.tracks.append(track)
    file.save(path)
    return path


@pytest.mark.parametrize("voices", [1, 2, 4])
def test_what_is_written_is_read_back(voices: int, tmp_path: Path) -> None:
    """Voices in any order of tracks: the highest on average comes first."""
    pitches = drawn(40, voices)[:, :voices] - 5 * np.arange(voices, dtype=np.int8)
    pitches[pitches < 20] = -1
    write_midi(tmp_path / "music.mid", pitches[:, ::-1], 90, list("abcd")[:voices])
    found = read_midi(tmp_path / "music.mid")
    assert found.off_grid == 0
    last = int(np.flatnonzero((pitches != -1).any(1))[-1]) + 1  # silence at the end isn't written
    np.testing.assert_array_equal(found.pitches, pitches[:last])
    assert four_voices(found).shape == (last, 4)
    assert (four_voices(found)[:, voices:] == -1).all()


def test_notes_are_rounded_to_sixteenths(tmp_path: Path) -> None:
    late = [(begin + 2, end + 2, pitch) for begin, end, pitch in SCALE]
    between = [(begin + 8, end + 8, pitch) for begin, end, pitch in SCALE]
    found = read_midi(midi(tmp_path / "late.mid", late, between))
    assert found.pitches[:, 0].tolist() == [60, 60, 62, 62, 64, 64] == found.pitches[:, 1].tolist()
    assert found.off_grid == 0.5


def test_legato_is_one_voice_and_a_chord_is_several(tmp_path: Path) -> None:
    legato = [(begin, end + 20, pitch) for begin, end, pitch in SCALE]
    found = read_midi(midi(tmp_path / "legato.mid", legato))
    assert found.pitches[:6].tolist() == [[60], [60], [62], [62], [64], [64]]
    chords = [(0, 48, 60), (0, 96, 55), (48, 96, 67)]
    found = read_midi(midi(tmp_path / "chords.mid", chords))
    assert found.pitches.tolist() == [[60, 55], [60, 55], [67, 55], [67, 55]]
    hands = read_midi(midi(tmp_path / "hands.mid", chords, [(0, 96, 40), (0, 96, 43)]))
    assert hands.pitches.tolist() == [[60, 55, 43, 40]] * 2 + [[67, 55, 43, 40]] * 2


def test_channels_of_one_track_are_voices(tmp_path: Path) -> None:
    file = mido.MidiFile(type=0, ticks_per_beat=4 * TICKS)
    track = mido.MidiTrack()
    for channel, pitch in enumerate((48, 72)):
        track.append(mido.Message("note_on", channel=channel, note=pitch))
    track.append(mido.Message("note_off", channel=0, note=48, time=48))  # the other note never ends
    file.tracks.append(track)
    file.save(tmp_path / "one.mid")
    assert read_midi(tmp_path / "one.mid").pitches.tolist() == [[72, 48], [72, 48]]


def test_json_holds_a_piece_or_several(tmp_path: Path) -> None:
    first, second = drawn(5, 0), drawn(3, 1)
    path = tmp_path / "music.json"
    path.write_text(json.dumps(first.tolist()))
    (only,) = read_pieces(path)
    np.testing.assert_array_equal(only.pitches, first)
    assert only.pitches.dtype == np.int8 and only.place == f"{path}:1"
    path.write_text(f"[\n{json.dumps(first.tolist())},\n\n{json.dumps(second.tolist())}\n]")
    found = read_pieces(path)
    assert [piece.place for piece in found] == [f"{path}:2", f"{path}:4"]
    np.testing.assert_array_equal(found[1].pitches, second)


def test_the_line_of_a_value_in_json() -> None:
    text = "[[[1,2],\n[3,4]],\n\n[\n[5, 6]\n, 7]]"
    places = {(0,): 1, (0, 1): 2, (1,): 4, (1, 0): 5, (1, 0, 1): 5, (1, 1): 6}
    assert {place: line_of(text, place) for place in places} == places


def test_a_folder_is_its_music(tmp_path: Path) -> None:
    for name in ("b.mid", "a.JSON", "notes.txt", ".hidden"):
        (tmp_path / name).touch()
    assert [path.name for path in music_files("train", str(tmp_path))] == ["a.JSON", "b.mid"]


GOOD = "[[67, 62, 59, 43], [67, 62, 59, 43]]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "music.json: is empty", marks=fault("file contents", "an empty file of music")),
        pytest.param(
            "[[67, 62,\n59, 43", "music.json:2: isn't JSON (Expecting ',' delimiter, column 7)",
            marks=fault("file contents", "music that isn't JSON"),
        ),
        pytest.param(
            b"[[67, 62, 59, 43]]\n\xff", "music.json:2: the byte 0xff isn't UTF-8: save the file in that encoding",
            marks=fault("file contents", "music in another encoding"),
        ),
        pytest.param(
            '{"train": 3}', 'music.json:1: must be a list of steps, or of pieces, and is {"train": 3}',
            marks=fault("file contents", "music in an object"),
        ),
        pytest.param(
            f"[{GOOD},\n[]]", "music.json:2: a piece must be a list of steps, and is []",
            marks=fault("file contents", "a piece without steps"),
        ),
        pytest.param(
            f"[{GOOD},\n[[67, 62, 59, 43],\n[67, 62, 59, 43, 31]]]",
            "music.json:3: step 1 is [67, 62, 59, 43, 31], and must have four whole numbers from -1 (silence) to 127",
            marks=fault("file contents", "a step of five voices"),
        ),
        pytest.param(
            "[[67, 62, 59, 43],\n[67, NaN, 59, 43]]",
            "music.json:2: step 1 is [67, NaN, 59, 43], and must have four whole numbers from -1 (silence) to 127",
            marks=fault("file contents", "a pitch that is NaN"),
        ),
        pytest.param(
            "[[67, 62, 59, 43],\n[67, 62, 59, 128]]",
            "music.json:2: step 1 is [67, 62, 59, 128], and must have four whole numbers from -1 (silence) to 127",
            marks=fault("file contents", "a pitch beyond MIDI's"),
        ),
        pytest.param(
            f"[\n{GOOD}, [[67, 62, 59, 43]]]", "music.json:2: the piece has one step, and must have at least 2",
            marks=fault("file contents", "a piece of one step"),
        ),
        pytest.param(
            "[[-1, -1, -1, -1], [-1, -1, -1, -1]]", "music.json:1: the piece has no notes",
            marks=fault("file contents", "a piece of silence"),
        ),
        pytest.param(
            "[" * 100_000, "music.json: isn't a list of pieces: its lists are nested too deep",
            marks=fault("file contents", "lists nested too deep"),
        ),
    ],
)  # fmt: skip
def test_json_amiss_is_one_line(text: str | bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "music.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError) as caught:
        read_pieces(path)
    assert str(caught.value) == f"{tmp_path}/{says}"
    seen(caught)


def many_notes(path: Path) -> None:
    midi(path, [(0, 24, 60)], [(0, 96, pitch) for pitch in (50, 53, 57, 64)])


def in_film_frames(path: Path) -> None:
    midi(path, SCALE)
    content = bytearray(path.read_bytes())
    content[12:14] = b"\xe7\x28"  # 25 frames a second, 40 ticks a frame
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        pytest.param(
            lambda path: midi(path, SCALE, SCALE, channels=(0, 9)),
            "music.mid: track 2 has drums (channel 10): leave them out",
            marks=fault("file contents", "MIDI with drums"),
        ),
        pytest.param(
            lambda path: midi(path, *[SCALE] * 5),
            "music.mid: has notes in 5 tracks or channels, and must have at most 4",
            marks=fault("file contents", "MIDI with five voices"),
        ),
        pytest.param(
            many_notes, "music.mid: has 5 notes at once (quarter 1), and must have at most 4",
            marks=fault("file contents", "MIDI with five notes at once"),
        ),
        pytest.param(lambda path: midi(path, []), "music.mid: has no notes",
                     marks=fault("file contents", "MIDI without notes")),
        pytest.param(
            lambda path: path.write_bytes(b"not music at all"), "music.mid: can't be read as a MIDI file (",
            marks=fault("file contents", "a file that isn't MIDI"),
        ),
        pytest.param(
            lambda path: path.write_bytes(midi(path, SCALE).read_bytes()[:40]),
            "music.mid: can't be read as a MIDI file (", marks=fault("file contents", "half a MIDI file"),
        ),
        pytest.param(
            in_film_frames, "music.mid: counts time in frames of film (SMPTE), and must count in ticks of a quarter",
            marks=fault("file contents", "MIDI timed in frames of film"),
        ),
        pytest.param(
            lambda path: midi(path, [(0, 24, 60), (2_500_000, 2_500_024, 60)]),
            "music.mid: is 104,168 sixteenths long, and must have at most 100,000",
            marks=fault("file contents", "MIDI of many hours"),
        ),
        pytest.param(lambda path: None, "music.mid: no such file",
                     marks=fault("file contents", "a MIDI file that is gone")),
    ],
)  # fmt: skip
def test_midi_amiss_is_one_line(write: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "music.mid"
    write(path)
    with pytest.raises(FileError) as caught:
        read_pieces(path)
    assert str(caught.value).startswith(f"{tmp_path}/{says}") and "\n" not in str(caught.value)
    seen(caught)


@fault(
    "file contents",
    "music that isn't there",
    "a folder without music",
    "music with another ending",
    "music for a name that is too long",
)
def test_files_of_music_amiss_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "music.txt").touch()
    for name, says in {
        f"{tmp_path}/nowhere": "no such file or folder",
        f"{tmp_path}/empty": "is a folder without files that end with .mid, .midi, .json",
        f"{tmp_path}/music.txt": "must be a folder, or end with .mid, .midi, .json",
        "x" * 5000: "can't be read: File name too long",
    }.items():
        with pytest.raises(UserError, match=f"^train='{name}'(:)? {says}") as caught:
            music_files("train", name)
        seen(caught)


@fault("file contents", "MIDI without the package that reads it")
def test_without_mido_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = midi(tmp_path / "music.mid", SCALE)
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(UserError, match=r"MIDI files need mido: pip install 'gru_research\[applications\]'") as caught:
        read_midi(path)
    seen(caught)
