"""Losses and metrics of what files ask for; steps behind a sequence's length count nowhere."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.masks import length_mask
from gru_research.metrics import Additive, Collected, Metric, mean
from gru_research.types import Array, Batch

from ..base import alike, correct, cross_entropy


def _over_steps(values_BT: Array, batch: Batch) -> tuple[Array, Array]:
    """The mean of each example's real steps, with their number as its weight: over a set, the mean of all steps."""
    if "lengths" not in batch:
        return values_BT.mean(1), jnp.full(len(values_BT), values_BT.shape[1], jnp.float32)
    lengths = batch["lengths"]
    real = length_mask(lengths, values_BT.shape[1])
    return jnp.where(real, values_BT, 0).sum(1) / jnp.maximum(lengths, 1), lengths.astype(jnp.float32)


def tagging_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Cross-entropy in nats of each example's mean step: logits `[B, T, C]`, `targets [B, T]`."""
    return _over_steps(cross_entropy(outputs, batch["targets"]), batch)


def tagging_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """The share of each example's steps whose label is right."""
    return _over_steps(correct(outputs, batch["targets"]), batch)


def _answers(outputs: Array, batch: Batch) -> dict[str, Array]:
    """The class of the largest logit and the right one, -1 behind a sequence's length."""
    wanted = batch["targets"]
    if wanted.ndim == 2 and "lengths" in batch:
        wanted = jnp.where(length_mask(batch["lengths"], wanted.shape[1]), wanted, -1)
    return {"predicted": outputs.argmax(-1).astype(jnp.int32), "wanted": wanted}


def _macro_f1(arrays: Mapping[str, np.ndarray]) -> float:
    """The mean over classes, those that are wanted or predicted, of 2 hits / (wanted + predicted)."""
    real = arrays["wanted"] >= 0
    wanted, predicted = arrays["wanted"][real], arrays["predicted"][real]
    counts = [np.bincount(a, minlength=1) for a in (wanted[wanted == predicted], wanted, predicted)]
    size = max(map(len, counts))
    hits, right, said = (np.pad(count, (0, size - len(count))) for count in counts)
    there = right + said > 0
    return float((2 * hits[there] / (right + said)[there]).mean())


F1 = {"macro_f1": Collected(_answers, _macro_f1, "max", signature="mean over classes that occur or are answered")}
MOST_COLUMNS = 8
"""Up to this number each column of a series has a metric of its own."""
Error = Callable[[Any, Batch], tuple[Array, Array]]


def errors(size: Callable[[Array], Array], stepwise: bool = False, units: Sequence[float] | None = None) -> Error:
    """The mean over numbers, and over steps, of the `size` of an error, `outputs, targets [B, ..., C]`.

    Args:
      units: C numbers that errors are multiplied by: from scaled to original units.
    """

    def error(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        off = outputs.astype(jnp.float32) - batch["targets"]
        if units is not None:
            off = off * jnp.asarray(np.asarray(units, np.float32))
        values = size(off).mean(-1)
        return _over_steps(values, batch) if stepwise else alike(values)

    return error


def error_metrics(units: Sequence[float], stepwise: bool = False) -> dict[str, Metric]:
    """ "rmse" and "mae", the root of the mean squared error and the mean absolute error, in original units."""
    squared, absolute = (errors(size, stepwise, units) for size in (jnp.square, jnp.abs))
    return {"rmse": finished(squared, np.sqrt), "mae": mean(absolute, "min")}


def column_metrics(names: Sequence[str], units: Sequence[float], horizon: int) -> dict[str, Metric]:
    """ "rmse_NAME" of each of C columns, in original units, of outputs `[B, horizon * C]`; none of one column, or of
    more than `MOST_COLUMNS`.

    Args:
      units: C numbers, see `errors`.
    """
    if not 1 < len(names) <= MOST_COLUMNS:
        return {}
    cleaned = [re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or str(n) for n, name in enumerate(names)]
    if len(set(cleaned)) < len(cleaned):
        cleaned = [f"{name}_{n}" for n, name in enumerate(cleaned)]

    def squared(column: int, outputs: Array, batch: Batch) -> tuple[Array, Array]:
        shape = (len(outputs), horizon, len(names))
        off = (outputs.astype(jnp.float32) - batch["targets"]).reshape(shape)[..., column] * units[column]
        return alike(jnp.square(off).mean(-1))

    return {
        f"rmse_{name}": finished(functools.partial(squared, column), np.sqrt) for column, name in enumerate(cleaned)
    }


def finished(values: Error, last: Callable[[np.ndarray], np.ndarray]) -> Additive:
    """`last` of the weighted mean over a set; less of it is better."""
    averaged = mean(values, "min")

    def finish(sums: Mapping[str, np.ndarray]) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):  # of a seed that diverged
            return last(averaged.finish(sums))

    return Additive(averaged.statistics, finish, "min")
