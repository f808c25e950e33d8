"""Ten defects of Flax 0.12.8 that our modules don't have: what Flax does, where it is installed, and ours."""

import warnings
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from gru_research.adapters import linen as our_linen
from gru_research.adapters import nnx as ours
from tests.adapters.scenarios import B, H, I, T, assert_close, draw

FLAX_HAS_THEM = flax.__version__ == "0.12.8"
KEY = jax.random.key(0)
NORMAL_CARRY = nnx.initializers.normal()


def rnn(library: Any, kind: str = "GRUCell", **more: Any) -> Any:
    return library.RNN(getattr(library, kind)(I, H, rngs=nnx.Rngs(0), **more), return_carry=True)


def linen_rnn(library: Any, **more: Any) -> Any:
    module = library.RNN(library.GRUCell(H, **more), return_carry=True)
    params = module.init(KEY, draw(B, T, I))
    return lambda *arguments, **options: module.apply(params, *arguments, **options)


@pytest.mark.parametrize(("kind", "gates"), [("GRUCell", 3), ("OptimizedLSTMCell", 4)])
def test_1_recurrent_kernels_are_orthogonal_gate_by_gate(kind: str, gates: int) -> None:
    def singular_values(library: Any) -> Any:
        kernel = getattr(library, kind)(4, 64, rngs=nnx.Rngs(0)).dense_h.kernel[...]
        return np.stack([np.linalg.svd(block, compute_uv=False) for block in np.split(kernel, gates, axis=-1)])

    np.testing.assert_allclose(singular_values(ours), 1, atol=1e-5)
    if FLAX_HAS_THEM:
        assert singular_values(nnx).min() < 0.02


@pytest.mark.parametrize(
    ("make", "theirs", "mine"), [(rnn, nnx, ours), (linen_rnn, nn, our_linen)], ids=["nnx", "linen"]
)
def test_2_a_row_of_length_0_keeps_its_carry(make: Any, theirs: Any, mine: Any) -> None:
    lengths, initial, xs = np.array([0, T, 2]), draw(B, H), draw(B, T, I)
    for reverse in (False, True):
        carry, ys = make(mine)(xs, seq_lengths=lengths, initial_carry=initial, reverse=reverse)
        np.testing.assert_array_equal(carry[0], initial[0])
        assert (ys[0] == 0).all()
    if FLAX_HAS_THEM:
        carry, ys = make(theirs)(xs, seq_lengths=lengths, initial_carry=initial)
        np.testing.assert_array_equal(carry[0], ys[0, -1])


@pytest.mark.parametrize(
    ("make", "theirs", "mine"), [(rnn, nnx, ours), (linen_rnn, nn, our_linen)], ids=["nnx", "linen"]
)
def test_3_lengths_of_two_batch_axes(make: Any, theirs: Any, mine: Any) -> None:
    xs, lengths = draw(2, B, T, I), np.array([[1, T, 3], [2, 4, T]])
    carry, ys = make(mine)(xs, seq_lengths=lengths)
    for k in range(2):
        assert_close((carry[k], ys[k]), make(mine)(xs[k], seq_lengths=lengths[k]))
    if FLAX_HAS_THEM:
        with pytest.raises(ValueError, match="shape"):
            make(theirs)(xs, seq_lengths=lengths)


@pytest.mark.parametrize("foreign", [False, True])
def test_4_nan_in_padding_reaches_no_gradient(foreign: bool) -> None:
    xs, lengths = draw(B, T, I), np.array([1, T, 3])
    padded = np.where((np.arange(T) < lengths[:, None])[..., None], xs, np.nan).astype(np.float32)

    def gradient(module: Any) -> Any:
        def loss(module: Any) -> Any:
            _, ys = module(padded, seq_lengths=lengths)
            return jnp.where((jnp.arange(T) < lengths[:, None])[..., None], ys, 0).sum()

        return jax.tree.leaves(nnx.grad(loss)(module))

    module = ours.RNN(nnx.GRUCell(I, H, rngs=nnx.Rngs(0)), return_carry=True) if foreign else rnn(ours)
    assert all(np.isfinite(g).all() for g in gradient(module))
    if FLAX_HAS_THEM:
        assert not all(np.isfinite(g).all() for g in gradient(rnn(nnx)))


def test_5_parameters_in_16_bits_can_be_drawn() -> None:
    for kind in ("GRUCell", "LSTMCell", "OptimizedLSTMCell", "SimpleCell"):
        cell = getattr(ours, kind)(I, H, rngs=nnx.Rngs(0), param_dtype=jnp.bfloat16)
        assert {a.dtype for a in jax.tree.leaves(nnx.state(cell))} == {jnp.dtype(jnp.bfloat16)}
    _, ys = linen_rnn(our_linen, param_dtype=jnp.bfloat16)(draw(B, T, I).astype(jnp.bfloat16))
    assert ys.dtype == jnp.bfloat16
    if FLAX_HAS_THEM:
        with pytest.raises(NotImplementedError):
            rnn(nnx, param_dtype=jnp.bfloat16)
        with pytest.raises(NotImplementedError):
            linen_rnn(nn, param_dtype=jnp.bfloat16)


