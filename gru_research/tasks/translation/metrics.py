"""The loss of a translation's pieces, and the metrics of generated translations."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.metrics import Collected, Metric, mean
from gru_research.types import Array, Arrays, Batch

from ..application import Breakdown
from ..base import cross_entropy, over_steps
from .pieces import Pieces
from .scores import Kind, OfArrays, signature

LENGTHS = (1, 8, 11, 14, 17, 21)
"""The fewest source words of each group of sentences."""


def loss(smoothing: float, outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each sentence's cross-entropy in nats, the mean over its pieces, weighted by their number.

    Args:
      smoothing: the share of the target distribution that is uniform over all pieces (Szegedy et al. 2016, arXiv
        1512.00567).
      outputs: logits `[B, U, V]`.
    """
    values_BU = cross_entropy(outputs, batch["targets"])
    if smoothing:
        uniform_BU = -jax.nn.log_softmax(outputs.astype(jnp.float32)).mean(-1)
        values_BU = (1 - smoothing) * values_BU + smoothing * uniform_BU
    return over_steps(values_BU, batch["target_lengths"])


def _kept(words: bool, answers: Any, batch: Batch) -> Arrays:
    kept = {"answers": answers.tokens.astype(jnp.uint16), "targets": batch["targets"].astype(jnp.uint16)}
    return kept | ({"words": batch["words"]} if words else {})


def metrics_of(pieces: Pieces, longest: int) -> dict[str, Metric]:
    """Returns the metrics by name.

    Args:
      longest: the most words of a source sentence.
    """

    def generated(kind: Kind) -> Collected:
        statistics = functools.partial(_kept, False)
        return Collected(statistics, OfArrays(pieces, kind), "max", "answers", signature(kind))

    found: dict[str, Metric] = {
        "bleu": generated("bleu"),
        "chrf": generated("chrf"),
        "bleu_lowercase": generated("bleu_lowercase"),
        "nll": mean(functools.partial(loss, 0.0), "min"),
    }
    starts = [least for least in LENGTHS if least <= longest]
    for least, end in zip(starts, [*starts[1:], None], strict=True):
        of = OfArrays(pieces, "bleu", least, end)
        found[f"bleu_from_{least}_words"] = Collected(functools.partial(_kept, True), of, "max", "answers")
    return found


def breakdowns_of(metrics: Mapping[str, Metric]) -> dict[str, Breakdown]:
    """Returns the figure of BLEU by the source's length, where there are several groups."""
    groups = {name.split("_")[2]: name for name in metrics if name.startswith("bleu_from_")}
    if len(groups) < 2:
        return {}
    return {"lengths": Breakdown("BLEU by the source's length", "source words, at least", groups, "BLEU", numeric=True)}
