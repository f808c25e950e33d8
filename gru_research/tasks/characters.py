"""A language model of characters on tiny Shakespeare, the text of Karpathy's char-rnn."""

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import UserError
from gru_research.metrics import mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch

from .base import Splits, Stored, Task, alike, cross_entropy

CHARACTERS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The vocabulary: all that occur in the text; a character's token is its position here."""
_TOKENS = np.full(256, -1, np.int32)
_TOKENS[np.frombuffer(CHARACTERS.encode(), np.uint8)] = np.arange(len(CHARACTERS))


def characters(length: int = 128, threshold: float = 2.55) -> Task:
    """Which character comes next?

    The first 90 % of the text are the training set, the next 5 % validation, the last 5 % test. Each is cut into
    segments of `length` characters, one behind the other; the rest of less than a segment is left out. At every
    character the model says which one follows; every segment starts from the initial state. The metric is the mean
    over all characters of bits a character (the loss, in nats, divided by ln 2).

    The baseline gives every character its frequency in the training set. The default of `threshold` is what
    counting reaches: 5-grams with Witten-Bell's smoothing have 2.55 bits on the test set, the least of all orders.
    """
    if length < 1:
        raise ValueError(f"length={length!r} must be at least 1")
    if threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")

    def split(stored: Splits) -> Splits:
        return {name: {"text": segments(arrays["text"], length)} for name, arrays in stored.items()}

    return Task(
        name="characters",
        data=Stored("tiny_shakespeare", split, _prepare),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length,), jnp.int32)}, len(CHARACTERS), "every", len(CHARACTERS)),
        loss=next_character,
        metrics={"bits_per_character": mean(bits_per_character, "min")},
        metric="bits_per_character",
        threshold=threshold,
        trivial={"frequency of each character": 4.8503},
        length=length,
        scaling="The baseline is the same at every length; fewer characters of a longer segment lack what came before.",
    )


def segments(text: np.ndarray, length: int) -> np.ndarray:
    """`text [N]` as segments `[M, length + 1]`: each ends with the character that the next one starts with.

    Raises:
      UserError: a text too short for one segment, or with a character outside the vocabulary.
    """
    if len(text) < 2:
        raise UserError(f"a split has {len(text)} characters and must have at least 2")
    count = (len(text) - 1) // length
    if count < 1:
        raise UserError(f"length={length!r} must be at most {len(text) - 1}: a split has {len(text)} characters")
    unknown = np.flatnonzero(_TOKENS[text] < 0)
    if len(unknown):
        raise UserError(f"the text holds {chr(text[unknown[0]])!r}, which isn't among the characters {CHARACTERS!r}")
    return text[np.arange(count)[:, None] * length + np.arange(length + 1)]


def _prepare(batch: Batch) -> Batch:
    """`text [B, T + 1]` ASCII codes to tokens, `inputs` and `targets [B, T]`."""
    tokens = jnp.asarray(_TOKENS)[batch["text"]]
    return {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}


def next_character(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Cross-entropy of each example's mean step, in nats: logits `[B, T, V]`, `targets [B, T]`."""
    return alike(cross_entropy(outputs, batch["targets"]).mean(-1))


def bits_per_character(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """`next_character` in bits."""
    loss_B, weight_B = next_character(outputs, batch)
    return loss_B / np.log(2), weight_B
