"""Properties of the GRU's relatives: Flax's MGU, blocks as dense kernels, gates that sum to 1, errors.

Tolerances: 1e-12 in float64 and 2e-6 in float32, on values of order 1.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import gru_research as gr
from gru_research.cells import base
from tests.oracles import gru_step, min_gru_step, parameters

KEY = jax.random.key(0)
I, H, B = 4, 6, 3  # noqa: E741


def inputs(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# MGU


@pytest.mark.parametrize(("reset", "reset_gate"), [("after", True), ("none", False)])
def test_mgu_is_the_one_of_flax(reset: str, reset_gate: bool) -> None:
    flax_cell = nn.MGUCell(H, reset_gate=reset_gate)
    params = {key: value.astype("float32") for key, value in parameters("mgu_after", I, H).items()}
    theirs: dict[str, Any] = {f"i{gate}": {"kernel": params[f"W_{gate}"], "bias": params[f"b_{gate}"]} for gate in "fn"}
    theirs |= {f"h{gate}": {"kernel": params[f"U_{gate}"]} for gate in "fn"}
    if reset_gate:
        theirs["hn"]["bias"] = params["c_n"]
    else:
        del params["c_n"]
    h, x = inputs(B, H).astype("float32"), inputs(B, I, seed=3).astype("float32")
    cell = gr.MGU(H, reset=reset)
    expected, _ = jax.jit(flax_cell.apply)({"params": theirs}, h, x)
    carry, y = jax.jit(cell.step)(params, h, x)
    np.testing.assert_allclose(carry, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(carry, y)
    shapes = jax.eval_shape(lambda: cell.init(KEY, I))
    assert {k: v.shape for k, v in shapes.items()} == {k: v.shape for k, v in params.items()}
    flax_shapes = jax.eval_shape(lambda: flax_cell.init(KEY, h, x))["params"]
    assert jax.tree.map(jnp.shape, theirs) == jax.tree.map(jnp.shape, flax_shapes)
    bias = gr.MGU(H, reset=reset, recurrent_init="zeros").init(KEY, I)["b_f"]
    np.testing.assert_array_equal(bias, flax_cell.forget_bias_init(KEY, (H,)))


def test_the_sign_of_keep_is_that_of_the_gates_parameters_only_where_nothing_resets() -> None:
    h, x = inputs(B, H), inputs(B, I, seed=3)
    with jax.enable_x64(True):
        for reset, equal in (("none", True), ("before", False), ("after", False)):
            flax_like, paper_like = (gr.MGU(H, reset=reset, keep=keep, param_dtype="float64") for keep in ("f", "1-f"))
            params = {k: a for k, a in parameters("mgu_after", I, H).items() if reset == "after" or k != "c_n"}
            turned = {key: -value if key.endswith("_f") else value for key, value in params.items()}
            a, b = jax.jit(flax_like.step)(params, h, x)[1], jax.jit(paper_like.step)(turned, h, x)[1]
            assert np.allclose(a, b, rtol=1e-12, atol=1e-12) == equal


# BlockGRU


@pytest.mark.parametrize(("reset", "heads"), [("before", 2), ("after", 3)])
@pytest.mark.usefixtures("x64")
def test_blocks_are_a_gru_with_block_diagonal_kernels(reset: str, heads: int) -> None:
    rng, size = np.random.default_rng(4), H // heads
    params = parameters(f"gru_{reset}", I, H)
    blocks = {f"U_{gate}": rng.normal(size=(heads, size, size)) for gate in "rzn"}
    dense = params | {key: scipy.linalg.block_diag(*b) for key, b in blocks.items()}
    h, x, weights = inputs(B, H), inputs(B, I, seed=3), inputs(B, H, seed=4)

    def run(cell: Any) -> Any:
        def loss(params: Any) -> Any:
            carry, y = cell.step(params, jnp.asarray(h), jnp.asarray(x))
            return (weights * jnp.sin(cell.step(params, carry, jnp.asarray(x))[1])).sum(), y

        return jax.jit(jax.grad(loss, has_aux=True))

    grads, y = run(gr.BlockGRU(H, heads=heads, reset=reset, param_dtype="float64"))(params | blocks)
    dense_grads, dense_y = run(gr.GRU(H, reset=reset, param_dtype="float64"))(dense)
    np.testing.assert_allclose(y, dense_y, rtol=1e-12, atol=1e-12)
    for b in range(B):
        np.testing.assert_allclose(y[b], gru_step(dense, (h[b],), x[b], {}, reset)[1], rtol=1e-12, atol=1e-12)
    for key, grad in grads.items():
        wanted = np.asarray(dense_grads[key])
        if key in blocks:
            wanted = np.stack([wanted[n * size :, n * size :][:size, :size] for n in range(heads)])
        assert np.abs(wanted).max() > 1e-3
        np.testing.assert_allclose(grad, wanted, rtol=1e-12, atol=1e-12, err_msg=key)


def test_products_with_blocks_are_accumulated_in_float32() -> None:
    # As with a dense kernel: a sum kept in bfloat16 would stop growing at 4.
    kernel = jnp.full((2, 1024, 1), 0.01, "bfloat16")
    result = base.product(jnp.ones(2048, "bfloat16"), kernel, jnp.dtype("bfloat16"))
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, [1024 * float(jnp.bfloat16(0.01))] * 2, rtol=1e-6)


def test_a_block_gru_needs_heads_that_divide_its_units() -> None:
    for heads, parts in ((4, ("heads=4", "hidden_size=6")), (0, ("heads=0", "at least 1")), (True, ("heads=True",))):
        with pytest.raises(ValueError, match=parts[0]) as caught:
            gr.BlockGRU(6, heads=heads)
        assert all(part in str(caught.value) for part in parts)
    with pytest.raises(ValueError, match="reset='sometimes'"):
        gr.BlockGRU(8, reset="sometimes")
    assert gr.BlockGRU(8, recurrent_init="orthogonal", heads=np.int64(4)) == gr.BlockGRU(8)  # type: ignore[arg-type]
    counts = [
        sum(v.size for k, v in jax.eval_shape(lambda c=c: c.init(KEY, I)).items() if k[0] == "U")
        for c in (gr.BlockGRU(12, heads=3), gr.GRU(12))
    ]
    assert counts[0] * 3 == counts[1]


# minGRU and minLSTM


def test_the_papers_min_gru_has_the_other_sign() -> None:
    # Feng et al. 2024: h = (1 - z) h_prev + z n.
    params, h, x = parameters("min_gru", I, H), inputs(H), inputs(I, seed=3)
    turned = {key: -value if key.endswith("_z") else value for key, value in params.items()}
    _, ours, g = min_gru_step(params, (h,), x, {})
    z = 1 / (1 + np.exp(-(x @ turned["W_z"] + turned["b_z"])))
    np.testing.assert_allclose(ours, (1 - z) * h + z * g["n"], rtol=1e-12)
    with jax.enable_x64(True):
        _, y = gr.MinGRU(H, param_dtype="float64").step(params, jnp.asarray(h), jnp.asarray(x))
        np.testing.assert_allclose(y, (1 - z) * h + z * g["n"], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_min_lstm_gates_are_right_where_both_sigmoids_round_to_0(dtype: str) -> None:
    # sigmoid(-200) is 0 in float32: f' / (f' + i') would be 0 / 0. There it is sigmoid(a_f - a_i).
    cell = gr.MinLSTM(4, dtype=dtype)
    a_f = jnp.array([-200.0, -199.0, -300.0, 200.0], dtype)
    a_i = jnp.array([-200.0, -200.0, -200.0, 200.0], dtype)
    p = {"i": a_i, "f": a_f, "g": jnp.ones(4, dtype)}

    def forget(p: Any) -> Any:
        g = cell.gates({}, jnp.zeros(4), p)
        return g["f"].astype("float32").sum(), g

    grads, g = jax.grad(forget, has_aux=True)(p)
    odds = (a_f - a_i).astype("float32")
    assert g["f"].dtype == dtype
    tolerance = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    np.testing.assert_allclose(g["f"].astype("float32"), [*jax.nn.sigmoid(odds[:3]), 0.5], atol=tolerance)
    np.testing.assert_allclose((g["f"] + g["i"]).astype("float32"), 1, atol=tolerance)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(grads))


@pytest.mark.parametrize("kind", [gr.MinGRU, gr.MinLSTM])
def test_gates_do_not_depend_on_the_carry(kind: Any) -> None:
    cell = kind(H)
    params, x = cell.init(KEY, I), jnp.asarray(inputs(I), "float32")
    a, b = (cell.gates(params, jnp.asarray(h, "float32"), cell.project(params, x)) for h in (inputs(H), np.zeros(H)))
    jax.tree.map(np.testing.assert_array_equal, a, b)
    assert not hasattr(cell, "recurrent_init")


@pytest.mark.parametrize(
    ("kind", "options", "parts"),
    [
        (gr.MGU, {"reset": "sometimes"}, ("reset='sometimes'", "before, after, none")),
        (gr.MGU, {"keep": "z"}, ("keep='z'", "f, 1-f")),
        (gr.MGU, {"gate": "sine"}, ("gate='sine'", "hard_sigmoid")),
        (gr.MinGRU, {"activation": "sine"}, ("activation='sine'", "identity")),
        (gr.MinLSTM, {"activation": "sine"}, ("activation='sine'", "identity")),
        (gr.MinGRU, {"dtype": "int32"}, ("dtype='int32'", "bfloat16")),
        (gr.MinLSTM, {"kernel_init": "orthagonal"}, ("kernel_init='orthagonal'", "orthogonal")),
    ],
)
def test_a_mistake_is_named_with_its_value_and_the_choices(
    kind: Any, options: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        kind(H, **options)
    for part in parts:
        assert part in str(caught.value)
