"""Attention pooling against NumPy, with padding, rows of padding alone and gradients. Tolerance: 1e-12 in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import gru_research as gr
from gru_research.layers import AttentionPooling, Readout

H, A, C, B, T = 5, 4, 2, 4, 6
LENGTHS = np.array([3, 6, 1, 0])
REAL = np.arange(T) < LENGTHS[:, None]

pytestmark = pytest.mark.usefixtures("x64")
KEY = jax.random.key(0)


def arguments() -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(H, A)), "b": rng.normal(size=A), "v": rng.normal(size=A)}
    return params, np.where(REAL[..., None], rng.normal(size=(B, T, H)), 0.0)


def oracle(params: dict[str, np.ndarray], row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pooled state and the weights of one row of real steps `[T, H]`."""
    scores = np.array([params["v"] @ np.tanh(h @ params["W"] + params["b"]) for h in row])
    weights = np.exp(scores) / np.exp(scores).sum()
    return weights @ row, weights


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


def test_it_is_the_weighted_mean_of_real_steps() -> None:
    params, ys = arguments()
    pooled, weights = AttentionPooling(A).apply(params, jnp.asarray(ys), jnp.asarray(REAL))
    for b, steps in enumerate(LENGTHS[:3]):
        state, shares = oracle(params, ys[b, :steps])
        close(pooled[b], state)
        close(weights[b], np.pad(shares, (0, T - steps)))
    close(pooled[3], 0)
    close(weights[3], 0)


def test_without_padding_all_steps_count() -> None:
    params, ys = arguments()
    pooled, weights = AttentionPooling(A).apply(params, jnp.asarray(ys))
    for b in range(B):
        state, shares = oracle(params, ys[b])
        close(pooled[b], state)
        close(weights[b], shares)


def test_padding_and_its_width_change_nothing() -> None:
    params, ys = arguments()
    apply = jax.jit(AttentionPooling(A).apply)
    pooled, _ = apply(params, jnp.asarray(ys), jnp.asarray(REAL))
    wider, _ = apply(params, jnp.pad(ys, ((0, 0), (0, 3), (0, 0))), jnp.pad(REAL, ((0, 0), (0, 3))))
    close(wider, pooled)


def test_gradients_and_a_row_of_padding_alone() -> None:
    params, ys = arguments()
    real = jnp.asarray(REAL)
    check_grads(lambda p, y: AttentionPooling(A).apply(p, y, real)[0], (params, ys), order=1, modes=["rev"])
    grads = jax.grad(lambda y: (AttentionPooling(A).apply(params, y, real)[0] ** 2).sum())(jnp.asarray(ys))
    close(grads[3], 0)
    assert np.isfinite(grads).all()


def test_a_readout_reads_the_pooled_state() -> None:
    params, ys = arguments()
    rng = np.random.default_rng(1)
    readout = Readout(C, "attention", param_dtype=jnp.float64, pooling=AttentionPooling(A, param_dtype=jnp.float64))
    shapes = jax.tree.map(jnp.shape, readout.init(KEY, H))
    assert shapes == {"W": (H, C), "b": (C,), "attention": {"W": (H, A), "b": (A,), "v": (A,)}}
    whole = {"W": rng.normal(size=(H, C)), "b": rng.normal(size=C), "attention": params}
    outputs = readout.apply(whole, jnp.zeros((B, H)), jnp.asarray(ys), jnp.asarray(REAL))
    close(outputs[0], oracle(params, ys[0, :3])[0] @ whole["W"] + whole["b"])
    close(outputs[3], whole["b"])


def test_states_in_16_bits_are_averaged_in_32() -> None:
    with jax.enable_x64(False):
        params, ys = arguments()
        pooling = AttentionPooling(A, param_dtype=jnp.bfloat16)
        few = jax.tree.map(lambda a: jnp.asarray(a, jnp.bfloat16), params)
        pooled, weights = pooling.apply(few, jnp.asarray(ys, jnp.bfloat16), jnp.asarray(REAL))
        assert pooled.dtype == jnp.bfloat16 and weights.dtype == jnp.float32
        close(weights[2], np.eye(T)[0])


def test_fields_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^size=0 must be "):
        AttentionPooling(0)
    assert AttentionPooling(3) == AttentionPooling(3) != AttentionPooling(3, gr.Constant(0.1))
