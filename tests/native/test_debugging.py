"""Where JAX looks at single operations, they are XLA's: without jit, and in the search for NaN and infinities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.native import Library
from gru_research.training.divergence import first_not_finite
from gru_research.types import Params

CELL = gr.GRU(3)
PARAMS = CELL.init(jax.random.key(0), 2)
XS = jax.random.normal(jax.random.key(1), (2, 9, 2))
LENGTHS = jnp.array([2, 9])


def gradient(params: Params, xs: jax.Array) -> Params:
    return jax.grad(lambda params: jnp.square(gr.unroll(CELL, params, xs, lengths=LENGTHS)[1]).sum())(params)


def test_without_jit_values_and_gradients_are_the_same(native_engine: Library) -> None:
    del native_engine
    expected = gradient(PARAMS, XS)
    with jax.disable_jit():
        found = gradient(PARAMS, XS)
    for name, a in expected.items():
        np.testing.assert_allclose(found[name], a, rtol=1e-4, atol=1e-6)


def test_finite_numbers_pass_the_search_for_others(native_engine: Library) -> None:
    del native_engine
    expected = gradient(PARAMS, XS)
    with jax.debug_nans(True), jax.debug_infs(True):
        found = gradient(PARAMS, XS)
    np.testing.assert_allclose(found["U_n"], expected["U_n"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_nan_is_found(compiled: bool, native_engine: Library) -> None:
    del native_engine
    function = jax.jit(gradient) if compiled else gradient
    function(PARAMS, XS)  # a program by the engine is there already
    wrong = XS.at[1, 3, 0].set(jnp.nan)
    with jax.debug_nans(True), pytest.raises(FloatingPointError):
        jax.block_until_ready(function(PARAMS, wrong))


def test_the_operation_of_a_divergence_is_named(native_engine: Library) -> None:
    del native_engine
    cell = gr.VanillaRNN(3, activation="relu")
    params = cell.init(jax.random.key(0), 2)
    params["U_h"] = 1e10 * jnp.eye(3)
    found = first_not_finite(lambda: gr.unroll(cell, params, jnp.abs(XS))[1])
    assert found is not None and found.startswith("inf from ") and "gru_research/" in found


def test_whoever_insists_learns_why_it_cannot() -> None:
    with jax.disable_jit(), pytest.raises(ValueError, match=r"look at single operations|isn't there"):
        gr.unroll(CELL, PARAMS, XS, options=gr.UnrollOptions(backend="native"))
