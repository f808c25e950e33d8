"""The norm of the gradient against the lag, where it is known and where autodiff gives it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import gradient_flow, half_life

pytestmark = pytest.mark.usefixtures("x64")


def test_a_linear_recurrence_loses_its_factor_a_step() -> None:
    cell = gr.VanillaRNN(3, activation="identity", param_dtype="float64")
    params = cell.init(jax.random.key(0), 2) | {"U_h": 0.5 * jnp.eye(3)}
    log_norms = jax.jit(lambda xs: gradient_flow(cell, params, xs))(np.ones((4, 2000, 2)))
    np.testing.assert_allclose(log_norms, np.broadcast_to(np.arange(1, 2001) * np.log(0.5), (4, 2000)), rtol=1e-12)
    np.testing.assert_allclose(half_life(log_norms), np.ones(4), rtol=1e-12)


def test_an_identity_rnn_keeps_it_for_ever() -> None:
    cell = gr.VanillaRNN(3, activation="identity", recurrent_init="identity", param_dtype="float64")
    log_norms = gradient_flow(cell, cell.init(jax.random.key(0), 2), np.ones((300, 2)))
    np.testing.assert_allclose(log_norms, np.zeros(300), atol=1e-12)


def test_a_gradient_of_0_is_said() -> None:
    cell = gr.VanillaRNN(3, activation="relu", param_dtype="float64")
    params = cell.init(jax.random.key(0), 2) | {"b_h": -100 * jnp.ones(3)}
    log_norms = gradient_flow(cell, params, np.ones((5, 2)))
    assert np.isneginf(log_norms).all() and half_life(log_norms) == 0


@pytest.mark.parametrize("cell", [gr.GRU(4, param_dtype="float64"), gr.LSTM(3, param_dtype="float64")])
def test_it_is_what_automatic_differentiation_gives_over_the_whole_carry(cell: gr.Cell) -> None:
    stack = gr.Stack((cell,))
    params = stack.init(jax.random.key(0), 2)
    xs = jax.random.normal(jax.random.key(1), (3, 6, 2), jnp.float64)
    weights = jax.random.normal(jax.random.key(2), (3, cell.hidden_size), jnp.float64)
    log_norms = gradient_flow(stack, params, xs, cotangent=weights)

    def loss(added: list[Any]) -> jax.Array:
        """The loss with something added to the carry before each step: its gradient is that of the carry."""
        carry, y = stack.initial_carry(params, (3,)), None
        for t, more in enumerate(added):
            carry, y = stack.step(params, jax.tree.map(jnp.add, carry, more), xs[:, t])
        assert y is not None
        return jnp.sum(y * weights)

    nothing = jax.tree.map(jnp.zeros_like, stack.initial_carry(params, (3,)))
    gradients = jax.jit(jax.grad(loss))([nothing] * 6)
    norms = [np.sqrt(sum(np.square(a).sum(-1) for a in jax.tree.leaves(g))) for g in reversed(gradients)]
    np.testing.assert_allclose(log_norms, np.log(np.stack(norms, -1)), rtol=1e-10)


def test_what_does_not_fit_is_named() -> None:
    cell = gr.GRU(4)
    params = cell.init(jax.random.key(0), 2)
    with pytest.raises(ValueError, match=r"xs has the shape \(3, 0, 2\); it must have a time axis"):
        gradient_flow(cell, params, np.ones((3, 0, 2)))
    with pytest.raises(ValueError, match=r"cotangent has the shape \(4,\); the output's is \(3, 4\)"):
        gradient_flow(cell, params, np.ones((3, 5, 2)), cotangent=np.ones(4))
    with pytest.raises(ValueError, match="a line needs at least 2 lags"):
        half_life(np.zeros((3, 1)))


def test_lags_count_from_each_row_s_end() -> None:
    cell = gr.GRU(3, param_dtype="float64")
    params = cell.init(jax.random.key(0), 2)
    xs = jax.random.normal(jax.random.key(1), (3, 6, 2), jnp.float64)
    weights = jax.random.normal(jax.random.key(2), (3, 3), jnp.float64)
    lengths = np.array([6, 4, 1])
    logs = jax.jit(lambda: gradient_flow(cell, params, xs, cotangent=weights, lengths=lengths))()
    lives = half_life(logs)
    flow = jax.jit(lambda xs, weights: gradient_flow(cell, params, xs, cotangent=weights))
    for row, length in enumerate(lengths):
        alone = flow(xs[row, :length], weights[row])
        np.testing.assert_allclose(logs[row, :length], alone, rtol=1e-10)
        assert np.isnan(logs[row, length:]).all()
        if length > 1:
            np.testing.assert_allclose(lives[row], half_life(alone), rtol=1e-10)
    assert np.isnan(lives[2])
    with pytest.raises(ValueError, match=r"lengths has the shape \(2,\)"):
        gradient_flow(cell, params, xs, lengths=lengths[:2])
