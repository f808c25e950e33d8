"""From sound to a model's inputs, and from outputs to a transcript with the times of its words."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data.fsdd import RATE
from gru_research.data.own_files import Sound, resample
from gru_research.decoding.ctc import BLANK
from gru_research.types import Batch, Params, PRNGKey

from .features import HOP, Front, log_mels, with_differences
from .metrics import Beam
from .utterances import Units


@dataclasses.dataclass(frozen=True)
class Encode:
    """An utterance as the model sees it.

    Attributes:
      front: how frames become inputs.
      cepstra: the number of cepstra of a frame, where the model reads these; 0: it reads sound.
    """

    front: Front
    cepstra: int = 0

    def frames(self, content: np.ndarray) -> np.ndarray:
        """Returns the frames `[T, F]` of sound `[N]` at 8 kHz, or of cepstra `[T, 13]`."""
        return with_differences(content) if self.cepstra else log_mels(content)

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns `inputs [T, I]` and `lengths`, T.

        Args:
          raw: a `Sound`, samples `[N]` from -1 to 1 at 8 kHz, or cepstra `[T, 13]`.

        Raises:
          TypeError: other than numbers.
          ValueError: another shape, a number that isn't finite, silence, or too little for one input.
        """
        content = resample(raw, RATE) if isinstance(raw, Sound) else np.asarray(raw)
        if content.dtype.kind not in "biuf":
            raise TypeError("an utterance must be a WAV file, or an array of numbers")
        if self.cepstra and (content.ndim != 2 or content.shape[1] != self.cepstra):
            raise ValueError(f"an array of shape {list(content.shape)} must be cepstra [T, {self.cepstra}]")
        if not self.cepstra and content.ndim != 1:
            raise ValueError(f"an array of shape {list(content.shape)} must be samples [N] at {RATE} Hz")
        if not np.isfinite(content).all():
            raise ValueError("a sample isn't finite")
        if content.size and not np.ptp(content):
            raise ValueError("the sound is silent")
        frames = self.frames(content.astype(np.float32))
        if len(frames) < self.front.stack:
            what = "frames" if self.cepstra else "samples"
            raise ValueError(f"{len(content):,} {what} are too short")
        found = self.front.inputs(frames)
        return {"inputs": found, "lengths": np.array(len(found), np.int32)}


@dataclasses.dataclass(frozen=True)
class Transcribe:
    """Transcribes utterances by beam search and greedily."""

    beam: Beam

    def __call__(self, model: Any, params: Params, batch: Batch, keys: PRNGKey, sampling: Any) -> dict[str, Any]:
        """Returns by name `tokens [B, U]` and `count [B]` of beam search; and the `path [B, T]` with its
        `probability [B, T]` and `lengths [B]`."""
        del keys, sampling  # nothing is drawn
        logits = model.apply(params, batch)
        found = self.beam(logits, batch["lengths"])
        shares = jax.nn.softmax(logits.astype(jnp.float32))
        return {
            "tokens": found.tokens,
            "count": found.lengths,
            "path": shares.argmax(-1),
            "probability": shares.max(-1),
            "lengths": batch["lengths"],
        }


@dataclasses.dataclass(frozen=True)
class Decode:
    """A transcript, with when its words were said, from a row of `Transcribe`.

    Attributes:
      step: the seconds between two inputs.
    """

    units: Units
    step: float

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns `transcript`, of beam search; `greedy`, of the most probable path; and its words, each with `start`
        and `end` in seconds and the least `probability` of its labels."""
        count, length = int(output["count"]), int(output["lengths"])
        path = np.asarray(output["path"])[:length].tolist()
        shares = np.asarray(output["probability"])[:length].tolist()
        words = spoken_words(self.units, path)
        return {
            "transcript": self.units.text(np.asarray(output["tokens"])[:count].tolist()),
            "greedy": " ".join(word for word, _ in words),
            "words": [
                {
                    "word": word,
                    "start": round(places[0] * self.step, 3),
                    "end": round((places[-1] + 1) * self.step, 3),
                    "probability": round(min(shares[place] for place in places), 4),
                }
                for word, places in words
            ],
        }


def seconds(stack: int) -> float:
    """Returns the seconds between two inputs of `stack` frames."""
    return stack * HOP / RATE


def spoken_words(units: Units, path: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Returns the words of a path, each with the steps that have one of its labels."""
    found: list[tuple[str, list[int]]] = []
    begins, before = True, BLANK
    for step, label in enumerate(path):
        name = units.names[label - 1] if label != BLANK else ""
        if name == " " and not units.words:
            begins = True
        elif name and (label != before or begins):
            if begins or units.words:
                found.append((name, [step]))
            else:
                found[-1] = found[-1][0] + name, [*found[-1][1], step]
            begins = False
        elif name:
            found[-1][1].append(step)
        before = label
    return found
