"""What a report shows of a trained model: pieces that it composes, a soprano that it harmonises, and statistics."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data.chorales import VOICES
from gru_research.types import Params

from . import statistics
from .generation import FREE, Sampling, encode_free, fill, picked
from .pieces import Alphabet, Piece, Ranges

SHOWN = 128
"""The most frames of a piece that a report shows: eight bars of four quarters."""
HEARD = "distance of pitch classes to what is heard"
"""Models hear training pieces in several keys, so that their pitch classes aren't those of the data."""
COMPOSED = 2
"""How many of the composed pieces a report shows."""


@dataclasses.dataclass(frozen=True)
class Examples:
    """Collects the arrays of a report. Pieces are int8 `[T, 4]`, the pitch of each voice in each frame.

    As many pieces are composed as the test set has, each as long as one of them, so that statistics compare alike.

    Attributes:
      sampling: as in `generation.Generate`.
    """

    alphabet: Alphabet
    ranges: Ranges
    sampling: Sampling
    train: Callable[[], Sequence[Piece]]
    """Returns the training pieces."""
    heard: Callable[[], Sequence[Piece]]
    """Returns the pieces that models hear, transposed ones among them."""

    def __call__(self, model: Any, params: Params, test: Mapping[str, np.ndarray], kept: Any) -> dict[str, np.ndarray]:
        """Returns the pieces to show, and each statistic of the composed pieces and of the test set."""
        del kept
        bach = self._test_pieces(test)
        composed = self._composed(model, params, [len(piece) for piece in bach])
        train, heard = self.train(), statistics.pitch_classes(self.heard())

        def to_heard(pieces: Sequence[Piece]) -> dict[str, float]:
            return {HEARD: statistics.distance(statistics.pitch_classes(pieces), heard)}

        summary = statistics.summary(composed, train, bach, self.ranges) | to_heard(composed)
        found = {f"composed/{name}": value for name, value in summary.items()}
        reference = statistics.summary(bach, train, bach, self.ranges) | statistics.distances(train, bach)
        reference |= to_heard(bach)
        found |= {f"reference/{name}": value for name, value in reference.items()}
        arrays = {name: np.asarray(value, np.float64) for name, value in found.items()}
        for name, of in statistics.HISTOGRAMS.items():
            arrays |= {f"histogram/composed/{name}": of(composed), f"histogram/test/{name}": of(bach)}
        for n, piece in enumerate(composed[:COMPOSED]):
            arrays[f"piece/composed {n + 1}"] = piece[:SHOWN]
        return arrays | self._harmonised(model, params, bach[0][:SHOWN])

    def _test_pieces(self, test: Mapping[str, np.ndarray]) -> list[Piece]:
        rows = zip(test["tokens"], test["length"].tolist(), strict=True)
        return [self.alphabet.pitches(row[1 : 1 + length]) for row, length in rows]

    def _composed(self, model: Any, params: Params, lengths: Sequence[int]) -> list[Piece]:
        free = np.full((len(lengths), len(VOICES) * max(lengths)), FREE, np.int32)
        tokens = self._filled(model, params, free)
        pieces = [self.alphabet.pitches(row) for row in tokens]
        return [piece[:length] for piece, length in zip(pieces, lengths, strict=True)]

    def _harmonised(self, model: Any, params: Params, piece: Piece) -> dict[str, np.ndarray]:
        """Returns the beginning of a test piece, and its soprano with three voices of the model's own."""
        given = piece.astype(np.int16)
        given[:, 1:] = FREE
        tokens = self._filled(model, params, encode_free(given, self.alphabet)[None])
        return {"piece/harmonised": self.alphabet.pitches(tokens[0]), "piece/test": piece}

    def _filled(self, model: Any, params: Params, given: np.ndarray) -> np.ndarray:
        keys = jax.random.split(jax.random.key(self.sampling.random_seed), len(given))

        def program(params: Params, given: jax.Array) -> jax.Array:
            return fill(model, params, given, self.alphabet, picked(keys, self.sampling))

        return np.asarray(jax.jit(program)(params, jnp.asarray(given)))
