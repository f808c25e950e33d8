"""Strings of digits by one speaker, built of single recordings with random gaps, gain and noise."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gru_research.data.fsdd import RATE, SPEAKERS

from .utterances import Utterance

FEWEST, MOST = 3, 7
"""The number of digits in a string."""
GAPS = (0.03, 0.3)
"""Seconds before, between and after digits."""
GAINS = (-12.0, 0.0)
DIGIT_GAINS = (-3.0, 3.0)
"""Decibels of a string, and of each digit in it."""
NOISES = (15.0, 35.0)
"""Decibels of the digits above the white noise."""
_SPEED_STEPS = 20
_LEVEL = 0.1


@dataclasses.dataclass(frozen=True)
class Recordings:
    """The recordings of all speakers: `samples [N, W]`, and their `length`, `digit` and `speaker`, `[N]`."""

    samples: np.ndarray
    length: np.ndarray
    digit: np.ndarray
    speaker: np.ndarray

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "Recordings":
        return cls(*(arrays[name] for name in ("samples", "length", "digit", "speaker")))

    def rows(self, speaker: int) -> np.ndarray:
        """Returns the positions of a speaker's recordings."""
        return np.flatnonzero(self.speaker == speaker)

    def sound(self, row: int) -> np.ndarray:
        """Returns a recording float32 `[N]` with a root mean square of `_LEVEL`."""
        samples = self.samples[row, : self.length[row]].astype(np.float32)
        return samples * (_LEVEL / max(float(np.sqrt(np.mean(np.square(samples)))), 1e-9))


class String(NamedTuple):
    """A string of digits, with the positions of its recordings."""

    utterance: Utterance
    rows: tuple[int, ...]


def strings(recordings: Recordings, speakers: Sequence[int], count: int, speed: float, seed: int) -> list[String]:
    """Returns `count` strings; speakers take turns. Digits are drawn with replacement.

    Args:
      speed: the largest change of a string's speed and pitch, as a share; a string has one of several speeds.
      seed: of all draws.
    """
    draw = np.random.RandomState(seed)
    rows = {speaker: recordings.rows(speaker) for speaker in speakers}
    found = []
    for n in range(count):
        speaker = speakers[n % len(speakers)]
        chosen = draw.choice(rows[speaker], draw.randint(FEWEST, MOST + 1))
        steps = int(speed * _SPEED_STEPS)
        pace = _SPEED_STEPS + (draw.randint(-steps, steps + 1) if steps else 0)
        samples = _joined([recordings.sound(row) for row in chosen], pace, draw)
        transcript = " ".join(str(recordings.digit[row]) for row in chosen)
        found.append(String(Utterance(transcript, samples, SPEAKERS[speaker]), tuple(int(row) for row in chosen)))
    return found


def _joined(digits: Sequence[np.ndarray], pace: int, draw: np.random.RandomState) -> np.ndarray:
    """Returns digits with gaps between them, at a gain and above noise; the speed is `pace` of `_SPEED_STEPS`."""
    from scipy.signal import resample_poly  # imports scipy.stats, which takes a second

    parts = [_silence(draw)]
    for digit in digits:
        if pace != _SPEED_STEPS:
            digit = resample_poly(digit, _SPEED_STEPS, pace).astype(np.float32)
        parts += [digit * _factor(draw.uniform(*DIGIT_GAINS)), _silence(draw)]
    samples = np.concatenate(parts)
    noise = draw.standard_normal(len(samples)).astype(np.float32) * _LEVEL * _factor(-draw.uniform(*NOISES))
    return (samples + noise) * _factor(draw.uniform(*GAINS))


def _silence(draw: np.random.RandomState) -> np.ndarray:
    return np.zeros(int(draw.uniform(*GAPS) * RATE), np.float32)


def _factor(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))
