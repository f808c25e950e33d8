"""FSDD and AN4 from their archives to arrays: equal to an independent reading, and every fault is one line."""

import io
import struct
import tarfile
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, prepare
from gru_research.data.an4 import an4_dataset_builder, read_utterances
from gru_research.data.fsdd import SPEAKERS, fsdd_dataset_builder, read_recordings
from gru_research.data.text_arrays import to_texts
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

FILES = {"fsdd": fsdd_dataset_builder.FILE, "an4": an4_dataset_builder.FILE}


def archive_of(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive with files by their paths below the first folder."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"any/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    """A WAV file of int16 samples."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def mfc(frames: np.ndarray) -> bytes:
    return struct.pack(">i", frames.size) + frames.astype(">f4").tobytes()


def an4_of(path: Path, train: str = "HELLO (a1-fash-b)\n", frames: bytes = mfc(np.ones((2, 13)))) -> Path:
    files = {
        "an4/etc/an4_train.transcription": train.encode(),
        "an4/etc/an4_test.transcription": b"YES (a2-fvap-b)\n",
        "an4/feat/an4_clstk/fash/a1-fash-b.mfc": frames,
        "an4/feat/an4test_clstk/fvap/a2-fvap-b.mfc": mfc(np.arange(26)),
    }
    return archive_of(path, files)


def test_the_digits_are_those_of_the_archive(fsdd_data_dir: str, fsdd_manual_dir: str) -> None:
    found = load("fsdd", DataDirs(fsdd_data_dir))["recordings"]
    assert found["samples"].shape == (3000, 18_262)
    for name, size in (("digit", 10), ("speaker", 6), ("take", 50)):
        assert (np.bincount(found[name]) == 3000 // size).all()
    member = "free-spoken-digit-dataset/recordings/7_theo_31.wav"
    with tarfile.open(Path(fsdd_manual_dir, FILES["fsdd"])) as archive:
        file = archive.extractfile(member)
        assert file is not None
        with wave.open(file) as sound:
            expected = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    is_there = (found["digit"] == 7) & (found["speaker"] == SPEAKERS.index("theo")) & (found["take"] == 31)
    (row,) = np.flatnonzero(is_there)
    np.testing.assert_array_equal(found["samples"][row, : found["length"][row]], expected)
    assert not found["samples"][row, found["length"][row] :].any()


def test_an4_is_what_the_archive_has(an4_data_dir: str, an4_manual_dir: str) -> None:
    sets = load("an4", DataDirs(an4_data_dir))
    assert [len(sets[split]["text"]) for split in ("train", "test")] == [948, 130]
    assert [len(set(sets[split]["speaker"].tolist())) for split in ("train", "test")] == [74, 10]
    assert to_texts(sets["train"]["text"], sets["train"]["length"])[3] == "U M N Y H SIX"
    with tarfile.open(Path(an4_manual_dir, FILES["an4"])) as archive:
        file = archive.extractfile("an4/feat/an4_clstk/fash/an255-fash-b.mfc")
        assert file is not None
        expected = np.array([value for (value,) in struct.iter_unpack(">f", file.read()[4:])], np.float32)
    count = sets["train"]["frame_count"][3]
    np.testing.assert_array_equal(sets["train"]["frames"][3, :count].ravel(), expected)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_archive_is_named_and_leaves_nothing(
    name: str, damage: Callable[[Path], None], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    raw, data_dir, file = tmp_path / "raw", tmp_path / "data", FILES[name]
    raw.mkdir()
    (raw / file).write_bytes(Path(request.getfixturevalue(f"{name}_manual_dir"), file).read_bytes())
    damage(raw / file)
    with pytest.raises(UserError) as caught:
        load(name, DataDirs(str(data_dir), str(raw)))
    assert "\n" not in str(caught.value) and file in str(caught.value)
    assert list(data_dir.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_a_missing_archive_is_asked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"lacks {FILES[name]}: {name} needs {FILES[name]}$"):
        prepare(name, DataDirs(str(tmp_path / "data"), str(tmp_path)))


@fault("data", "an archive with other recordings than the data set's", "an archive with other utterances than AN4's")
def test_other_contents_are_refused(tmp_path: Path) -> None:
    archive_of(tmp_path / FILES["fsdd"], {"recordings/7_theo_0.wav": wav(np.arange(400))})
    an4_of(tmp_path / FILES["an4"])
    for name, says in (("fsdd", "the 1 recordings aren't those"), ("an4", "the 4 files of AN4 aren't those")):
        with pytest.raises(UserError, match=says) as caught:
            load(name, DataDirs(str(tmp_path / "data"), str(tmp_path)))
        seen(caught)
        assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("recordings/7_theo_0.wav", wav(np.arange(400), 16_000), "7_theo_0.wav: a sample rate of 16000 must be 8000$"),
        (
            "recordings/7_nobody_0.wav",
            wav(np.arange(400)),
            "7_nobody_0.wav: the name must be DIGIT_SPEAKER_TAKE.wav of",
        ),
        ("recordings/7_theo_0.wav", b"RIFF", "7_theo_0.wav: isn't a WAV file$"),
        ("other/7_theo_0.wav", wav(np.arange(400)), "has no recordings in recordings/$"),
    ],
)
def test_faults_of_recordings_are_one_line(file: str, content: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read_recordings(archive_of(tmp_path / "x.tar.gz", {file: content}))
    assert "\n" not in str(caught.value)


def test_an_utterance_has_words_a_speaker_and_frames(tmp_path: Path) -> None:
    found = read_utterances(an4_of(tmp_path / "x.tar.gz"))
    (one,) = found["test"]
    assert (one.name, one.speaker, one.transcript) == ("a2-fvap-b", "fvap", "YES")
    np.testing.assert_array_equal(one.frames, np.arange(26).reshape(2, 13))


@pytest.mark.parametrize(
    ("train", "frames", "says"),
    [
        ("HELLO\n", mfc(np.ones((2, 13))), r"etc/an4_train.transcription:1: 'HELLO' must be WORDS \(NAME\)$"),
        (
            "A (x-fash-b)\n",
            mfc(np.ones((2, 13))),
            r"transcription:1: there is no an4/feat/an4_clstk/fash/x-fash-b.mfc$",
        ),
        ("", mfc(np.ones((2, 13))), "transcription is empty$"),
        ("A (a1-fash-b)\n", mfc(np.ones((2, 13)))[:-1], "a1-fash-b.mfc: has 107 bytes, and its count of values is 26$"),
        ("A (a1-fash-b)\n", mfc(np.ones((2, 12))), "24 values aren't frames of 13$"),
        ("A (a1-fash-b)\n", mfc(np.full((1, 13), np.nan)), "has a value that isn't finite$"),
    ],
)
def test_faults_of_utterances_are_one_line(train: str, frames: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read_utterances(an4_of(tmp_path / "x.tar.gz", train, frames))
    assert "\n" not in str(caught.value)
