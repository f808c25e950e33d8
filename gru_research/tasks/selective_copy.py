"""Selective copying (Jing et al. 2019, arXiv 1706.02761, as "denoise"; Gu and Dao 2023, arXiv 2312.00752)."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import choose
from gru_research.metrics import mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .base import Generated, Task, alike, check_at_least, check_share, correct, cross_entropy
from .input_encoders import Tokens
from .output_decoders import Classes

NOISE = 0
RECALLS = ("end", "steps")


def selective_copy(
    length: int = 32,
    symbols: int = 4,
    categories: int = 8,
    recall: Literal["end", "steps"] = "end",
    validation_size: int = 1000,
    test_size: int = 5000,
    threshold: float = 0.95,
) -> Task:
    """Recall `symbols` tokens in order from a sequence of noise tokens.

    All `length` steps hold the noise token, 0, except `symbols` distinct steps, drawn uniformly. These hold tokens
    drawn with replacement from 1 .. categories. `recall` is the form of the answer:

    - "steps": `symbols` further steps hold a marker, `categories + 1`, with one answer at each. This is the form in
      S4's code, which the Mamba paper used (16 symbols of 14 categories in length 4096). The older denoise task has one
      marker and then noise.
    - "end": the last state gives all answers at once, without a marker. A public, unreviewed study of 2026 used this
      form with these defaults: exact match 1.000 for a GRU and 0.389 for a minGRU of about 60,000 parameters each
      (embedding of 48, LayerNorm and a hidden layer of 64 before the answers), after 600 updates of 32 sequences.

    The loss is the mean cross-entropy over the recalled symbols. `exact_match` is 1 if all symbols are right, and
    `accuracy` is the share of right symbols. A uniform guess matches with probability categories ** -symbols.
    """
    check_at_least(1, symbols=symbols)
    check_at_least(2, categories=categories)
    if length < symbols:
        raise ValueError(f"length={length!r} must be at least symbols={symbols!r}")
    check_share("threshold", threshold)
    choose("recall", recall, RECALLS)
    asked = symbols if recall == "steps" else 0
    steps = length + asked

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns tokens `inputs [B, T]` and `targets [B, symbols]`, token - 1, in order of appearance."""
        places_key, symbols_key = jax.random.split(key)
        places_BK = jax.lax.top_k(jax.random.uniform(places_key, (batch_size, length)), symbols)[1].sort(-1)
        targets_BK = jax.random.randint(symbols_key, (batch_size, symbols), 0, categories, jnp.int32)
        noise_BT = jnp.full((batch_size, length), NOISE, jnp.int32)
        inputs_BT = noise_BT.at[jnp.arange(batch_size)[:, None], places_BK].set(targets_BK + 1)
        markers_BK = jnp.full((batch_size, asked), categories + 1, jnp.int32)
        return {"inputs": jnp.concatenate([inputs_BT, markers_BK], 1), "targets": targets_BK}

    def logits(outputs: Array) -> Array:
        """Returns logits `[B, symbols, C]` from outputs `[B, symbols * C]`, or `[B, T, C]` for `recall="steps"`."""
        return outputs[:, -symbols:] if recall == "steps" else outputs.reshape(-1, symbols, categories)

    def loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        return alike(cross_entropy(logits(outputs), batch["targets"]).mean(-1))

    def exact_match(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        return alike(correct(logits(outputs), batch["targets"]).min(-1))

    def accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        return alike(correct(logits(outputs), batch["targets"]).mean(-1))

    def encode(raw: Any) -> dict[str, np.ndarray]:
        """The `length` steps before the markers, which may be left out."""
        inputs = Tokens(categories + (2 if asked else 1))(raw)["inputs"]
        if len(inputs) == length:
            inputs = np.concatenate([inputs, np.full(asked, categories + 1, np.int32)])
        return Tokens(categories + (2 if asked else 1), steps=steps)(inputs)

    return Task(
        name=f"selective_copy-{recall}",
        data=Generated(make, validation_size, test_size),
        spec=Spec(
            {"inputs": jax.ShapeDtypeStruct((steps,), jnp.int32)},
            categories if recall == "steps" else categories * symbols,
            "every" if recall == "steps" else "last",
            categories + (2 if recall == "steps" else 1),
        ),
        loss=loss,
        metrics={"exact_match": mean(exact_match, "max"), "accuracy": mean(accuracy, "max")},
        metric="exact_match",
        threshold=threshold,
        trivial={"a uniform guess": float(categories) ** -symbols},
        length=steps,
        scaling="The baseline depends on how many symbols there are, not on the length; noise fills the rest.",
        encode=encode,
        decode=Classes(tuple(range(1, categories + 1)), size=categories, last=symbols),
    )
