"""What each word does to an answer: the change in the answer's log-odds when the word is left out."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.types import Array, Batch, Params


def log_odds(outputs: Array, label: Array, several: bool) -> Array:
    """Returns the log-odds `[B]` of each text's `label [B]`, from logits `[B, C]` of classes or of `several` labels."""
    outputs = outputs.astype(jnp.float32)
    asked = jax.nn.one_hot(label, outputs.shape[-1], dtype=bool)
    own = jnp.where(asked, outputs, 0).sum(-1)
    return own if several else own - jax.nn.logsumexp(jnp.where(asked, -jnp.inf, outputs), -1)


def without(batch: Batch, place: Array, unknown: int) -> dict[str, Array]:
    """Returns texts `inputs [B, T]`, `lengths [B]` without the word at `place`. The only word of a text becomes
    `unknown`; a text without that word stays whole."""
    tokens, lengths = batch["inputs"], batch["lengths"]
    later = jnp.concatenate([tokens[:, 1:], tokens[:, -1:]], 1)
    left_out = jnp.where(jnp.arange(tokens.shape[1]) < place, tokens, later)
    alone = (lengths == 1) & (place == 0)
    there = place < lengths
    inputs = jnp.where(alone[:, None], unknown, jnp.where(there[:, None], left_out, tokens))
    return {"inputs": inputs, "lengths": jnp.where(there & ~alone, lengths - 1, lengths)}


def explain(
    model: Any, params: Params, batch: Batch, unknown: int, several: bool, label: Array | None = None
) -> dict[str, Array]:
    """Returns the answers to texts and what each word does to them, inside jit.

    `label [B]` is the label of each text that is explained; None: the likeliest one.

    Returns:
      outputs: logits `[B, C]`.
      effects: `[B, T]`, the label's log-odds minus those without the word; 0 at padding.
      inputs, lengths: those of the batch.
    """
    texts = {name: jnp.asarray(batch[name]) for name in ("inputs", "lengths")}
    outputs = model.apply(params, texts)
    explained = outputs.argmax(-1) if label is None else label
    whole = log_odds(outputs, explained, several)

    def effect(place: Array) -> Array:
        changed = model.apply(params, without(texts, place, unknown))
        return jnp.where(place < texts["lengths"], whole - log_odds(changed, explained, several), 0)

    effects = lax.map(effect, jnp.arange(texts["inputs"].shape[1]))
    return {"outputs": outputs, "effects": effects.T, **texts}
