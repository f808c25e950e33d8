"""Weights out and back: the same bits in every type and shape, and every way to hand over a mapping."""

from typing import Any

import flax.core
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from gru_research.adapters.weights import LAYOUTS, from_library, to_library
from tests.adapters.peers import COMPUTES, make, ours

DTYPES = ["float32", "float64", "float16", "bfloat16"]


def sums(layer: str) -> bool:
    """Whether two biases are one of ours, or a number is added: the library's bits don't come back then."""
    return any("+" in held or "-1" in held for held in LAYOUTS[layer].arrays.values())


def assert_equal(actual: Any, expected: Any) -> None:
    """The same tree, in the same types, to the bit."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    layer=st.sampled_from(sorted(LAYOUTS)),
    dtype=st.sampled_from(DTYPES),
    input_size=st.integers(1, 4),
    hidden_size=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_out_and_back(layer: str, dtype: str, input_size: int, hidden_size: int, seed: int) -> None:
    params = ours(layer, input_size, hidden_size, dtype, seed)
    cell = make(COMPUTES[layer], hidden_size)
    weights = to_library(layer, cell, params)
    assert {a.dtype for a in jax.tree.leaves(weights)} == {jnp.dtype(dtype)}
    assert all(a.flags.c_contiguous for a in jax.tree.leaves(weights))
    again = from_library(layer, cell, weights)
    if layer == "haiku.LSTM":
        # The 1 is subtracted and added in the arrays' type: each rounds numbers below 4 once.
        difference = np.abs((again.pop("b_f") - params["b_f"]).astype(np.float64)).max()
        assert difference <= 4 * float(ml_dtypes.finfo(dtype).eps)
        del params["b_f"]
    assert_equal(again, params)
    if not sums(layer):
        assert_equal(to_library(layer, cell, again), weights)


@pytest.mark.parametrize("layer", ["torch.GRU", "torch.LSTM", "torch.RNN"])
def test_layers_and_directions_out_and_back(layer: str) -> None:
    cell = make(COMPUTES[layer], 3)
    model = [{"forward": cell, "backward": cell}] * 2
    params = [{d: ours(layer, size, 3, "float32", seed + size) for seed, d in enumerate(model[0])} for size in (2, 6)]
    assert_equal(from_library(layer, model, to_library(layer, model, params)), params)
    # Two directions alone are one layer of two directions.
    weights = to_library(layer, model[0], params[0])
    assert_equal(weights, to_library(layer, model[:1], params[:1]))
    assert_equal(from_library(layer, model[0], weights), params[0])


def test_a_sum_of_biases_is_one_addition_in_their_type() -> None:
    cell = gr.GRU(2)
    weights = to_library("torch.GRU", cell, ours("torch.GRU", 3, 2, "bfloat16"))
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=6).astype(ml_dtypes.bfloat16) for _ in range(2))
    params = from_library("torch.GRU", cell, weights | {"bias_ih_l0": a, "bias_hh_l0": b})
    expected = (a.astype(np.float32) + b.astype(np.float32)).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(np.concatenate([params["b_r"], params["b_z"]]), expected[:4])
    np.testing.assert_array_equal(params["b_n"], a[4:])
    np.testing.assert_array_equal(params["c_n"], b[4:])


def test_what_goes_out_and_comes_in_is_a_copy() -> None:
    cell, params = gr.GRU(2), ours("keras.GRU", 3, 2, "float32")
    weights = to_library("keras.GRU", cell, params)
    again = from_library("keras.GRU", cell, weights)
    for array in weights.values():
        array[...] = 7
    assert_equal(again, params)


# Forms of a mapping


def test_names_may_be_nested_or_joined_and_arrays_of_any_kind() -> None:
    cell, params = gr.GRU(2), ours("linen.GRUCell", 3, 2, "float32")
    nested = to_library("linen.GRUCell", cell, params)
    assert jax.tree.map(np.shape, nested["hn"]) == {"kernel": (2, 2), "bias": (2,)}
    forms = [
        {f"{module}.{name}": array for module, inner in nested.items() for name, array in inner.items()},
        {f"{module}/{name}": array for module, inner in nested.items() for name, array in inner.items()},
        jax.tree.map(jnp.asarray, nested),
        flax.core.freeze(nested),
    ]
    for form in forms:
        assert_equal(from_library("linen.GRUCell", cell, form), params)


def test_a_list_has_the_librarys_order() -> None:
    cell, params = gr.LSTM(2), ours("keras.LSTM", 3, 2, "float32")
    weights = to_library("keras.LSTM", cell, params)
    assert list(weights) == ["kernel", "recurrent_kernel", "bias"]
    assert_equal(from_library("keras.LSTM", cell, list(weights.values())), params)


@pytest.mark.parametrize(
    ("layer", "prefix", "name"),
    [
        ("torch.GRU", "encoder.rnn", "encoder.rnn.weight_ih_l0"),
        ("keras.GRU", "both/forward_gru/gru_cell", "both/forward_gru/gru_cell/kernel"),
        ("equinox.GRUCell", "cell", "cell.weight_ih"),
    ],
)
def test_a_prefix_says_where_the_layer_stands(layer: str, prefix: str, name: str) -> None:
    cell, params = gr.GRU(2), ours(layer, 3, 2, "float32")
    weights = to_library(layer, cell, params, prefix=prefix)
    assert name in weights
    others = {"head.weight": np.zeros(2), "steps": np.zeros((), int)}
    assert_equal(from_library(layer, cell, weights | others, prefix=prefix), params)


def test_haiku_names_modules_and_has_its_own_prefix() -> None:
    cell, params = gr.LSTM(2), ours("haiku.LSTM", 3, 2, "float32")
    assert jax.tree.map(np.shape, to_library("haiku.LSTM", cell, params)) == {"lstm/linear": {"w": (5, 8), "b": (8,)}}
    weights = to_library("haiku.LSTM", cell, params, prefix="net/lstm_1")
    assert list(weights) == ["net/lstm_1/linear"]
    again = from_library("haiku.LSTM", cell, weights, prefix="net/lstm_1")
    np.testing.assert_array_equal(again["W_g"], params["W_g"])


def test_what_a_library_lacks_is_zero() -> None:
    peepholes = gr.LSTM(2, peepholes=True, learn_initial_carry=True)
    plain = ours("torch.LSTM", 3, 2, "float16")
    weights = to_library("torch.LSTM", gr.LSTM(2), plain)
    zeros = {name: np.zeros(2, np.float16) for name in ("p_i", "p_f", "p_o", "c_0", "h_0")}
    params = from_library("torch.LSTM", peepholes, weights)
    assert_equal(params, plain | zeros)
    assert_equal(to_library("torch.LSTM", peepholes, params), weights)
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, dict(peepholes.init(jax.random.key(0), 3)))
