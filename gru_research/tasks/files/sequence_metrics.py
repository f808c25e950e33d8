"""Losses and metrics of tasks from files. They ignore padding steps."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.masks import length_mask
from gru_research.metrics import Additive, Collected, Metric, mean
from gru_research.types import Array, Batch

from ..base import alike, correct, cross_entropy, over_steps


def tagging_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's cross-entropy in nats, the mean over steps, from logits `[B, T, C]`, `targets [B, T]`."""
    return over_steps(cross_entropy(outputs, batch["targets"]), batch.get("lengths"))


def tagging_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns the share of each example's steps with the right label."""
    return over_steps(correct(outputs, batch["targets"]), batch.get("lengths"))


def _answers(outputs: Array, batch: Batch) -> dict[str, Array]:
    """Returns the predicted class, which has the largest logit, and the target class, which is -1 at padding steps."""
    wanted = batch["targets"]
    if wanted.ndim == 2 and "lengths" in batch:
        wanted = jnp.where(length_mask(batch["lengths"], wanted.shape[1]), wanted, -1)
    return {"predicted": outputs.argmax(-1).astype(jnp.int32), "wanted": wanted}


def _macro_f1(arrays: Mapping[str, np.ndarray]) -> float:
    """Returns the macro F1 score: the mean of 2 hits / (wanted + predicted) over all wanted or predicted classes."""
    real = arrays["wanted"] >= 0
    wanted, predicted = arrays["wanted"][real], arrays["predicted"][real]
    counts = [np.bincount(a, minlength=1) for a in (wanted[wanted == predicted], wanted, predicted)]
    size = max(map(len, counts))
    hits, right, said = (np.pad(count, (0, size - len(count))) for count in counts)
    there = right + said > 0
    return float((2 * hits[there] / (right + said)[there]).mean())


F1 = {"macro_f1": Collected(_answers, _macro_f1, "max", signature="mean over classes that occur or are answered")}
MOST_COLUMNS = 8
"""Series of at most this many columns have a metric for each column."""
Error = Callable[[Any, Batch], tuple[Array, Array]]


def errors(size: Callable[[Array], Array], stepwise: bool = False, units: Sequence[float] | None = None) -> Error:
    """Returns a loss: the mean of `size(error)` over numbers and steps, for `outputs, targets [B, ..., C]`.

    Args:
      units: C factors that convert errors from scaled to original units.
    """

    def error(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        off = outputs.astype(jnp.float32) - batch["targets"]
        if units is not None:
            off = off * jnp.asarray(np.asarray(units, np.float32))
        values = size(off).mean(-1)
        return over_steps(values, batch.get("lengths")) if stepwise else alike(values)

    return error


def error_metrics(units: Sequence[float], stepwise: bool = False) -> dict[str, Metric]:
    """Returns "rmse" and "mae", the root mean squared error and the mean absolute error, in original units."""
    squared, absolute = (errors(size, stepwise, units) for size in (jnp.square, jnp.abs))
    return {"rmse": finished(squared, np.sqrt), "mae": mean(absolute, "min")}


def column_metrics(names: Sequence[str], units: Sequence[float], horizon: int) -> dict[str, Metric]:
    """Returns "rmse_NAME" for each of C columns, in original units, from outputs `[B, horizon * C]`. Returns no metrics
    for one column, or for more than `MOST_COLUMNS`.

    Args:
      units: C factors, see `errors`.
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
    """Returns a metric that is `last(weighted mean over a set)`; lower is better."""
    averaged = mean(values, "min")

    def finish(sums: Mapping[str, np.ndarray]) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):  # a seed may have diverged
            return last(averaged.finish(sums))

    return Additive(averaged.statistics, finish, "min")
