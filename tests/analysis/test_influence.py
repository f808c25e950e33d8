"""How long an input matters, where it is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import input_influence, memory_horizon

pytestmark = pytest.mark.usefixtures("x64")


def test_a_linear_recurrence_forgets_an_input_by_its_factor_a_step() -> None:
    cell = gr.VanillaRNN(3, activation="identity", param_dtype="float64")
    params = cell.init(jax.random.key(0), 2) | {"U_h": 0.9 * jnp.eye(3)}
    # The same rows at every step: every lag exchanges the same inputs.
    xs = np.broadcast_to(np.random.default_rng(0).normal(size=(4, 1, 2)), (4, 100, 2))
    lags, change = jax.jit(lambda: input_influence(cell, params, xs))()
    assert lags[0] == 0 and lags[-1] == 99
    np.testing.assert_allclose(change / change[0], 0.9**lags, rtol=1e-10)
    # The logarithm is a straight line here, so that the horizon is exact between two lags measured.
    np.testing.assert_allclose(memory_horizon(lags, change, 0.01), np.log(0.01) / np.log(0.9), rtol=1e-10)


def test_each_sequence_gets_another_ones_input() -> None:
    cell = gr.VanillaRNN(1, activation="identity", recurrent_init="identity", param_dtype="float64")
    params = cell.init(jax.random.key(0), 1) | {"W_h": jnp.ones((1, 1))}
    xs = np.zeros((8, 5, 1))
    xs[:, 3, 0] = 2.0 ** np.arange(8)  # every exchange is another difference
    lags, change = input_influence(cell, params, xs, lags=(1, 2))
    assert lags.tolist() == [1, 2] and change[1] == 0  # at lag 2 all inputs are 0: exchanging them changes nothing
    assert change[0] >= np.sqrt(np.mean((2.0 ** np.arange(8) / 2) ** 2))  # none kept its own


def test_a_horizon_beyond_what_was_measured_is_infinite_and_without_any_change_it_is_0() -> None:
    assert memory_horizon([0, 10, 20], [1.0, 0.5, 0.2]) == np.inf
    assert memory_horizon([0, 10, 20], [0.0, 0.0, 0.0]) == 0
    np.testing.assert_allclose(memory_horizon([0, 10, 20], [[1.0, 1e-4, 0.0], [1.0, 1.0, 1e-4]]), [5.0, 15.0])
    np.testing.assert_allclose(memory_horizon([0, 10], [1.0, 0.0]), 0, atol=0.1)


def test_what_does_not_fit_is_named() -> None:
    cell = gr.GRU(4)
    params = cell.init(jax.random.key(0), 2)
    with pytest.raises(ValueError, match=r"xs has the shape \(1, 5, 2\); .* at least two sequences"):
        input_influence(cell, params, np.ones((1, 5, 2)))
    with pytest.raises(ValueError, match=r"lags=\(5,\) must be one or more whole numbers from 0 to 4"):
        input_influence(cell, params, np.ones((2, 5, 2)), lags=(5,))
    with pytest.raises(ValueError, match="share=2 must be above 0 and below 1"):
        memory_horizon([0, 1], [1, 1], 2)
    with pytest.raises(ValueError, match="they must be"):
        memory_horizon([0, 1], [1, 1, 1])
