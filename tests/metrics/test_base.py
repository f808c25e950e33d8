"""Sums over examples become a metric by `finish`."""

import jax.numpy as jnp
import numpy as np

from gru_research.metrics import mean, ratio

BATCH = {"targets": jnp.array([0.0, 2.0, 5.0])}
OUTPUTS = jnp.array([1.0, 1.0, 1.0])


def test_a_mean_weighs_its_examples() -> None:
    metric = mean(lambda outputs, batch: (jnp.abs(outputs - batch["targets"]), jnp.array([1.0, 2.0, 1.0])), "min")
    parts = metric.statistics(OUTPUTS, BATCH)
    assert (
        metric.finish({name: np.asarray(a).sum(dtype=np.float64) for name, a in parts.items()}) == (1 + 2 * 1 + 4) / 4
    )


def test_a_ratio_divides_the_sums_and_not_each_example() -> None:
    metric = ratio(lambda outputs, batch: (jnp.abs(outputs - batch["targets"]), jnp.array([2.0, 1.0, 7.0])), "min")
    parts = metric.statistics(OUTPUTS, BATCH)
    assert metric.finish({name: np.asarray(a).sum(dtype=np.float64) for name, a in parts.items()}) == (1 + 1 + 4) / (
        2 + 1 + 7
    )