@pytest.mark.parametrize(
    ("make", "theirs", "mine"), [(rnn, nnx, ours), (linen_rnn, nn, our_linen)], ids=["nnx", "linen"]
)
def test_6_dtype_is_the_type_of_the_outputs(make: Any, theirs: Any, mine: Any) -> None:
    carry, ys = make(mine, dtype=jnp.bfloat16)(draw(B, T, I))
    assert (carry.dtype, ys.dtype) == (jnp.float32, jnp.bfloat16)
    _, whole = make(mine)(draw(B, T, I))
    np.testing.assert_allclose(ys.astype(jnp.float32), whole, atol=0.02)
    if FLAX_HAS_THEM:
        assert make(theirs, dtype=jnp.bfloat16)(draw(B, T, I))[1].dtype == jnp.float32


CLOSURES: dict[str, Callable[[Any], Any]] = {
    "jit": lambda m: jax.jit(lambda x: m(x)),
    "vmap": lambda m: jax.vmap(lambda x: m(x)),
    "checkpoint": lambda m: jax.checkpoint(lambda x: m(x)),
}


@pytest.mark.parametrize("transform", CLOSURES)
def test_7_a_module_closed_over_by_a_transform_works(transform: str) -> None:
    xs, module = draw(B, T, I), rnn(ours)
    assert_close(CLOSURES[transform](module)(xs), module(xs))
    both = ours.Bidirectional(rnn(ours), rnn(ours))
    assert_close(CLOSURES[transform](both)(xs), both(xs))
    if FLAX_HAS_THEM:
        with pytest.raises(flax.errors.TraceContextError):
            CLOSURES[transform](rnn(nnx))(xs)


def test_8_an_rng_stream_is_taken_and_zeros_need_none() -> None:
    def make(library: Any, **more: Any) -> Any:
        with warnings.catch_warnings(action="ignore"):  # Flax's, about carry_init
            return library.RNN(library.GRUCell(I, H, rngs=nnx.Rngs(0), **more), **options)

    xs, options = draw(B, T, I), {"rngs": nnx.RngStream(5, tag="carry")}
    assert (make(ours, carry_init=NORMAL_CARRY)(xs) != make(ours)(xs)).any()
    if FLAX_HAS_THEM:
        with pytest.raises(ValueError, match="Expected rngs"):
            make(nnx)
    options = {"rngs": False}
    assert make(ours)(xs).shape == (B, T, H)
    with pytest.raises(ValueError, match="rngs=None"):
        make(ours, carry_init=NORMAL_CARRY)(xs)
    if FLAX_HAS_THEM:
        with pytest.raises(ValueError, match="RNGs must be provided"):
            make(nnx)(xs)


def test_9_the_nnx_gru_can_have_a_hidden_bias() -> None:
    cell = ours.GRUCell(I, H, rngs=nnx.Rngs(0), hidden_bias=True)
    cell.bias_hn[...] = jnp.ones(H)
    plain = ours.GRUCell(I, H, rngs=nnx.Rngs(0))
    carry, x = draw(B, H), draw(B, I)
    W, U, b = cell.dense_i.kernel[...], cell.dense_h.kernel[...], cell.dense_i.bias[...]
    r, z = jax.nn.sigmoid(x @ W[:, : 2 * H] + b[: 2 * H] + carry @ U[:, : 2 * H]).reshape(B, 2, H).swapaxes(0, 1)
    n = jnp.tanh(x @ W[:, 2 * H :] + b[2 * H :] + r * (carry @ U[:, 2 * H :] + 1))
    assert_close(cell(carry, x)[1], z * carry + (1 - z) * n)
    if FLAX_HAS_THEM:  # the same tree as ours without the bias: nowhere to put one
        theirs = nnx.GRUCell(I, H, rngs=nnx.Rngs(0))
        assert jax.tree.structure(nnx.state(theirs)) == jax.tree.structure(nnx.state(plain))
        assert len(jax.tree.leaves(nnx.state(cell))) == len(jax.tree.leaves(nnx.state(theirs))) + 1


def test_10_an_lstms_parameters_load_into_the_optimized_one() -> None:
    separate, fused = (getattr(ours, k)(I, H, rngs=nnx.Rngs(3)) for k in ("LSTMCell", "OptimizedLSTMCell"))
    nnx.update(fused, nnx.State(ours.fuse_lstm(nnx.state(separate))))
    carry, x = (draw(B, H), draw(B, H, seed=1)), draw(B, I)
    assert_close(fused(carry, x), separate(carry, x))
    if FLAX_HAS_THEM:
        trees = [nnx.state(getattr(nnx, k)(I, H, rngs=nnx.Rngs(3))) for k in ("LSTMCell", "OptimizedLSTMCell")]
        assert jax.tree.structure(trees[0]) != jax.tree.structure(trees[1])
        assert "compatible with ``LSTMCell``" in nnx.OptimizedLSTMCell.__doc__
