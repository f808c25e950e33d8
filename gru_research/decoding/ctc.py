"""Transcripts from the outputs of connectionist temporal classification (CTC): greedily, and by prefix beam search.

Graves et al. 2006. A path has a label or the blank, 0, at each step. Its transcript merges equal labels in a row and
leaves blanks out. These decoders read a model's outputs at all steps, not `start` and `step`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.masks import length_mask
from gru_research.types import Array

BLANK = 0
_LEAST = -1e30
_FACTOR = 1_000_003


class Labels(NamedTuple):
    """Transcripts: `tokens [B, U]`, padded with 0, and their `lengths [B]`."""

    tokens: Array
    lengths: Array


class _Beams(NamedTuple):
    """Prefixes `tokens [W, U]` with their `lengths`, last labels and hashes `[W]`, and the logarithms of the
    probability that a path ends in the blank, and that it ends in the last label."""

    tokens: Array
    lengths: Array
    last: Array
    hashes: Array
    in_blank: Array
    in_label: Array


def collapse(path: Array, lengths: Array) -> Labels:
    """Returns the transcripts of paths `[B, T]`, of which the first `lengths [B]` steps are real; U is T."""
    steps = path.shape[1]
    before = jnp.pad(path[:, :-1], ((0, 0), (1, 0)), constant_values=BLANK)
    kept = (path != BLANK) & (path != before) & length_mask(lengths, steps)
    order = jnp.argsort(~kept, axis=1, stable=True)
    counts = kept.sum(1)
    tokens = jnp.take_along_axis(path, order, 1)
    return Labels(jnp.where(length_mask(counts, steps), tokens, 0), counts)


def greedy_path(logits: Array, lengths: Array) -> Labels:
    """Returns the transcripts of the most probable paths, from logits `[B, T, C]`."""
    return collapse(logits.argmax(-1).astype(jnp.int32), lengths)


def prefix_beam_search(
    logits: Array, lengths: Array, bigram: Array, *, beams: int = 16, weight: float = 1.0, longest: int = 64
) -> Labels:
    """Returns the transcripts with the largest sum over paths that was found, times a language model's probability.

    Args:
      logits: `[B, T, C]`, of which the first `lengths [B]` steps are real.
      bigram: `[C, C]`, logarithms of the probability of a label (column) after another one (row), or of its ratio to
        a constant. Row 0 is for the first label, column 0 for the end.
      beams: W, the number of prefixes that are kept at each step.
      weight: the power of the language model's probability; 0: none.
      longest: U, the most labels of a transcript.
    """
    logs = jax.nn.log_softmax(logits.astype(jnp.float32))
    language = weight * bigram.astype(jnp.float32)
    return jax.vmap(lambda one, length: _search(one, length, language, beams, longest))(logs, lengths)


def _search(logs: Array, length: Array, language: Array, beams: int, longest: int) -> Labels:
    start = _Beams(
        jnp.zeros((beams, longest), jnp.int32),
        jnp.zeros(beams, jnp.int32),
        jnp.zeros(beams, jnp.int32),
        # Different hashes, so that an unused beam equals no prefix.
        jnp.arange(beams, dtype=jnp.uint32) * jnp.uint32(0x9E3779B9),
        jnp.full(beams, _LEAST).at[0].set(0.0),
        jnp.full(beams, _LEAST),
    )

    def one_step(beam: _Beams, inputs: tuple[Array, Array]) -> tuple[_Beams, None]:
        row, real = inputs
        new = _extended(beam, row, language, longest)
        return jax.tree.map(lambda a, b: jnp.where(real, a, b), new, beam), None

    real = jnp.arange(len(logs)) < length
    beam, _ = lax.scan(one_step, start, (logs, real))
    best = jnp.argmax(jnp.logaddexp(beam.in_blank, beam.in_label) + language[beam.last, 0])
    return Labels(beam.tokens[best], beam.lengths[best])


def _extended(beam: _Beams, row: Array, language: Array, longest: int) -> _Beams:
    """Returns the best prefixes after one more step with log-probabilities `row [C]`."""
    width, classes = len(beam.last), len(row)
    total = jnp.logaddexp(beam.in_blank, beam.in_label)
    labels = jnp.arange(1, classes)
    # A label after itself is a new one only after a blank.
    before = jnp.where(labels[None] == beam.last[:, None], beam.in_blank[:, None], total[:, None])
    longer = before + row[1:] + language[beam.last][:, 1:]
    longer = jnp.where(beam.lengths[:, None] < longest, longer, _LEAST)
    hashes = beam.hashes[:, None] * jnp.uint32(_FACTOR) + labels.astype(jnp.uint32) + jnp.uint32(1)
    # An extended prefix may be one that is kept already: their probabilities add up.
    same = hashes[:, :, None] == beam.hashes
    into = jax.nn.logsumexp(jnp.where(same, longer[:, :, None], _LEAST), axis=(0, 1))
    longer = jnp.where(same.any(-1), _LEAST, longer)
    stays = jnp.where(beam.last > 0, beam.in_label + row[beam.last], _LEAST)
    in_blank = jnp.concatenate([total + row[BLANK], jnp.full(longer.size, _LEAST)])
    in_label = jnp.concatenate([jnp.logaddexp(stays, into), longer.ravel()])
    _, chosen = lax.top_k(jnp.logaddexp(in_blank, in_label), width)
    grown = chosen >= width
    parent = jnp.where(grown, (chosen - width) // (classes - 1), chosen)
    label = (chosen - width) % (classes - 1) + 1
    lengths = beam.lengths[parent]
    added = jax.nn.one_hot(lengths, longest, dtype=jnp.int32) * jnp.where(grown, label, 0)[:, None]
    return _Beams(
        beam.tokens[parent] + added,
        lengths + grown,
        jnp.where(grown, label, beam.last[parent]),
        jnp.where(grown, hashes[parent, label - 1], beam.hashes[parent]),
        jnp.maximum(in_blank[chosen], _LEAST),
        jnp.maximum(in_label[chosen], _LEAST),
    )
