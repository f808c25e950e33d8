"""Transcribes sound as it comes, block by block, with a model that reads forward only."""

from typing import Any

import jax
import numpy as np

from gru_research.decoding.ctc import BLANK
from gru_research.types import Params

from .answers import Encode
from .features import HOP, WINDOW, Running, log_mels, stacked
from .utterances import Units


class Stream:
    """A stream of one speaker's sound, and the transcript so far.

    It gives the transcript of the most probable path, the same as of the whole sound at once.

    Args:
      model: a sequence model of one direction.
      params: its parameters.
      encode: the task's, with normalise="running".
      units: the task's.

    Raises:
      ValueError: the model reads backward too, or inputs aren't sound with running statistics.
    """

    def __init__(self, model: Any, params: Params, encode: Encode, units: Units) -> None:
        if encode.cepstra or not encode.front.running:
            raise ValueError("a stream needs sound, and a run with config.task.normalise='running'")
        self._units, self._params, self._encode = units, params, encode
        self._running = Running(encode.front.mean, encode.front.std)
        self._step = jax.jit(model.step)
        self._state = model.begin(params, 1)
        self._samples = np.zeros(0, np.float32)
        self._frames = np.zeros((0, len(encode.front.mean)), np.float32)
        self._last = BLANK
        self._labels: list[int] = []

    @property
    def transcript(self) -> str:
        """The transcript so far."""
        return self._units.text(self._labels)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Reads the next samples `[N]` at 8 kHz, and returns the logits `[T, C]` of the inputs that they complete."""
        waiting = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        frames = log_mels(waiting)
        self._samples = waiting[HOP * len(frames) :] if len(waiting) >= WINDOW else waiting
        self._frames = np.concatenate([self._frames, self._running(frames).astype(np.float32)])
        inputs = stacked(self._frames, self._encode.front.stack)
        self._frames = self._frames[len(inputs) * self._encode.front.stack :]
        found = [np.zeros((0, self._units.size), np.float32)]
        for x in inputs:
            self._state, logits = self._step(self._params, self._state, x[None])
            found.append(np.asarray(logits))
            self._read(int(found[-1].argmax()))
        return np.concatenate(found)

    def _read(self, label: int) -> None:
        if label not in (BLANK, self._last):
            self._labels.append(label)
        self._last = label
