"""Transcripts without a trained network, computed from the data."""

import collections
from collections.abc import Sequence

import numpy as np

from .features import log_mels
from .metrics import error_rate
from .strings import Recordings, String
from .utterances import Utterance

EMPTY = "the empty transcript"
FREQUENT = "the most frequent transcript"
NEAREST = "the nearest recording, digits cut apart"
_PARTS = 8


def trivial_answers(
    train: Sequence[Utterance], test: Sequence[Utterance], kinds: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Returns the error rates of the empty transcript, and of training's most frequent one; of equally frequent ones
    the first is taken."""
    frequent = collections.Counter(one.transcript for one in train).most_common(1)[0][0]
    right = [one.transcript for one in test]
    return {
        name: {kind: error_rate(kind, [said] * len(right), right) for kind in kinds}
        for name, said in ((EMPTY, ""), (FREQUENT, frequent))
    }


def nearest_recording(recordings: Recordings, speakers: Sequence[int], test: Sequence[String]) -> float:
    """Returns the digit error rate of a listener who knows where each digit of the test strings begins and ends, has
    it without noise, and answers with the digit of the nearest recording of the training `speakers`.

    A recording is the mean log-mel energies of eight equal parts, less their mean over the recording.
    """
    known = np.concatenate([recordings.rows(speaker) for speaker in speakers])
    asked = np.unique([row for one in test for row in one.rows])
    points = np.stack([_point(recordings.sound(row)) for row in known])
    digits = recordings.digit[known]
    answers = {}
    for row in asked.tolist():
        distances = np.square(points - _point(recordings.sound(row))).sum(1)
        answers[row] = str(digits[distances.argmin()])
    given = [" ".join(answers[row] for row in one.rows) for one in test]
    return error_rate("der", given, [one.utterance.transcript for one in test])


def _point(samples: np.ndarray) -> np.ndarray:
    frames = log_mels(samples)
    frames = frames - frames.mean(0)
    return np.concatenate([part.mean(0) for part in np.array_split(frames, _PARTS)])
