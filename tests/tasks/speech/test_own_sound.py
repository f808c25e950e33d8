"""A user's own sound with transcripts: from a table to a task; every mistake is one line with its place."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile

from gru_research.config import FileError
from gru_research.data import DataDirs
from gru_research.data.own_files import read_wav
from gru_research.tasks.speech import speech
from gru_research.tasks.speech.utterances import Units, read_utterances
from tests.data.test_sound import wav_24
from tests.faults import fault, seen
from tests.tasks.speech.sounds import said, table, write_wav


def test_a_table_becomes_a_task(tmp_path: Path) -> None:
    path = table(tmp_path)
    task = speech(train=str(path), validation_share=0.2)
    sets = task.data.load(DataDirs())
    assert {split: len(arrays["lengths"]) for split, arrays in sets.items()} == {
        "train": 28, "validation": 8, "test": 4,
    }  # fmt: skip
    assert (task.name, task.files, task.metric) == ("speech-list", (path,), "wer")
    assert {"wer", "cer", "wer_beam", "cer_beam"} <= set(task.metrics)
    assert task.learned["units"] == sorted(set("LOW HIGH TOP"))
    again = speech(train=str(path), validation_share=0.2, learned=json.loads(json.dumps(task.learned)))
    for split, arrays in again.data.load(DataDirs()).items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(sets[split][name], array)


def test_labels_may_be_words_and_statistics_running(tmp_path: Path) -> None:
    path = str(table(tmp_path, 20))
    whole, running = (speech(train=path, unit="words", stack=3, normalise=n) for n in ("utterance", "running"))
    assert whole.learned["units"] == ["HIGH", "LOW", "TOP"] and "cer" not in whole.metrics
    assert whole.spec.example["inputs"].shape[1] == 3 * 40
    a, b = (np.asarray(task.data.load(DataDirs())["test"]["inputs"]) for task in (whole, running))
    assert a.shape == b.shape and not np.allclose(a, b)


def test_24_bit_and_44100_hz_stereo_are_read_like_the_original(tmp_path: Path) -> None:
    low, high = said("LOW TOP"), said("LOW TOP", 44_100)
    write_wav(tmp_path / "a.wav", low)
    (tmp_path / "b.wav").write_bytes(wav_24(low))
    scipy.io.wavfile.write(tmp_path / "c.wav", 44_100, np.stack([high, high], 1).astype(np.float32))
    (tmp_path / "list.tsv").write_text("path\ttranscript\n" + "".join(f"{n}.wav\tLOW\n" for n in "abc"))
    a, b, c = (one.content for one in read_utterances(tmp_path / "list.tsv"))
    np.testing.assert_allclose(b, a, rtol=0, atol=2e-5)
    assert len(c) == len(a)
    tone = slice(500, 1100)  # the first word, without its ends
    spectra = [np.abs(np.fft.rfft(sound[tone])) for sound in (a, c)]
    assert spectra[0].argmax() == spectra[1].argmax()


def broken(write: Callable[[Path], object], row: str = "x.wav\tLOW") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        write(folder / "x.wav")
        with open(folder / "list.tsv", "a", encoding="utf-8") as file:
            file.write(row + "\n")

    return make


def fine(path: Path) -> None:
    write_wav(path, said("LOW"))


def silent(path: Path) -> None:
    write_wav(path, np.zeros(4000))


def empty(path: Path) -> None:
    write_wav(path, np.zeros(0))


def text(path: Path) -> None:
    path.write_text("LOW")


def cut_off(path: Path) -> None:
    fine(path)
    path.write_bytes(path.read_bytes()[:-101])


def slow(path: Path) -> None:
    write_wav(path, said("LOW"), 1000)


def nothing(path: Path) -> None:
    assert not path.exists()


def no_column(folder: Path) -> None:
    (folder / "list.tsv").write_text("file\ttranscript\nx.wav\tLOW\n")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(broken(silent), ":22: .*x.wav: is silent: all 4,000 samples are equal",
                     marks=fault("file contents", "sound: a WAV file of silence")),
        pytest.param(broken(empty), ":22: .*x.wav: has no samples",
                     marks=fault("file contents", "sound: a WAV file of length 0")),
        pytest.param(broken(text), ":22: .*x.wav: isn't a WAV file",
                     marks=fault("file contents", "sound: a file that isn't WAV")),
        pytest.param(broken(cut_off), r":22: .*x.wav: can't be read as a WAV file \(",
                     marks=fault("file contents", "sound: a WAV file that is cut off")),
        pytest.param(broken(slow), ":22: .*x.wav: a sample rate of 1000 must be from 4000 to 384000",
                     marks=fault("file contents", "sound: a sample rate that is too low")),
        pytest.param(broken(nothing), r":22: can't read .*x.wav \(No such file or directory\)",
                     marks=fault("file contents", "sound: a missing WAV file")),
        pytest.param(broken(fine, "x.wav\t "), ":22: transcript=' ' is empty",
                     marks=fault("file contents", "sound: an empty transcript")),
        pytest.param(broken(fine, "x.wav\t" + "LOW " * 30), ":22: the transcript 'LOW LOW .* needs 119 steps, and the "
                     "sound has 9", marks=fault("file contents", "sound: a transcript that can't fit")),
        pytest.param(broken(fine, "x.mp3\tLOW"), ":22: path='x.mp3' must end with .wav",
                     marks=fault("file contents", "sound: a file of another kind than WAV")),
        pytest.param(no_column, ":1: lacks the column 'path'; it has file, transcript",
                     marks=fault("file contents", "sound: a table without a column of paths")),
    ],
)  # fmt: skip
def test_faults_of_files_are_one_line(make: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    path = table(tmp_path, 20)
    make(tmp_path)
    with pytest.raises(FileError, match=f"list.tsv{says}") as caught:
        speech(train=str(path))
    assert "\n" not in str(caught.value)
    seen(caught)


@fault("file contents", "sound: a character that training lacks")
def test_a_character_that_training_lacks_is_named(tmp_path: Path) -> None:
    path = table(tmp_path, 20)
    other = table(tmp_path / "other", 4)
    other.write_text(other.read_text().replace("LOW", "LOW?"))
    with pytest.raises(FileError, match=r"other/list.tsv:\d+: the character '\?' of the transcript isn't in training$"):
        speech(train=str(path), validation=str(other))
    with pytest.raises(FileError, match=r"list.tsv:7: the word 'X' of the transcript isn't in training$") as caught:
        Units(("A",), words=True).labels("A X", "list.tsv:7")
    seen(caught)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (np.zeros(4000), "the sound is silent"),
        (np.arange(100.0), "100 samples are too short"),
        (np.full(4000, np.nan), "a sample isn't finite"),
        (np.ones((4000, 2)), r"an array of shape \[4000, 2\] must be samples \[N\] at 8000 Hz"),
    ],
)
def test_what_cannot_be_transcribed_is_one_line(raw: np.ndarray, says: str, tmp_path: Path) -> None:
    task = speech(train=str(table(tmp_path, 20)))
    with pytest.raises(ValueError, match=f"^{says}$"):
        task.encode(raw)
    with pytest.raises(TypeError, match="must be a WAV file, or an array of numbers"):
        task.encode("LOW")


def test_a_sound_is_encoded_like_its_samples(tmp_path: Path) -> None:
    task = speech(train=str(table(tmp_path, 20)))
    sound = read_wav(tmp_path / "wav" / "0.wav")
    a, b = task.encode(sound), task.encode(sound.samples)
    np.testing.assert_array_equal(a["inputs"], b["inputs"])
    assert int(a["lengths"]) == len(a["inputs"])
