"""What every way of decoding returns."""

from typing import NamedTuple

from gru_research.types import Array


class Answers(NamedTuple):
    """One generated answer for each row of a batch.

    Attributes:
      tokens: int32 `[B, N]`, N the most tokens that an answer may have. Behind an end token all tokens are end tokens.
      lengths: int32 `[B]`, the number of an answer's tokens, its end token included; N where it never ended.
      scores: float32 `[B]`, the logarithm of an answer's probability under the model: the sum over its tokens. It is
        the model's own, at temperature 1, also where a decoder chose among fewer tokens.
    """

    tokens: Array
    lengths: Array
    scores: Array
