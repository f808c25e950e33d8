"""Readouts and embeddings against NumPy. Tolerance: 1e-12 in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.layers import AttentionPooling, Embedding, Readout
from tests.oracles import parameters

H, C, B, T = 5, 2, 3, 6
KEY = jax.random.key(0)
LENGTHS = np.array([0, 6, 4])
REAL = np.arange(T) < LENGTHS[:, None]

pytestmark = pytest.mark.usefixtures("x64")


def arguments() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ys = np.where(REAL[..., None], rng.normal(size=(B, T, H)), 0.0)
    return {"W": rng.normal(size=(H, C)), "b": rng.normal(size=C)}, rng.normal(size=(B, H)), ys


def assert_close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_last_reads_the_state_after_the_last_step() -> None:
    params, last, ys = arguments()
    expected = last @ params["W"] + params["b"]
    for stored in (None, ys):
        assert_close(Readout(C).apply(params, jnp.asarray(last), stored, REAL), expected)


def test_every_reads_each_step() -> None:
    params, last, ys = arguments()
    outputs = Readout(C, "every").apply(params, jnp.asarray(last), jnp.asarray(ys), REAL)
    assert outputs.shape == (B, T, C)
    assert_close(outputs, np.einsum("bth,hc->btc", ys, params["W"]) + params["b"])


def test_mean_is_over_real_steps_and_without_them_over_all() -> None:
    params, last, ys = arguments()
    readout = Readout(C, "mean")
    outputs = readout.apply(params, jnp.asarray(last), jnp.asarray(ys), jnp.asarray(REAL))
    assert_close(outputs[1], ys[1].mean(0) @ params["W"] + params["b"])
    assert_close(outputs[2], ys[2, :4].mean(0) @ params["W"] + params["b"])
    assert_close(outputs[0], params["b"])  # a row without a real step
    everything = readout.apply(params, jnp.asarray(last), jnp.asarray(ys))
    assert_close(everything, ys.sum(1) / T @ params["W"] + params["b"])


def test_a_row_without_a_real_step_has_finite_gradients() -> None:
    params, last, ys = arguments()
    readout = Readout(C, "mean")
    grads = jax.grad(lambda p, ys: (readout.apply(p, last, ys, jnp.asarray(REAL)) ** 2).sum(), (0, 1))(
        params, jnp.asarray(ys)
    )
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


def test_last_after_unroll_is_the_last_real_step() -> None:
    cell, cell_params = gr.LSTM(H, param_dtype="float64"), parameters("lstm", 4, H)
    params, _, _ = arguments()
    xs = np.random.default_rng(1).normal(size=(B, T, 4))
    final, ys = gr.unroll(cell, cell_params, xs, lengths=LENGTHS)
    outputs = Readout(C).apply(params, cell.hidden(final), None)
    for b in (1, 2):
        assert_close(outputs[b], np.asarray(ys)[b, LENGTHS[b] - 1] @ params["W"] + params["b"])


def test_it_says_what_the_layer_below_must_store() -> None:
    assert [Readout(C, mode).outputs for mode in ("last", "mean", "attention", "every")] == ["none", *["all"] * 3]


@pytest.mark.parametrize("mode", ["mean", "attention", "every"])
def test_missing_outputs_are_named(mode: str) -> None:
    params, last, _ = arguments()
    with pytest.raises(ValueError, match=f"mode='{mode}'"):
        Readout(C, mode).apply({**params, "attention": {}}, jnp.asarray(last), None)


def test_a_readout_drops_states_in_training_alone() -> None:
    params, last, ys = arguments()
    readout = Readout(C, "mean", dropout=0.75)
    clean = Readout(C, "mean").apply(params, jnp.asarray(last), jnp.asarray(ys), REAL)
    assert_close(readout.apply(params, jnp.asarray(last), jnp.asarray(ys), REAL), clean)
    kept = np.asarray(jax.random.bernoulli(KEY, 0.25, (B, H)))
    assert kept.any() and not kept.all()
    states = np.where(kept, ys.sum(1) / np.maximum(LENGTHS, 1)[:, None] / 0.25, 0)
    assert_close(
        readout.apply(params, jnp.asarray(last), jnp.asarray(ys), REAL, KEY), states @ params["W"] + params["b"]
    )
    with pytest.raises(ValueError, match=r"^dropout=1 must be a rate: a number, at least 0 and below 1$"):
        Readout(C, dropout=1)


def test_pooling_belongs_to_attention() -> None:
    with pytest.raises(ValueError, match=r"^pooling=.* is for mode='attention', here mode='mean'$"):
        Readout(C, "mean", pooling=AttentionPooling(3))


def test_an_unknown_mode_is_named_with_the_choices() -> None:
    with pytest.raises(ValueError, match="mode='first'") as caught:
        Readout(C, "first")
    for mode in ("last", "mean", "attention", "every"):
        assert mode in str(caught.value)


def test_init_and_identity_of_a_readout() -> None:
    params = Readout(C, kernel_init=gr.Constant(0.5), param_dtype=jnp.bfloat16).init(KEY, H)
    assert {key: (value.shape, value.dtype) for key, value in params.items()} == {
        "W": ((H, C), jnp.bfloat16),
        "b": ((C,), jnp.bfloat16),
    }
    np.testing.assert_array_equal(params["W"], np.full((H, C), 0.5))
    np.testing.assert_array_equal(params["b"], np.zeros(C))
    assert len({Readout(C), Readout(C, "last"), Readout(C, "mean"), Readout(3)}) == 3


def test_an_embedding_gives_the_row_of_each_token() -> None:
    table = np.random.default_rng(0).normal(size=(7, 3))
    tokens = np.array([[0, 6, 2], [2, 2, 5]], np.int32)
    np.testing.assert_array_equal(Embedding(7, 3).apply({"E": jnp.asarray(table)}, tokens), table[tokens])
    gradient = jax.grad(lambda e: Embedding(7, 3).apply({"E": e}, tokens).sum())(jnp.asarray(table))
    np.testing.assert_array_equal(gradient, np.bincount(tokens.ravel(), minlength=7)[:, None] * np.ones(3))


def test_an_embedding_is_drawn_from_the_standard_normal() -> None:
    # 6000 numbers: 5 standard errors of the variance are 9 %, of the mean 6.5 %.
    values = Embedding(60, 100, param_dtype=jnp.float32).init(KEY)["E"]
    assert values.shape == (60, 100)
    assert values.dtype == jnp.float32
    np.testing.assert_allclose(np.var(values), 1, rtol=0.09)
    np.testing.assert_allclose(np.mean(values), 0, atol=0.065)
    assert Embedding(60, 100) == Embedding(60, 100) != Embedding(61, 100)
    np.testing.assert_allclose(Embedding(60, 100, scale=0.25).init(KEY)["E"], values / 4, rtol=1e-6)
    with pytest.raises(ValueError, match=r"^scale=0 must be a standard deviation: above 0$"):
        Embedding(60, 100, scale=0)
