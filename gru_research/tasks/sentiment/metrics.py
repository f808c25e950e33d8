"""Losses and metrics of texts with one label, and with several."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.metrics import Collected, Metric, mean, ratio
from gru_research.types import Array, Batch

from ..application import Breakdown
from ..base import ACCURACY, alike, class_accuracy, class_loss
from ..files.sequence_metrics import F1
from . import scores
from .facts import Facts
from .groups import BY_LENGTH, GROUPS, NEGATION


def label_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each text's negative log-likelihood in nats, the sum over labels, from logits and `targets [B, C]`."""
    logits = outputs.astype(jnp.float32)
    return alike((jax.nn.softplus(logits) - logits * batch["targets"]).sum(-1))


def metrics_of(facts: Facts) -> dict[str, Metric]:
    """Returns the metrics by name, those of groups of texts included."""
    if facts.several:
        answered = functools.partial(_answered, logit(facts.label_threshold))
        own: dict[str, Metric] = {
            "macro_f1": Collected(
                lambda outputs, batch: {"answered": answered(outputs), "wanted": batch["targets"].astype(bool)},
                lambda arrays: scores.f1(arrays["answered"], arrays["wanted"])[0],
                "max",
                signature=f"mean over {len(facts.labels)} labels, threshold {facts.label_threshold:g}",
            ),
            "micro_f1": ratio(functools.partial(_f1_parts, answered), "max"),
            "exact_match": mean(functools.partial(_exact, answered), "max"),
        }
    else:
        own = {**ACCURACY, **F1}
        if facts.outside is not None:
            own["in_scope_accuracy"] = mean(functools.partial(_of_scope, facts.outside, True), "max")
            own["oos_recall"] = mean(functools.partial(_of_scope, facts.outside, False), "max")
    groups = {group.name: group for group in GROUPS}
    within = {name: functools.partial(groups[name].of_batch, negations=facts.negations) for name in facts.groups}
    name, whole = grouped(facts), own[grouped(facts)]
    return own | {f"{name}_{group}": _within(member, whole) for group, member in within.items()}


def loss_of(facts: Facts) -> Callable[[Array, Batch], tuple[Array, Array]]:
    return label_loss if facts.several else class_loss


def grouped(facts: Facts) -> str:
    """Returns the name of the metric of groups of texts."""
    return "micro_f1" if facts.several else "accuracy"


def breakdowns_of(facts: Facts) -> dict[str, Breakdown]:
    """Returns the figures by negation and by length, where there are several groups."""
    metric = grouped(facts)
    unit = metric.replace("micro_f1", "micro F1")
    found = {}
    for name, title, groups in (
        ("negation", f"{unit} without and with a negation", NEGATION),
        ("words", f"{unit} by length", BY_LENGTH),
    ):
        there = {group.label: f"{metric}_{group.name}" for group in groups if group.name in facts.groups}
        if len(there) > 1:
            found[name] = Breakdown(title, name, there, unit)
    return found


def logit(probability: float) -> float:
    """Returns the logit of a probability."""
    return float(np.log(probability) - np.log1p(-probability))


def _answered(threshold: float, outputs: Array) -> Array:
    return outputs.astype(jnp.float32) >= threshold


def _f1_parts(answered: Callable[[Array], Array], outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns twice the right labels `[B]`, and the number of answered and of wanted labels."""
    given, wanted = answered(outputs), batch["targets"].astype(bool)
    return 2.0 * (given & wanted).sum(-1), (given.sum(-1) + wanted.sum(-1)).astype(jnp.float32)


def _exact(answered: Callable[[Array], Array], outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns 1 for each text whose labels are all right, else 0."""
    return alike((answered(outputs) == batch["targets"].astype(bool)).all(-1).astype(jnp.float32))


def _of_scope(outside: int, within: bool, outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns whether each text's label is right `[B]`, and whether the text is within the scope as asked."""
    values, weights = class_accuracy(outputs, batch)
    return values, weights * ((batch["targets"] != outside) == within)


def _within(member: Callable[[Batch], Array], metric: Any) -> Metric:
    """Returns an additive metric over the texts of a group."""

    def statistics(outputs: Any, batch: Batch) -> Mapping[str, Array]:
        inside = member(batch)
        return {name: jnp.where(inside, a, 0) for name, a in metric.statistics(outputs, batch).items()}

    return type(metric)(statistics, metric.finish, metric.direction)
