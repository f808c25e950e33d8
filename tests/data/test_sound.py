"""WAV files of every width, rate and number of channels give the same sound."""

import io
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile

from gru_research.config import FileError
from gru_research.data.own_files import Sound, parse_wav, read_wav, resample

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


def wav_24(values: np.ndarray) -> bytes:
    """A WAV file with 24 bits a sample, by hand, from numbers `[N]` from -1 to 1."""
    whole = np.round(values * 2**23).astype("<i4")
    data = whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    form = b"fmt " + np.array([16], "<u4").tobytes() + np.array([1, 1], "<u2").tobytes()
    form += np.array([RATE, 3 * RATE], "<u4").tobytes() + np.array([3, 24], "<u2").tobytes()
    body = b"WAVE" + form + b"data" + np.array([len(data)], "<u4").tobytes() + data
    return b"RIFF" + np.array([len(body)], "<u4").tobytes() + body


def wav_of(values: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    scipy.io.wavfile.write(file, rate, values)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "step"),
    [
        (wav_of(np.round(TONE * 128 + 128).astype(np.uint8)), 2**-7),
        (wav_of(np.round(TONE * 2**15).astype(np.int16)), 2**-15),
        (wav_24(TONE), 2**-23),
        (wav_of(np.round(TONE * 2**31).astype(np.int32)), 2**-23),
        (wav_of(TONE.astype(np.float32)), 2**-23),
        (wav_of(TONE), 2**-23),
    ],
    ids=["8", "16", "24", "32", "float32", "float64"],
)
def test_every_width_gives_the_same_samples(content: bytes, step: float) -> None:
    sound = parse_wav(content, "x.wav")
    assert (sound.rate, sound.samples.dtype) == (RATE, np.float32)
    np.testing.assert_allclose(sound.samples, TONE, rtol=0, atol=step)


def test_44100_hz_stereo_becomes_8000_hz_mono() -> None:
    times = np.arange(44_100) / 44_100
    left, right = np.sin(2 * np.pi * 440 * times), np.sin(2 * np.pi * 12_000 * times)  # the right one is above 4 kHz
    sound = parse_wav(wav_of(np.stack([left, right], 1).astype(np.float32), 44_100), "x.wav")
    found = resample(sound, RATE)
    assert len(found) == RATE
    np.testing.assert_allclose(found[200:-200], TONE[200:-200], rtol=0, atol=2e-3)


def test_a_sound_at_its_own_rate_is_left_alone() -> None:
    sound = Sound(RATE, TONE.astype(np.float32))
    assert resample(sound, RATE) is sound.samples


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no sound at all", "isn't a WAV file"),
        (wav_of(np.zeros(800, np.int16)), "is silent: all 800 samples are equal"),
        (wav_of(np.zeros(0, np.int16)), "has no samples"),
        (wav_of(TONE.astype(np.float32))[:-4000], "can't be read as a WAV file"),
        (wav_of(TONE.astype(np.float32))[:30], "can't be read as a WAV file"),
        (wav_of(np.array([0, np.nan], np.float32)), "has samples that aren't finite"),
        (wav_of(TONE, 100), "a sample rate of 100 must be from 4000 to 384000"),
    ],
)
def test_faults_are_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(FileError, match=f"x.wav: {says}") as caught:
        read_wav(tmp_path / "x.wav")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^list.tsv:3: can't read .*x.wav \(No such file or directory\)$"):
        read_wav(tmp_path / "x.wav", "list.tsv:3")
