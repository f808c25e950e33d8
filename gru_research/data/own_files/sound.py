"""Reads sound from WAV files: 8, 16, 24 or 32 bit, or floats, with any sample rate and number of channels."""

import io
import struct
import warnings
from math import gcd
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io.wavfile

from gru_research.config import FileError

WAV = ".wav"
LOWEST_RATE, HIGHEST_RATE = 4000, 384_000
"""The sample rates that are read."""


class Sound(NamedTuple):
    """A sound with one channel.

    Attributes:
      rate: samples a second.
      samples: float32 `[N]` from -1 to 1.
    """

    rate: int
    samples: np.ndarray


def read_wav(path: Path, place: str = "") -> Sound:
    """Returns the sound of a WAV file; several channels are mixed to one.

    Args:
      place: where the file is named, for messages; "" is the path.

    Raises:
      FileError: a missing file, or as `parse_wav`.
    """
    place = place or str(path)
    try:
        content = path.read_bytes()
    except OSError as e:
        raise FileError(f"{place}: can't read {path} ({e.strerror or e})") from e
    return parse_wav(content, place if place == str(path) else f"{place}: {path}")


def parse_wav(content: bytes, place: str) -> Sound:
    """Returns the sound in the content of a WAV file; several channels are mixed to one.

    Args:
      place: the file, for messages.

    Raises:
      FileError: other than a WAV file of numbers; a file that is cut off; a sample that isn't finite; a rate that isn't
        between `LOWEST_RATE` and `HIGHEST_RATE`; no samples; or silence.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise FileError(f"{place}: isn't a WAV file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.io.wavfile.WavFileWarning)
            warnings.filterwarnings("ignore", "Chunk .non-data. not understood", scipy.io.wavfile.WavFileWarning)
            rate, values = scipy.io.wavfile.read(io.BytesIO(content))
    except (ValueError, struct.error, scipy.io.wavfile.WavFileWarning, EOFError, ZeroDivisionError, TypeError) as e:
        raise FileError(f"{place}: can't be read as a WAV file ({' '.join(str(e).split())[:100]})") from e
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise FileError(f"{place}: a sample rate of {rate} must be from {LOWEST_RATE} to {HIGHEST_RATE}")
    if not len(values):
        raise FileError(f"{place}: has no samples")
    samples = to_floats(values)
    if samples.ndim == 2:
        samples = samples.mean(1)
    if not np.isfinite(samples).all():
        raise FileError(f"{place}: has samples that aren't finite")
    if not np.ptp(samples):
        raise FileError(f"{place}: is silent: all {len(samples):,} samples are equal")
    return Sound(int(rate), samples.astype(np.float32))


def to_floats(values: np.ndarray) -> np.ndarray:
    """Returns samples as float64 from -1 to 1; whole numbers have the range of their type, and uint8 is centred."""
    if values.dtype == np.uint8:
        return (values - 128.0) / 128
    if values.dtype.kind == "i":
        return values / -float(np.iinfo(values.dtype).min)
    return values.astype(np.float64)


def resample(sound: Sound, rate: int) -> np.ndarray:
    """Returns the samples float32 `[N * rate / sound.rate]` of a sound at another rate."""
    if sound.rate == rate:
        return sound.samples
    common = gcd(sound.rate, rate)
    from scipy.signal import resample_poly  # imports scipy.stats, which takes a second

    return resample_poly(sound.samples, rate // common, sound.rate // common).astype(np.float32)
