"""The analyses on Flax modules give the numbers that they give on our cells with the same weights."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import gru_research as gr
from gru_research.adapters import linen as glinen
from gru_research.adapters import nnx as gnnx
from gru_research.adapters.weights import from_library
from gru_research.analysis import gradient_flow, input_influence, log_singular_values, lyapunov_exponents

UNITS, INPUTS = 4, 2


def linen_gru(xs: jax.Array) -> tuple[Any, Any, Any]:
    cell = nn.GRUCell(UNITS, param_dtype=jnp.float64)
    variables = cell.init(jax.random.key(1), jnp.zeros((xs.shape[0], UNITS)), xs[:, 0])
    return glinen.Recurrence(cell), variables, from_library("linen.GRUCell", gr.GRU(UNITS), variables["params"])


def nnx_gru(xs: jax.Array) -> tuple[Any, Any, Any]:
    del xs
    cell = nnx.GRUCell(INPUTS, UNITS, param_dtype=jnp.float64, rngs=nnx.Rngs(1))
    weights = nnx.to_pure_dict(nnx.state(cell, nnx.Param))
    return *gnnx.recurrence(cell), from_library("nnx.GRUCell", gr.GRU(UNITS), weights)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("make", [linen_gru, nnx_gru])
def test_flax_cells_give_what_ours_with_their_weights_give(make: Callable[..., Any]) -> None:
    xs = jax.random.normal(jax.random.key(0), (3, 7, INPUTS))
    cell, params, ours = make(xs)
    same = gr.GRU(UNITS), ours

    def compare(analysis: Callable[..., Any]) -> None:
        found, expected = (
            np.asarray(jax.jit(partial(analysis, of))(weights)) for of, weights in ((cell, params), same)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        assert np.isfinite(found).all() and np.ptp(found) > 0

    compare(lambda cell, params: gradient_flow(cell, params, xs, key=jax.random.key(2)))
    compare(lambda cell, params: input_influence(cell, params, xs, key=jax.random.key(2), lags=(0, 2, 5))[1])
    compare(lambda cell, params: lyapunov_exponents(cell, params, xs[0]))
    compare(lambda cell, params: log_singular_values(cell, params, xs[0]))


@pytest.mark.usefixtures("x64")
def test_drop_ins_give_what_flax_cells_give_and_a_carry_of_two_parts_is_followed_whole() -> None:
    xs = jax.random.normal(jax.random.key(0), (2, 5, INPUTS))
    theirs, ours = (of(UNITS, param_dtype=jnp.float64) for of in (nn.OptimizedLSTMCell, glinen.OptimizedLSTMCell))
    variables = theirs.init(jax.random.key(1), theirs.initialize_carry(jax.random.key(0), (2, INPUTS)), xs[:, 0])
    found, same = (gradient_flow(glinen.Recurrence(cell), variables, xs) for cell in (theirs, ours))
    np.testing.assert_allclose(found, same, rtol=1e-9)
    cell, params = gnnx.recurrence(gnnx.LSTMCell(INPUTS, UNITS, param_dtype=jnp.float64, rngs=nnx.Rngs(1)))
    (c, h), weights = cell.initial_carry(params, (2,)), nnx.to_pure_dict(params)
    ours = from_library("nnx.LSTMCell", gr.LSTM(UNITS), weights)
    expected = gradient_flow(gr.LSTM(UNITS), ours, xs)
    np.testing.assert_allclose(gradient_flow(cell, params, xs), expected, rtol=1e-9)
    assert c.shape == h.shape == (2, UNITS) and np.isfinite(expected).all()


def test_what_isnt_a_cell_is_refused() -> None:
    with pytest.raises(TypeError, match=r"RNN isn't a linen cell of inputs .*; of an RNN give .cell"):
        glinen.Recurrence(nn.RNN(nn.GRUCell(UNITS)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="ConvLSTMCell isn't a linen cell"):
        glinen.Recurrence(nn.ConvLSTMCell(UNITS, (3,)))
    with pytest.raises(TypeError, match="RNN isn't an NNX cell"):
        gnnx.recurrence(nnx.RNN(nnx.GRUCell(INPUTS, UNITS, rngs=nnx.Rngs(0))))  # pyright: ignore[reportArgumentType]
