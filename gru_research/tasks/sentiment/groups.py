"""Groups of texts that are scored apart: without and with a negation, and by length."""

import dataclasses
import itertools
from collections.abc import Sequence

import jax.numpy as jnp

from gru_research.masks import length_mask
from gru_research.types import Array, Batch

from .words import NEGATIONS

LENGTHS = (10, 15, 20, 25, 30)
"""The upper bounds in words of the groups by length; the last group has longer texts."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Texts of `low` to `high` words (None: any number above), with a negation or without one (None: either).

    `label` names the group in a figure, and `name` in metrics.
    """

    name: str
    label: str
    negated: bool | None = None
    low: int = 1
    high: int | None = None

    def has(self, words: Sequence[str]) -> bool:
        """Returns whether a text is in the group."""
        if self.negated is not None and self.negated == set(NEGATIONS).isdisjoint(words):
            return False
        return self.low <= len(words) and (self.high is None or len(words) <= self.high)

    def of_batch(self, batch: Batch, negations: Sequence[int]) -> Array:
        """Returns booleans `[B]` from tokens `inputs [B, T]` and `lengths [B]`; `negations` are the tokens of
        `NEGATIONS`."""
        tokens, lengths = batch["inputs"], batch["lengths"]
        inside = lengths >= self.low
        if self.high is not None:
            inside &= lengths <= self.high
        if self.negated is None:
            return inside
        real = length_mask(lengths, tokens.shape[-1])
        negated = (jnp.isin(tokens, jnp.asarray(negations, tokens.dtype)) & real).any(-1)
        return inside & (negated == self.negated)


NEGATION = (Group("no_negation", "without", negated=False), Group("negation", "with", negated=True))
BY_LENGTH = (
    *(
        Group(f"words_{low + 1}_to_{high}", f"{low + 1}-{high}", low=low + 1, high=high)
        for low, high in itertools.pairwise((0, *LENGTHS))
    ),
    Group(f"words_above_{LENGTHS[-1]}", f">{LENGTHS[-1]}", low=LENGTHS[-1] + 1),
)
GROUPS = (*NEGATION, *BY_LENGTH)
