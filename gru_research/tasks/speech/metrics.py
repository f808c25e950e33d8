"""The CTC loss, and error rates of transcripts pooled over a set."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from gru_research.config import UserError
from gru_research.decoding.ctc import Labels, greedy_path, prefix_beam_search
from gru_research.masks import length_mask
from gru_research.metrics import Collected, Metric
from gru_research.types import Array, Arrays, Batch

from .utterances import Units


@dataclasses.dataclass(frozen=True)
class Beam:
    """The options of the prefix beam search; `bigram [C, C]` as rows of logarithms."""

    bigram: tuple[tuple[float, ...], ...]
    beams: int
    weight: float
    longest: int

    def __call__(self, logits: Array, lengths: Array) -> Labels:
        return prefix_beam_search(
            logits, lengths, jnp.asarray(self.bigram), beams=self.beams, weight=self.weight, longest=self.longest
        )


def ctc_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each transcript's negative log-likelihood in nats over its number of labels `[B]`, weighted by this
    number, from logits `[B, T, C]`. In float32 it can be slightly below 0."""
    steps, most = outputs.shape[1], batch["targets"].shape[1]
    padded = 1.0 - length_mask(batch["lengths"], steps)
    labels_padded = 1.0 - length_mask(batch["target_lengths"], most)
    values = optax.ctc_loss(outputs.astype(jnp.float32), padded, batch["targets"], labels_padded)
    counts = batch["target_lengths"].astype(jnp.float32)
    return values / jnp.maximum(counts, 1), counts


def bigram(transcripts: Sequence[Sequence[int]], classes: int) -> tuple[tuple[float, ...], ...]:
    """Returns the logarithms `[C, C]` of how much more probable than one of C a label (column) is after another one
    (row) in transcripts, with 1 added to each count. Row 0 is for the first label, column 0 for the end.

    Compared with 1 / C, because the plain probability would favour transcripts with fewer labels.
    """
    counts = np.ones((classes, classes))
    for labels in transcripts:
        np.add.at(counts, ([0, *labels], [*labels, 0]), 1)
    logs = np.log(classes * counts / counts.sum(1, keepdims=True))
    return tuple(tuple(row) for row in logs.round(6).tolist())


SUFFIX = "_beam"
"""Of the metrics of transcripts that beam search with the language model found."""


def metrics_of(units: Units, beam: Beam, groups: Mapping[str, tuple[int, int]], kind: str) -> dict[str, Metric]:
    """Returns the error rates by name, in per cent, with `kind` for words, "der" or "wer".

    - "der", for digits, or "wer": the word errors over the words of the set
    - "cer": the same of characters, blanks included, where labels are characters
    - "der_beam" and so on: of beam search; the others are greedy
    - "der_NAME": of transcripts whose number of words is in the range of a group
    """
    kinds = (kind,) if units.words else (kind, "cer")
    found: dict[str, Metric] = {}
    for suffix, decode in (("", greedy_path), (SUFFIX, beam)):
        for name in kinds:
            found[name + suffix] = Collected(
                functools.partial(_texts, decode), functools.partial(_score, units, name), "min", signature=signature()
            )
    for name, (low, high) in groups.items():
        found[f"{kind}_{name}"] = Collected(
            functools.partial(_texts, greedy_path), functools.partial(_score, units, kind, low=low, high=high), "min"
        )
    return found


def _jiwer() -> Any:
    try:
        import jiwer  # in the extra "applications"
    except ImportError as e:
        raise UserError("speech needs jiwer: pip install 'gru_research[applications]'") from e
    return jiwer


def signature() -> str:
    _jiwer()
    return f"jiwer {metadata.version('jiwer')}, errors and words summed over the set"


def error_rate(kind: str, given: Sequence[str], right: Sequence[str]) -> float:
    """Returns the pooled error rate of transcripts in per cent: "cer" of characters, others of words."""
    score = _jiwer().cer if kind == "cer" else _jiwer().wer
    return 100 * float(score(list(right), list(given)))


def _texts(decode: Callable[[Array, Array], Labels], outputs: Array, batch: Batch) -> Arrays:
    """Returns the labels that were decoded and the right ones, `[B, U]` padded with 0."""
    labels = decode(outputs, batch["lengths"]).tokens
    return {"given": labels.astype(jnp.int16), "right": batch["targets"].astype(jnp.int16)}


def _score(units: Units, kind: str, arrays: Mapping[str, np.ndarray], low: int = 0, high: int = 10**9) -> float:
    given, right = (
        [units.text([label for label in row if label]) for row in arrays[name].tolist()] for name in ("given", "right")
    )
    pairs = [(g, r) for g, r in zip(given, right, strict=True) if low <= len(r.split()) <= high]
    return error_rate(kind, [g for g, _ in pairs], [r for _, r in pairs]) if pairs else float("nan")
