"""The negative log-likelihood of notes: over all, by voice, and by the place in the beat."""

import functools
from collections.abc import Mapping

import jax.numpy as jnp

from gru_research.data.chorales import VOICES
from gru_research.metrics import Metric, mean
from gru_research.types import Array, Batch

from ..base import correct, cross_entropy

BEAT = 4
"""Frames in a beat: a frame is a sixteenth."""
BY_VOICE: Mapping[str, str] = {voice: f"nll_{voice}" for voice in VOICES}
BY_PLACE: Mapping[str, str] = {str(place + 1): f"nll_sixteenth_{place + 1}" for place in range(BEAT)}


def counted(batch: Batch) -> Array:
    """Returns `[B, T]`, True at the tokens that a row predicts: neither its context nor its padding."""
    steps = jnp.arange(batch["targets"].shape[1])
    return (steps >= batch["context"][:, None]) & (steps < batch["lengths"][:, None])


def note_nll(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each row's mean negative log-likelihood of a note in nats, weighted by its number of notes.

    `outputs [B, T, V]` are logits; the batch has `targets [B, T]`, `lengths [B]` and `context [B]`.
    """
    return _over(cross_entropy(outputs, batch["targets"]), counted(batch))


def frame_nll(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each row's mean negative log-likelihood of a frame, the sum over its notes."""
    values_B, notes_B = note_nll(outputs, batch)
    return values_B * len(VOICES), notes_B / len(VOICES)


def note_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns the share of each row's notes that have the largest logit."""
    return _over(correct(outputs, batch["targets"]), counted(batch))


def note_metrics() -> dict[str, Metric]:
    """Returns the metrics by name. "nll" is in nats a note, "nll_frame" in nats a frame."""
    by_voice = {name: mean(functools.partial(_voice_nll, voice=v), "min") for v, name in enumerate(BY_VOICE.values())}
    by_place = {name: mean(functools.partial(_place_nll, place=p), "min") for p, name in enumerate(BY_PLACE.values())}
    return {
        "nll": mean(note_nll, "min"),
        "nll_frame": mean(frame_nll, "min"),
        "accuracy": mean(note_accuracy, "max"),
        **by_voice,
        **by_place,
    }


def _voice_nll(outputs: Array, batch: Batch, voice: int) -> tuple[Array, Array]:
    return _over(cross_entropy(outputs, batch["targets"]), counted(batch) & (_places(batch) % len(VOICES) == voice))


def _place_nll(outputs: Array, batch: Batch, place: int) -> tuple[Array, Array]:
    here = _places(batch) // len(VOICES) % BEAT == place
    return _over(cross_entropy(outputs, batch["targets"]), counted(batch) & here)


def _places(batch: Batch) -> Array:
    """Returns the place of each token in its piece, `[B, T]`."""
    return batch["clock"][:, None] + jnp.arange(batch["targets"].shape[1])


def _over(values_BT: Array, counted_BT: Array) -> tuple[Array, Array]:
    """Returns each row's mean over the counted tokens, and their number."""
    count_B = counted_BT.sum(1)
    return jnp.where(counted_BT, values_BT, 0).sum(1) / jnp.maximum(count_B, 1), count_B.astype(jnp.float32)
