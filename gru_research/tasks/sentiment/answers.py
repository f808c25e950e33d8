"""Converts a text to tokens, and a model's outputs to an answer that a person reads."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from ..input_encoders import Tokens
from ..output_decoders import MOST_CLASSES, Classes, plain
from .facts import Facts
from .words import split_words


@dataclasses.dataclass(frozen=True)
class Encode:
    """A text as the model sees it: tokens `inputs [T]` and their number `lengths []`. Words that training lacks are
    `UNKNOWN`; words after the first `max_words` (0: none) are left out."""

    words: tuple[str, ...]
    max_words: int

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Converts a text. Raises TypeError for anything else, and ValueError for a text without words."""
        if not isinstance(raw, str):
            raise TypeError(f"{str(raw)[:40]!r} must be a text")
        return self._form(raw)

    def split(self, text: str) -> list[str]:
        """Returns the words that are read of a text."""
        return split_words(text, self._known)[: self.max_words or None]

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.words)

    @functools.cached_property
    def _form(self) -> Tokens:
        return Tokens(len(self.words), self.words, None, ("lengths",), self.split, len(self.words) - 1)


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels with a probability of at least `threshold`, from logits `[C]` of labels of which a text may have
    several."""

    names: tuple[str, ...]
    threshold: float

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns `labels`, and the `probabilities` of the ten most probable ones by name, in descending order."""
        shares = expit(np.asarray(output, np.float64))
        if not np.isfinite(shares).all():
            return {"labels": [], "probabilities": {}}
        order = np.argsort(-shares, kind="stable")
        return {
            "labels": [self.names[number] for number in order if shares[number] >= self.threshold],
            "probabilities": {self.names[number]: plain(shares[number]) for number in order[:MOST_CLASSES]},
        }

    def mean(self, outputs: Any) -> np.ndarray:
        """Returns the logits of the mean probabilities of all seeds, `[S, C]`."""
        share = np.mean([expit(np.asarray(output, np.float64)) for output in outputs], axis=0)
        with np.errstate(divide="ignore"):
            return np.log(share) - np.log1p(-share)


@dataclasses.dataclass(frozen=True)
class Explained:
    """The answer of `label`, with the words of the text and what each of them does to it, from a row of
    `explanation.explain`, or from logits alone."""

    label: Classes | Labels
    words: tuple[str, ...]

    def __call__(self, output: Any) -> dict[str, Any]:
        """Returns the answer, `words` as the model reads them, and `effects`: by how much each of them raises the
        log-odds of the likeliest label. Logits alone give the answer."""
        if not isinstance(output, dict):
            return self.label(output)
        count = int(output["lengths"])
        return self.label(output["outputs"]) | {
            "words": [self.words[token] for token in np.asarray(output["inputs"])[:count].tolist()],
            "effects": plain(np.asarray(output["effects"])[:count]),
        }

    def mean(self, outputs: Any) -> Any:
        """Returns the answer of the mean probabilities, with the mean effects, of all seeds."""
        if not isinstance(outputs, dict):
            return self.label.mean(outputs)
        first = {name: np.asarray(outputs[name])[0] for name in ("inputs", "lengths")}
        return first | {"outputs": self.label.mean(outputs["outputs"]), "effects": np.mean(outputs["effects"], axis=0)}


def decoder(facts: Facts) -> Explained:
    """Returns the decoder of answers."""
    names: Sequence[str] = facts.labels
    label = Labels(tuple(names), facts.label_threshold) if facts.several else Classes(tuple(names))
    return Explained(label, tuple(facts.words))
