"""Lyapunov exponents of systems whose exponents are known."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import lyapunov_exponents

pytestmark = pytest.mark.usefixtures("x64")


@dataclasses.dataclass(frozen=True)
class Lorenz:
    """Lorenz's system with sigma = 10, rho = 28, beta = 8/3, by steps of Runge and Kutta's fourth order."""

    seconds: float

    def initial_carry(self, params: Any, batch: Sequence[int]) -> jax.Array:
        del params
        return jnp.broadcast_to(jnp.array([1.0, 2.0, 20.0]), (*batch, 3))

    def step(self, params: Any, carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        del params, x

        def slope(p: jax.Array) -> jax.Array:
            return jnp.stack([10 * (p[1] - p[0]), p[0] * (28 - p[2]) - p[1], p[0] * p[1] - 8 / 3 * p[2]])

        dt = self.seconds
        a = slope(carry)
        b = slope(carry + dt / 2 * a)
        c = slope(carry + dt / 2 * b)
        new = carry + dt / 6 * (a + 2 * b + 2 * c + slope(carry + dt * c))
        return new, new


def test_lorenz() -> None:
    """Sprott (2003): .9056, 0 and -14.5723 a second."""
    found = lyapunov_exponents(Lorenz(0.01), {}, np.zeros((40_000, 1)), discard=2_000) / 0.01
    assert found[0] == pytest.approx(0.9056, rel=0.05)
    assert abs(found[1]) < 0.02
    assert found[2] == pytest.approx(-14.5723, rel=0.05)


def test_a_linear_rnn_has_the_logarithms_of_its_eigenvalues() -> None:
    cell = gr.VanillaRNN(3, activation="identity", param_dtype="float64")
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    kernel = turned @ np.diag([1.2, 0.9, 0.3]) @ turned.T
    params = cell.init(jax.random.key(0), 2) | {"U_h": jnp.asarray(kernel)}
    found = lyapunov_exponents(cell, params, np.zeros((400, 2)), discard=200)
    np.testing.assert_allclose(found, np.log([1.2, 0.9, 0.3]), rtol=1e-12)
    np.testing.assert_allclose(lyapunov_exponents(cell, params, np.zeros((400, 2)), count=1, discard=200), found[:1])


def test_an_lstm_s_carry_counts_whole() -> None:
    """Without weights c is halved every step and h follows it: two directions, each through both, shrink by a half."""
    cell = gr.LSTM(2, param_dtype="float64")
    params = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), 1))
    found = lyapunov_exponents(cell, params, np.zeros((50, 1)), count=2, discard=1)
    np.testing.assert_allclose(found, np.log([0.5, 0.5]), rtol=1e-12)


def test_what_does_not_fit_is_named() -> None:
    cell = gr.GRU(2)
    params = cell.init(jax.random.key(0), 1)
    with pytest.raises(ValueError, match="it must be one sequence"):
        lyapunov_exponents(cell, params, np.zeros((1, 5, 1)))
    with pytest.raises(ValueError, match="count=3 must be a whole number up to the carry's size, from 1 to 2"):
        lyapunov_exponents(cell, params, np.zeros((5, 1)), count=3)
    with pytest.raises(ValueError, match="discard=5 must be a number of steps that leaves one, from 0 to 4"):
        lyapunov_exponents(cell, params, np.zeros((5, 1)), discard=5)
