"""Language modelling: predicts the next character or word of a text."""

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError, UserError
from gru_research.metrics import Metric, mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch

from ..base import Stored, Task, alike, cross_entropy
from ..input_encoders import Tokens
from ..output_decoders import Words
from .categorical import UNKNOWN, unknown_as, vocabulary
from .sequence_metrics import finished
from .splits import SplitShares
from .tokenization import tokenize

LENGTHS = {"characters": 128, "words": 64}
"""The default numbers of units in a segment."""
METRICS: dict[str, tuple[str, Callable[[], Metric]]] = {
    "characters": ("bits_per_character", lambda: mean(bits, "min")),
    "words": ("perplexity", lambda: finished(next_token, np.exp)),
}
"""The name and the metric for each unit."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts learned from the training text, as plain JSON.

    Attributes:
      unit: "characters" or "words".
      length: the number of units in a segment.
      vocabulary: the units that occur in training.
      trivial: the test metric of the training frequencies.
      rare: whether training contains `UNKNOWN`, i.e. units that occur fewer than `min_count` times.
    """

    unit: str
    length: int
    vocabulary: Sequence[str]
    trivial: Mapping[str, float]
    rare: bool = False


def parts(units: Mapping[str, Sequence[str]], shares: SplitShares, unit: str) -> dict[str, Sequence[str]]:
    """Returns the units of each set from the units of each file. Shares of the training file are contiguous, because
    randomly drawn segments would adjoin training segments, which show how they begin and end."""
    first = units["train"]
    return {split: first[part] for split, part in shares.ends(len(first), unit).items()} | {
        split: given for split, given in units.items() if split != "train"
    }


def learn(sets: Mapping[str, Sequence[str]], unit: str, length: int, min_count: int, place: str) -> Facts:
    """Returns the facts of the training text alone. A length of 0 is the unit's default, or less for a short set.

    The trivial answer predicts each unit with its training frequency, (count + 1) / (units + V), on the test set.
    """
    length = length or max(1, min(LENGTHS[unit], *(len(part) - 1 for part in sets.values())))
    for split, part in sets.items():
        if len(part) <= length:
            raise FileError(f"{place}: {split} has too few {unit} for length={length}: {len(part)}")
    counts = Counter(sets["train"])
    words = vocabulary(counts, min_count)
    numbers = {split: tokens(part, words) for split, part in sets.items()}
    frequency = (np.bincount(numbers["train"], minlength=len(words)) + 1) / (len(numbers["train"]) + len(words))
    nll = -float(np.log(frequency)[segments(numbers["test"], length)[:, 1:]].mean())
    reached = nll / math.log(2) if unit == "characters" else math.exp(nll)
    rare = not set(counts) <= set(words[:-1])
    return Facts(unit, length, words, {f"frequency of each {unit[:-1]}": reached}, rare)


def warnings(sets: Mapping[str, Sequence[str]], facts: Facts, min_count: int) -> list[str]:
    """Returns warnings about units of a set that training lacks."""
    known = set(facts.vocabulary)
    unknown = {split: sum(unit not in known for unit in part) for split, part in sets.items()}
    return [
        f"{split}: {count:,} of {len(sets[split]):,} {facts.unit} {unknown_as(min_count)}"
        for split, count in unknown.items()
        if count
    ]


def tokens(units: Sequence[str], words: Sequence[str]) -> np.ndarray:
    """Converts units to positions `[N]` of the smallest dtype, in a vocabulary whose last word is for unknown units."""
    number = {word: n for n, word in enumerate(words)}
    found = np.fromiter((number.get(unit, len(words) - 1) for unit in units), np.int64, len(units))
    return found.astype(np.min_scalar_type(len(words) - 1))


def segments(text: np.ndarray, length: int) -> np.ndarray:
    """Cuts `text [N]` into segments `[M, length + 1]`. A segment's last token is the first token of the next.

    Raises:
      UserError: the text is too short for one segment.
    """
    if len(text) < 2:
        raise UserError(f"a split has {len(text)} characters and must have at least 2")
    count = (len(text) - 1) // length
    if count < 1:
        raise UserError(f"length={length!r} must be at most {len(text) - 1}: a split has {len(text)} characters")
    return text[np.arange(count)[:, None] * length + np.arange(length + 1)]


def make(name: str, facts: Facts, data: Stored, **fields: Any) -> Task:
    """Returns the task of `facts` and stored segments `text [M, T + 1]`. `fields` are the other fields of Task."""
    words = tuple(facts.vocabulary)
    unknown = len(words) - 1 if UNKNOWN in words else None
    metric, measure = METRICS[facts.unit]
    return Task(
        name=name,
        data=dataclasses.replace(data, prepare=prepare),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((facts.length,), jnp.int32)}, len(words), "every", len(words)),
        loss=next_token,
        metrics={metric: measure()},
        metric=metric,
        trivial=facts.trivial,
        length=facts.length,
        scaling=f"The baseline is the same at every length; fewer {facts.unit} of a longer segment lack what came "
        "before.",
        encode=Tokens(
            len(words),
            words,
            split=functools.partial(tokenize, unit=facts.unit),
            unknown=unknown,
            learned=facts.rare or unknown is None,
        ),
        decode=Words(words, joint="" if facts.unit == "characters" else " "),
        continues=True,
        vocabularies={"inputs": words, "targets": words},
        **fields,
    )


def prepare(batch: Batch) -> Batch:
    """Converts tokens `text [B, T + 1]` to `inputs` and `targets [B, T]`."""
    text = batch["text"].astype(jnp.int32)
    return {"inputs": text[:, :-1], "targets": text[:, 1:]}


def next_token(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's cross-entropy in nats, the mean over steps, from logits `[B, T, V]`, `targets [B, T]`."""
    return alike(cross_entropy(outputs, batch["targets"]).mean(-1))


def bits(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns `next_token` in bits."""
    loss_B, weight_B = next_token(outputs, batch)
    return loss_B / np.log(2), weight_B
