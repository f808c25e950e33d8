"""Schedules, clipping and weight decay against numbers computed by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.config import OptimizerConfig, UserError
from gru_research.training.optimizer import OPTIMIZERS, check_precision, make_optimizer, make_schedule


def test_cosine_falls_to_zero() -> None:
    schedule = make_schedule(OptimizerConfig(schedule="cosine"), 100)
    np.testing.assert_allclose([schedule(0), schedule(50), schedule(100)], [1.0, 0.5, 0.0], atol=1e-9)


def test_linear_falls_to_zero_and_constant_does_not() -> None:
    linear = make_schedule(OptimizerConfig(schedule="linear"), 100)
    np.testing.assert_allclose([linear(0), linear(25), linear(100)], [1.0, 0.75, 0.0], atol=1e-9)
    assert float(make_schedule(OptimizerConfig(), 100)(99)) == pytest.approx(1.0)


def test_warmup_rises_to_the_rate_and_then_follows_the_schedule() -> None:
    schedule = make_schedule(OptimizerConfig(schedule="cosine", warmup=10), 110)
    np.testing.assert_allclose([schedule(0), schedule(5), schedule(10), schedule(60)], [0, 0.5, 1.0, 0.5], atol=1e-8)


def test_clipping_is_by_the_global_norm() -> None:
    gradients = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    optimizer = make_optimizer(OptimizerConfig(name="sgd", clip=1.0), 10, {"learning_rate": 0.5})
    change, _ = optimizer.update(gradients, optimizer.init(gradients), gradients)
    np.testing.assert_allclose([change["a"][0], change["b"][0]], [-0.3, -0.4], rtol=1e-6)
    optimizer = make_optimizer(OptimizerConfig(name="sgd", clip=0.0), 10, {"learning_rate": 0.5})
    change, _ = optimizer.update(gradients, optimizer.init(gradients), gradients)
    np.testing.assert_allclose([change["a"][0], change["b"][0]], [-1.5, -2.0], rtol=1e-6)


def test_weight_decay_is_decoupled() -> None:
    params, zero = {"a": jnp.array([2.0])}, {"a": jnp.array([0.0])}
    optimizer = make_optimizer(OptimizerConfig(weight_decay=0.1), 10, {"learning_rate": 0.5})
    change, _ = optimizer.update(zero, optimizer.init(params), params)
    np.testing.assert_allclose(change["a"], [-0.5 * 0.1 * 2.0], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_downhill(name: str) -> None:
    params = {"a": jnp.array([2.0, -3.0])}
    optimizer = make_optimizer(OptimizerConfig(name=name), 10, {"learning_rate": 1e-2})
    change, _ = optimizer.update(params, optimizer.init(params), params)  # the gradient of a^2 / 2 is a
    assert np.all(np.sign(change["a"]) == -np.sign(params["a"]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_types_are_refused_where_a_gradient_of_0_ends_as_0_by_0(name: str, dtype: str) -> None:
    config = OptimizerConfig(name=name, clip=0.0)
    optimizer = make_optimizer(config, 10, {"learning_rate": 1e-3})
    weights = jnp.ones(3, dtype)
    change: Any = optimizer.update(jnp.zeros_like(weights), optimizer.init(weights), weights)[0]
    if np.isfinite(np.asarray(change, float)).all():
        check_precision(config, "param_dtype", jnp.dtype(dtype))
        return
    with pytest.raises(UserError, match=f"param_dtype='{dtype}' can't be trained by optimizer.name='{name}'"):
        check_precision(config, "param_dtype", jnp.dtype(dtype))
