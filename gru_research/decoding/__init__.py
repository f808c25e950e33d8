"""Decodes answers from a generating model: greedily, by sampling, or by beam search.

A new way of picking tokens is one file and one line in `DECODERS`: a function whose first arguments are `model, params,
batch`, and which has `end` and `longest`. One that follows a single answer in each row gives a `Pick` to `one_by_one`.
"""

from .answers import Answers
from .autoregressive import Pick, one_by_one
from .beam import beam_search
from .greedy import greedy
from .sample import draw, sample

DECODERS = {"greedy": greedy, "sample": sample, "beam_search": beam_search}
"""Ways of decoding by name."""

__all__ = ["DECODERS", "Answers", "Pick", "beam_search", "draw", "greedy", "one_by_one", "sample"]
