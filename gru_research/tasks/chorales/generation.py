"""Generates notes where a piece has none: harmonises a voice, continues a beginning, composes."""

import dataclasses
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from gru_research.data.chorales import SILENT, VOICES
from gru_research.decoding import Pick, draw, one_by_one
from gru_research.types import Array, Batch, Params, PRNGKey

from .pieces import Alphabet, Piece

FREE = -2
"""In a piece, the pitch of a note to generate; among tokens, the token to generate."""


class Sampling(Protocol):
    """How notes are drawn: the fields of `runs.predict.Sampling` that generation reads."""

    @property
    def length(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def top_p(self) -> float: ...
    @property
    def random_seed(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Generate:
    """Fills in the free notes of pieces, from left to right; continues a piece without any.

    A note is drawn after all notes before it, in the order soprano, alto, tenor, bass. Later notes that are given
    aren't foreseen.
    """

    alphabet: Alphabet

    def __call__(self, model: Any, params: Params, batch: Batch, keys: PRNGKey, sampling: Sampling) -> dict[str, Array]:
        """Returns the pieces of a batch.

        Args:
          batch: `inputs [B, T]`, tokens or `FREE`, and `lengths [B]`.
          keys: `[B]`.
          sampling: `length`, the frames that follow a piece without free notes; `temperature`, 0 for the most probable
            note; `top_k`, `top_p`.

        Returns:
          tokens `[B, N]`; `lengths [B]`, the number of a row's tokens; `given [B]`, the number of tokens of its input.
        """
        steps = jnp.arange(batch["inputs"].shape[1])
        inside_BT = steps < batch["lengths"][:, None]
        free_B = (inside_BT & (batch["inputs"] == FREE)).any(1)
        more = len(VOICES) * sampling.length
        given_BN = jnp.pad(jnp.where(inside_BT, batch["inputs"], FREE), ((0, 0), (0, more)), constant_values=FREE)
        tokens = fill(model, params, given_BN, self.alphabet, picked(keys, sampling))
        return {
            "tokens": tokens,
            "lengths": batch["lengths"] + jnp.where(free_B, 0, more),
            "given": batch["lengths"],
        }


def picked(keys: PRNGKey, sampling: Sampling) -> Pick:
    """Returns how the tokens of rows with their own `keys [B]` are chosen."""
    if sampling.temperature == 0:
        return lambda logs_BV, t: jnp.argmax(logs_BV, -1)
    return draw(keys, temperature=sampling.temperature, top_k=sampling.top_k, top_p=sampling.top_p)


def fill(model: Any, params: Params, given: Array, alphabet: Alphabet, pick: Pick) -> Array:
    """Returns the tokens of whole pieces: `given [B, N]`, where `pick` chooses a token for each `FREE`."""

    def pick_free(logs_BV: Array, t: Array) -> Array:
        here_B = given[:, t]
        return jnp.where(here_B == FREE, pick(logs_BV, t), here_B)

    begin = jnp.full((given.shape[0], 1), alphabet.begin, jnp.int32)
    answers = one_by_one(model, params, {"inputs": begin}, pick_free, end=None, longest=given.shape[1])
    return answers.tokens


def encode_free(piece: Piece, alphabet: Alphabet) -> np.ndarray:
    """Converts pitches `[T, 4]`, some of them `FREE`, to tokens int32 `[4 T]`.

    Raises:
      ValueError: a pitch is outside the alphabet.
    """
    free = np.asarray(piece) == FREE
    tokens = alphabet.tokens(np.where(free, SILENT, piece)).astype(np.int32)
    return np.where(free.reshape(-1), np.int32(FREE), tokens)
