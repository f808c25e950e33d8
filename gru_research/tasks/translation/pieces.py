"""Pieces of words: byte pair encoding, learned on the training texts of both languages by sentencepiece."""

import base64
import functools
import io
from collections.abc import Sequence
from typing import Any

from gru_research.config import UserError

UNKNOWN, BEGIN, END = range(3)
"""The first three pieces, in sentencepiece's order."""
BYTES = 256
"""The number of pieces that are bytes, for characters that training lacks."""


def _sentencepiece() -> Any:
    try:
        import sentencepiece  # in the extra "applications"
    except ImportError as e:
        raise UserError("translation needs sentencepiece: pip install 'gru_research[applications]'") from e
    return sentencepiece


def learn_pieces(texts: Sequence[str], size: int) -> str:
    """Returns a model of at most `size` pieces (Sennrich, Haddow and Birch 2016, arXiv 1508.07909) as base64.

    Texts keep their case and their characters. A character that is in no text is read as its UTF-8 bytes, so every text
    can be written in pieces.
    """
    written = io.BytesIO()
    _sentencepiece().SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=written,
        vocab_size=size,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        character_coverage=1.0,
        hard_vocab_limit=False,  # few texts have fewer pieces
        max_sentence_length=2**20,
        num_threads=1,  # several may learn in another order
        minloglevel=2,
    )
    return base64.b64encode(written.getvalue()).decode()


@functools.lru_cache(maxsize=4)
def _processor(model: str) -> Any:
    return _sentencepiece().SentencePieceProcessor(model_proto=base64.b64decode(model))


class Pieces:
    """Texts to numbers of pieces and back.

    Attributes:
      model: what `learn_pieces` returns.
    """

    def __init__(self, model: str) -> None:
        self.model = model

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The pieces in the order of their numbers. "▁" marks the beginning of a word."""
        own = _processor(self.model)
        return tuple(own.id_to_piece(n) for n in range(own.vocab_size()))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the numbers of each text's pieces."""
        found: list[list[int]] = _processor(self.model).encode(list(texts))
        return found

    def decode(self, numbers: Sequence[Sequence[int]]) -> list[str]:
        """Returns the text of each row of pieces, without `BEGIN` and from `END` on."""
        rows = [list(row[: row.index(END)] if END in row else row) for row in map(list, numbers)]
        found: list[str] = _processor(self.model).decode(rows)
        return found
