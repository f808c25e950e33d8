"""The loss of the bot's words, and which of its answers are right."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.masks import length_mask
from gru_research.metrics import Collected, Metric, mean, ratio
from gru_research.types import Array, Batch

from ..application import Breakdown
from ..base import over_steps
from . import bleu as scores

TURNS = (1, 4, 7, 10, 13, 16, 19)
"""The first turn of each group of turns."""


def loss(outputs: Any, batch: Batch) -> tuple[Array, Array]:
    """Returns each dialogue's negative log-likelihood in nats, the mean over the bot's words, weighted by their number.
    Dialogues with words that training lacks don't count."""
    values, weights = over_steps(-outputs.logs, batch["target_lengths"])
    return values, weights * ~batch["oov"]


def right(outputs: Any, batch: Batch) -> tuple[Array, Array]:
    """Returns which turns' answers are right, and which turns there are, `[B, R]`: an answer is right if all of its
    words are, and its end."""
    real = length_mask(batch["target_lengths"], batch["targets"].shape[1])
    wrong = real & (outputs.tokens != batch["targets"])

    def counted(marks: Array, turns: Array) -> Array:
        return jnp.zeros(turns.shape, jnp.int32).at[turns].add(marks.astype(jnp.int32))

    there = jax.vmap(counted)(real, batch["turns"]) > 0
    return there & (jax.vmap(counted)(wrong, batch["turns"]) == 0), there


def _per_response(oov: bool, first: int, end: int | None, outputs: Any, batch: Batch) -> tuple[Array, Array]:
    found, there = right(outputs, batch)
    counted = (batch["oov"] == oov)[:, None]
    return (found & counted)[:, first:end].sum(1), (there & counted)[:, first:end].sum(1)


def _per_dialogue(oov: bool, outputs: Any, batch: Batch) -> tuple[Array, Array]:
    found, there = right(outputs, batch)
    return (found | ~there).all(1).astype(jnp.float32), (batch["oov"] == oov).astype(jnp.float32)


def metrics_of(oov: bool, most_turns: int, bleu: bool = False) -> dict[str, Metric]:
    """Returns the metrics by name.

    Args:
      bleu: whether answers are decoded, and compared by BLEU.
      oov: whether the test set has dialogues with words that training lacks.
      most_turns: the most turns of a dialogue.
    """
    found: dict[str, Metric] = {
        "per_response": ratio(functools.partial(_per_response, False, 0, None), "max"),
        "per_dialogue": mean(functools.partial(_per_dialogue, False), "max"),
    }
    if oov:
        found["oov_per_response"] = ratio(functools.partial(_per_response, True, 0, None), "max")
        found["oov_per_dialogue"] = mean(functools.partial(_per_dialogue, True), "max")
    if bleu:
        found["bleu"] = Collected(
            lambda outputs, batch: {"answers": outputs.answers, "references": batch["responses"]},
            scores.of_arrays,
            "max",
            signature=scores.signature(),
        )
    starts = [turn for turn in TURNS if turn <= most_turns]
    for first, end in zip(starts, [*starts[1:], None], strict=True):
        stop = None if end is None else end - 1
        found[f"per_response_turn_{first}"] = ratio(functools.partial(_per_response, False, first - 1, stop), "max")
    return found


def breakdowns_of(metrics: Mapping[str, Metric]) -> dict[str, Breakdown]:
    """Returns the figure of answers by their turn, where there are several groups of turns."""
    groups = {name.rpartition("_")[2]: name for name in metrics if name.startswith("per_response_turn_")}
    if len(groups) < 2:
        return {}
    title, by = "right answers by the turn of the dialogue", "turn, the first of three"
    return {"turns": Breakdown(title, by, groups, "share of right answers", numeric=True)}
