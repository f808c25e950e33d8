"""The loss of summaries, and ROUGE of those that are generated."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.masks import length_mask
from gru_research.metrics import Collected, Metric, mean
from gru_research.types import Array, Arrays, Batch

from ..base import over_steps
from .rouge import NAMES, SIGNATURE, mean_rouge
from .words import Vocabulary, join_words


def losses(unknown: int, coverage: float, outputs: Any, batch: Batch) -> tuple[Array, Array]:
    """Returns each summary's negative log-likelihood in nats, plus `coverage` times the coverage loss: the means over
    its tokens, weighted by their number. Words that can be neither generated nor copied don't count."""
    said = batch["targets"] != unknown
    values = jnp.where(said, coverage * outputs.coverage - outputs.logs, 0)
    sums, lengths = over_steps(values, batch["target_lengths"])
    real = length_mask(batch["target_lengths"], said.shape[1])
    counts = (said & real).sum(1).astype(jnp.float32)
    own = 1.0 if "zero_shot" not in batch else ~batch["zero_shot"]
    return sums * lengths / jnp.maximum(counts, 1), counts * own


def metrics_of(vocabulary: Vocabulary, several: bool, zero_shot: str = "") -> dict[str, Metric]:
    """Returns the metrics by name: ROUGE in per cent; with `several` right summaries a document also of the best one;
    and the latter for the documents of the data set `zero_shot`."""
    nats = functools.partial(losses, vocabulary.unknown, 0.0)
    found: dict[str, Metric] = {"nats_per_word": mean(nats, "min")}
    kinds = [("", "", False), *([("", "_best", False)] if several else [])]
    kinds += [(f"{zero_shot}_", "_best", True)] if zero_shot else []
    for before, after, other in kinds:
        for name in NAMES:
            found[before + name + after] = Collected(
                functools.partial(texts, vocabulary, bool(after), other),
                functools.partial(score, vocabulary, name),
                "max",
                of="answers",
                signature=SIGNATURE + (", the best one of several references" if after else ""),
            )
    return found


def texts(vocabulary: Vocabulary, others: bool, zero_shot: bool, answers: Any, batch: Batch) -> Arrays:
    """Returns what ROUGE reads of each example, as arrays that are small: `tokens [B, N]`; `names [B, N, W]`, the bytes
    of the tokens that are slots; `references [B, R, S]`, the bytes of right summaries; and `counted [B]`, whether the
    example is of the data that are meant."""
    words = len(vocabulary.words)
    slots = jnp.clip(answers.tokens - words, 0, batch["names"].shape[1] - 1)
    names = jnp.take_along_axis(batch["names"], slots[..., None], 1)
    references = batch["references"]
    return {
        "tokens": answers.tokens,
        "names": jnp.where((answers.tokens >= words)[..., None], names, 0),
        "references": references if others else references[:, :1],
        "counted": batch["zero_shot"] == zero_shot,
    }


def score(vocabulary: Vocabulary, name: str, arrays: Mapping[str, np.ndarray]) -> float:
    """Returns the mean ROUGE of a set's arrays, from `texts`; NaN where no example counts."""
    tokens, names, references = (arrays[part][arrays["counted"]] for part in ("tokens", "names", "references"))
    if not len(tokens):
        return float("nan")
    given = [summary(vocabulary, *row) for row in zip(tokens, names, strict=True)]
    right = [[text for text in map(to_text, row) if text] for row in references]
    return mean_rouge(given, right)[name]


def summary(vocabulary: Vocabulary, tokens: np.ndarray, names: np.ndarray) -> str:
    """Returns a generated summary, from `tokens [N]` and the bytes `names [N, W]` of those that are slots."""
    words = len(vocabulary.words)
    found = []
    for token, name in zip(tokens.tolist(), names, strict=True):
        if token == 0:
            break
        found.append(vocabulary.words[token] if token < words else to_text(name))
    return join_words(found)


def to_text(row: np.ndarray) -> str:
    """Returns the text whose UTF-8 bytes are padded with 0."""
    return row.tobytes().rstrip(b"\0").decode()


def to_bytes(texts: Sequence[str], size: int) -> np.ndarray:
    """Returns the bytes of texts in UTF-8, uint8 `[N, size]`, padded with 0 and cut at the end of a letter."""
    found = np.zeros((len(texts), size), np.uint8)
    for row, text in zip(found, texts, strict=True):
        content = text.replace("\0", " ").encode(errors="replace")[:size].decode(errors="ignore").encode()
        row[: len(content)] = np.frombuffer(content, np.uint8)
    return found
