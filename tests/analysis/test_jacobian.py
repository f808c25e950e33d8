"""Singular values of the Jacobian over a sequence, where they are known and against autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import log_singular_values

pytestmark = pytest.mark.usefixtures("x64")


def linear(kernel: np.ndarray) -> tuple[gr.VanillaRNN, dict[str, jax.Array]]:
    cell = gr.VanillaRNN(len(kernel), activation="identity", param_dtype="float64")
    return cell, cell.init(jax.random.key(0), 2) | {"U_h": jnp.asarray(kernel)}


def test_a_diagonal_recurrence_has_its_factors_to_the_power_of_the_steps() -> None:
    cell, params = linear(np.diag([1.1, 0.9, 0.2]))
    expected = 1000 * np.log([1.1, 0.9, 0.2])
    by_power = log_singular_values(cell, params, np.ones((1000, 2)), count=3)
    np.testing.assert_allclose(by_power, expected, rtol=1e-10)
    exact = log_singular_values(cell, params, np.ones((1000, 2)))
    np.testing.assert_allclose(exact[0], expected[0], rtol=1e-12)
    assert np.isneginf(exact[1:]).all()  # 0.9**1000 is lost beside 1.1**1000, and that is said


def test_an_identity_rnn_has_ones() -> None:
    cell = gr.VanillaRNN(3, activation="identity", recurrent_init="identity", param_dtype="float64")
    params = cell.init(jax.random.key(0), 2)
    for count in (None, 3):
        np.testing.assert_allclose(log_singular_values(cell, params, np.ones((50, 2)), count=count), 0, atol=1e-12)


def test_both_ways_are_those_of_the_jacobian_of_the_whole_carry() -> None:
    cell = gr.LSTM(3, param_dtype="float64")
    params = cell.init(jax.random.key(0), 2)
    xs = jax.random.normal(jax.random.key(1), (5, 2), jnp.float64)

    def last(flat: jax.Array) -> jax.Array:
        return jnp.concatenate(gr.unroll(cell, params, xs, initial_carry=(flat[:3], flat[3:]))[0])

    expected = np.log(np.linalg.svd(jax.jit(jax.jacrev(last))(jnp.zeros(6)), compute_uv=False))
    np.testing.assert_allclose(log_singular_values(cell, params, xs), expected, rtol=1e-8)
    found = jax.jit(lambda: log_singular_values(cell, params, xs, count=2, iterations=40))()
    np.testing.assert_allclose(found, expected[:2], rtol=1e-6)


def test_what_does_not_fit_is_named() -> None:
    cell = gr.GRU(4)
    params = cell.init(jax.random.key(0), 2)
    with pytest.raises(ValueError, match="it must be one sequence"):
        log_singular_values(cell, params, np.ones((2, 5, 2)))
    with pytest.raises(ValueError, match="count=5 must be a whole number up to the carry's size, from 1 to 4"):
        log_singular_values(cell, params, np.ones((5, 2)), count=5)
    with pytest.raises(ValueError, match="iterations=0 must be a whole number, at least 1"):
        log_singular_values(cell, params, np.ones((5, 2)), count=1, iterations=0)
