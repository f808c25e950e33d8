"""Predictions of music in four voices: MIDI and JSON as inputs; MIDI, sound and pictures as outputs."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.prediction import inputs
from experiments.prediction.outputs import chorales
from gru_research.config import UserError
from gru_research.data.own_files import read_midi, write_midi
from gru_research.report.synthesis import RATE, synthesise, wav
from gru_research.tasks import Application
from tests.faults import fault, seen
from tests.tasks.chorales.test_pieces import drawn


class Music:
    """A task of music, as far as inputs are read."""

    application = Application(form="chorales", use="")
    vocabularies: dict[str, Any] = {}  # noqa: RUF012


TASK: Any = Music()


def test_the_voices_that_a_midi_file_lacks_are_to_be_generated(tmp_path: Path) -> None:
    soprano = np.array([[67], [67], [69]], np.int8)
    write_midi(tmp_path / "soprano.mid", soprano, 90, ["soprano"])
    (asked,) = inputs.read(str(tmp_path / "soprano.mid"), TASK)
    assert asked.raw == [[67, None, None, None], [67, None, None, None], [69, None, None, None]]


def test_a_json_file_holds_a_piece_or_several(tmp_path: Path) -> None:
    piece, path = [[67, None, -1, 43], [67, 62, 59, 43]], tmp_path / "music.json"
    for content, raw in ((piece, [piece]), ([piece, piece], [piece, piece]), ([67, 69], [[67, 69]])):
        path.write_text(json.dumps(content))
        assert [one.raw for one in inputs.read(str(path), TASK)] == raw


@fault("predictions", "a music file that isn't there", "a music file that isn't JSON", "an answer of no step")
def test_music_amiss_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--input=nowhere.mid: no such file$") as caught:
        inputs.read("nowhere.mid", TASK)
    seen(caught)
    (tmp_path / "music.json").write_text("[[67,\n")
    with pytest.raises(UserError, match=r"music.json:2: isn't JSON") as caught:
        inputs.read(str(tmp_path / "music.json"), TASK)
    seen(caught)
    with pytest.raises(UserError, match=r"^the piece has no step to write: ask for more with --length$") as caught:
        chorales.write(TASK, "", {"pitches": [], "given": 0}, tmp_path / "1-gru-seed-0")
    seen(caught)


def test_an_answer_is_midi_sound_and_a_picture(tmp_path: Path) -> None:
    pitches = np.sort(drawn(16, 0), axis=1)[:, ::-1]
    paths = chorales.write(TASK, "", {"pitches": pitches.tolist(), "given": 8}, tmp_path / "1-gru-seed-0")
    assert [path.name for path in paths] == ["1-gru-seed-0.mid", "1-gru-seed-0.wav", "1-gru-seed-0.png"]
    assert read_midi(paths[0]).pitches.shape[1] == 4
    with wave.open(str(paths[1])) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.getnframes() / RATE == pytest.approx(16 * 60 / 80 / 4, abs=0.1)
    assert paths[2].read_bytes().startswith(b"\x89PNG")


def test_a_note_sounds_at_its_frequency_and_silence_is_silent() -> None:
    sound = synthesise(np.array([[69], [69], [-1], [-1]]), 0.25).astype(float)
    spectrum = np.abs(np.fft.rfft(sound[: RATE // 2]))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=2)
    assert not sound[int(0.6 * RATE) :].any()
    assert np.abs(synthesise(np.full((8, 4), 60), 0.1)).max() <= 0.8 * 32767 + 1


def test_eight_bits_are_the_upper_half_of_sixteen() -> None:
    sound = np.array([0, 256, -256, 32767, -32768], np.int16)
    with wave.open(io.BytesIO(wav(sound, 8000, 8))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 1, 1)
        assert list(file.readframes(5)) == [128, 129, 127, 255, 0]
    with wave.open(io.BytesIO(wav(sound))) as file:
        assert np.frombuffer(file.readframes(5), "<i2").tolist() == sound.tolist() and file.getframerate() == RATE
