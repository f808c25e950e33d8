"""Character-level language modelling of tiny Shakespeare, the text of Karpathy's char-rnn, or of a user's own text."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gru_research.config import UserError

from .base import Splits, Stored, Task, check_at_least
from .files import files, texts

CHARACTERS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The vocabulary of tiny Shakespeare: all characters of the text. A character's token is its position here."""
_TOKENS = np.full(256, -1, np.int32)
_TOKENS[np.frombuffer(CHARACTERS.encode(), np.uint8)] = np.arange(len(CHARACTERS))
COUNTED = 2.55
"""The test bits per character of 5-grams with Witten-Bell smoothing on tiny Shakespeare, the best n-gram order."""
SHARE = 0.05


def characters(
    length: int = 128,
    threshold: float | None = None,
    train: str = "",
    validation: str = "",
    test: str = "",
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Predict the next character.

    The first 90 % of the text are the training set, the next 5 % validation, the last 5 % test. Each set is cut into
    consecutive segments of `length` characters; an incomplete last segment is dropped. The model predicts the next
    character at every step. Every segment starts from the initial state. The metric is bits per character, the mean
    over all characters of the loss in nats divided by ln 2.

    `train` names a UTF-8 text to use instead of tiny Shakespeare; `validation` and `test` may name other texts. This
    is the task `files` with kind="next_token", which has more options.

    The baseline predicts each character with its training frequency. The default `threshold` on tiny Shakespeare is the
    result of n-grams, 2.55 bits. A user's own text has no default threshold.
    """
    check_at_least(1, length=length)
    if threshold is not None and threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")
    if train or learned:
        own = files(
            train,
            validation,
            test,
            validation_share=SHARE,
            test_share=SHARE,
            kind="next_token",
            unit="characters",
            length=length,
            threshold=threshold,
            learned=learned,
        )
        return dataclasses.replace(own, name=own.name.replace("files", "characters", 1))
    for field, value in {"validation": validation, "test": test}.items():
        if value:
            raise ValueError(f"{field}={value!r} belongs to a text of your own: name it with train")

    def split(stored: Splits) -> Splits:
        return {name: {"text": texts.segments(as_tokens(a["text"]), length)} for name, a in stored.items()}

    facts = texts.Facts("characters", length, tuple(CHARACTERS), {"frequency of each character": 4.8503})
    return texts.make(
        "characters", facts, Stored("tiny_shakespeare", split), threshold=COUNTED if threshold is None else threshold
    )


def as_tokens(text: np.ndarray) -> np.ndarray:
    """Converts ASCII codes `[N]` to tokens. Raises UserError for a character outside the vocabulary."""
    tokens = _TOKENS[text]
    unknown = np.flatnonzero(tokens < 0)
    if len(unknown):
        raise UserError(f"the text holds {chr(text[unknown[0]])!r}, which isn't among the characters {CHARACTERS!r}")
    return tokens.astype(np.uint8)
