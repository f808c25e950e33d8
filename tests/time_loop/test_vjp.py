"""The hand-written gradient equals the automatic one under every option, is differentiable, and has no forward mode.

`test_unroll_gradients.py` compares the default, the hand-written gradient, with finite differences of the oracle. These
tests compare the other methods with it, to 1e-10 in float64.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.oracles import VARIANTS, pack, parameters, random_carry

I, H, B, T = 3, 5, 3, 7  # noqa: E741
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(B, T + 2, H))
XS = RNG.normal(size=(B, T, I))
STREAMS = {
    "lengths": np.array([0, 7, 5], np.int32),
    "mask": RNG.random((B, T)) < 0.7,
    "resets": RNG.random((B, T)) < 0.4,
}
DERIVED = gr.UnrollOptions(backend="autodiff")
HAND_WRITTEN = sorted(name for name in VARIANTS if name.startswith(("gru", "lstm", "rnn")))

pytestmark = pytest.mark.usefixtures("x64")


@functools.cache
def cell_of(name: str) -> Any:
    variant = VARIANTS[name]
    return getattr(gr, variant.kind)(H, **variant.options, param_dtype="float64", learn_initial_carry=True)


def value(name: str, options: gr.UnrollOptions, reverse: bool, streams: bool, arguments: Any) -> Any:
    params, xs, carry = arguments
    cell = cell_of(name)
    given = STREAMS if streams else {}
    final, ys = gr.unroll(cell, params, xs, initial_carry=carry, reverse=reverse, options=options, **given)
    ends = sum((WEIGHTS[:, T + i] * end).sum() for i, end in enumerate(jax.tree.leaves(final)))
    return ends if ys is None else ends + (WEIGHTS[:, :T] * ys).sum()


def arguments(name: str) -> Any:
    return parameters(name, I, H, learned=True), XS, pack(random_carry(name, (B,), H))


@functools.cache
def derived(name: str, reverse: bool, streams: bool, outputs: str = "all") -> Any:
    options = dataclasses.replace(DERIVED, outputs=outputs)
    return gradient(name, options, reverse, streams)


def gradient(name: str, options: gr.UnrollOptions, reverse: bool, streams: bool) -> Any:
    return jax.jit(jax.value_and_grad(functools.partial(value, name, options, reverse, streams)))(arguments(name))


def assert_close(actual: Any, expected: Any) -> None:
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10), actual, expected)


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_it_is_the_derived_gradient(name: str) -> None:
    assert_close(gradient(name, gr.UnrollOptions(backend="vjp"), False, True), derived(name, False, True))


@pytest.mark.parametrize(
    ("name", "reverse", "streams", "options"),
    [
        ("gru_after", True, True, {"save": "carry"}),
        ("gru_after", True, True, {"chunk": 3}),
        ("gru_after", True, True, {"chunk": 2, "save": "carry", "checkpoint": 4, "hoist": True}),
        ("gru_after", False, False, {"chunk": 7, "unroll": 2, "outputs": "none"}),
        ("gru_before", False, True, {"chunk": 3, "save": "carry"}),
        ("lstm_peepholes", True, True, {"chunk": 3, "save": "carry", "hoist": True}),
        ("lstm_peepholes", False, False, {"outputs": "none", "checkpoint": 3}),
        ("rnn_relu", True, True, {"chunk": 3, "save": "carry"}),
    ],
)
def test_no_option_changes_it(name: str, reverse: bool, streams: bool, options: dict[str, Any]) -> None:
    written = gradient(name, gr.UnrollOptions(backend="vjp", **options), reverse, streams)
    assert_close(written, derived(name, reverse, streams, options.get("outputs", "all")))


@pytest.mark.parametrize(
    ("name", "reverse", "options"),
    [
        ("gru_after", False, {}),
        ("gru_before", True, {"chunk": 3}),
        ("lstm_peepholes", False, {"chunk": 3, "save": "carry"}),
        ("rnn_tanh", True, {}),
    ],
)
def test_its_second_derivatives_are_the_derived_ones(name: str, reverse: bool, options: dict[str, Any]) -> None:
    direction = jax.tree.map(lambda a: np.random.default_rng(3).normal(size=np.shape(a)), arguments(name))

    def curvature(options: gr.UnrollOptions) -> Any:
        def slope(at: Any) -> Any:
            grads = jax.grad(functools.partial(value, name, options, reverse, True))(at)
            return sum((g * d).sum() for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True))

        return jax.jit(jax.grad(slope))(arguments(name))  # forward over reverse: test_unroll_gradients.py

    written = curvature(gr.UnrollOptions(backend="vjp", **options))
    assert_close(written, curvature(DERIVED))
    assert min(np.abs(leaf).max() for leaf in jax.tree.leaves(written[:2])) > 1e-3


@pytest.mark.parametrize("transform", ["jvp", "jacfwd"])
def test_forward_mode_names_the_option_that_has_it(transform: str) -> None:
    def run(xs: Any, options: gr.UnrollOptions) -> Any:
        params, _, carry = arguments("gru_after")
        return gr.unroll(cell_of("gru_after"), params, xs, initial_carry=carry, options=options)[1]

    def forward(options: gr.UnrollOptions) -> Any:
        f = functools.partial(run, options=options)
        return jax.jvp(f, (XS,), (XS,)) if transform == "jvp" else jax.jacfwd(f)(XS)

    for options in (gr.UnrollOptions(), gr.UnrollOptions(backend="vjp")):
        with pytest.raises(TypeError, match="backend='autodiff'"):
            forward(options)
    if transform == "jvp":
        _, tangent = forward(DERIVED)
        above, below = (run(XS * (1 + step), DERIVED) for step in (1e-6, -1e-6))
        np.testing.assert_allclose(tangent, (above - below) / 2e-6, rtol=1e-6, atol=1e-8)


def test_a_cell_with_other_functions_is_differentiated_by_jax() -> None:
    cell = gr.GRU(H, gate="hard_sigmoid", activation=jnp.sin)
    params = cell.init(jax.random.key(0), I)
    xs = jnp.asarray(XS, jnp.float32)
    with pytest.raises(ValueError, match=r"backend='vjp' isn't there.*auto, autodiff"):
        gr.unroll(cell, params, xs, options=gr.UnrollOptions(backend="vjp"))
    ours = jax.grad(lambda p: gr.unroll(cell, p, xs)[1].sum())(params)

    def loop(p: Any) -> Any:
        h, total = cell.initial_carry(params, (B,)), 0.0
        for t in range(T):
            h, y = cell.step(p, h, xs[:, t])
            total = total + y.sum()
        return total

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), ours, jax.grad(loop)(params))


def test_equal_cells_stay_equal_whichever_way_a_function_is_given() -> None:
    assert gr.GRU(H, gate=jax.nn.sigmoid, activation=jnp.tanh) == gr.GRU(H)
    with pytest.raises(ValueError, match=r"activation='sine' is unknown; choose from tanh, sigmoid"):
        gr.LSTM(H, activation="sine")


def test_bfloat16_products_are_accumulated_in_float32() -> None:
    """A weight's gradient over 4,096 equal steps is the exact sum, which a bfloat16 accumulator can't reach."""
    cell = gr.VanillaRNN(1, activation="relu", dtype="bfloat16", recurrent_init="zeros")
    params = {"W_h": jnp.ones((1, 1)), "U_h": jnp.zeros((1, 1)), "b_h": jnp.zeros(1)}
    params = jax.tree.map(lambda a: a.astype("float32"), params)
    xs = jnp.ones((1, 4096, 1), "float32")
    grads = jax.grad(lambda p: gr.unroll(cell, p, xs)[1].astype(jnp.float32).sum())(params)
    assert grads["W_h"].item() == grads["b_h"].item() == 4096
    assert grads["W_h"].dtype == jnp.float32


def test_gradients_of_bfloat16_parameters_are_added_up_in_float32_over_chunks() -> None:
    """In bfloat16, 2,048 + 8 is 2,048."""
    cell = gr.VanillaRNN(1, activation="relu", param_dtype="bfloat16", recurrent_init="zeros")
    params = {"W_h": jnp.ones((1, 1)), "U_h": jnp.zeros((1, 1)), "b_h": jnp.zeros(1)}
    params = jax.tree.map(lambda a: a.astype("bfloat16"), params)
    xs, options = jnp.ones((1, 4096, 1), "bfloat16"), gr.UnrollOptions(chunk=8)
    grads = jax.grad(lambda p: gr.unroll(cell, p, xs, options=options)[1].astype(jnp.float32).sum())(params)
    assert grads["W_h"].item() == grads["b_h"].item() == 4096
    assert grads["W_h"].dtype == jnp.bfloat16


@pytest.mark.parametrize("name", ["gru_before", "lstm", "rnn_relu"])
def test_a_gradient_over_no_steps_is_that_of_the_initial_carry(name: str) -> None:
    params, _, carry = arguments(name)
    empty = np.zeros((B, 0, I))

    def final(params: Any, xs: Any, carry: Any) -> Any:
        final, ys = gr.unroll(cell_of(name), params, xs, initial_carry=carry)
        return sum(leaf.sum() for leaf in jax.tree.leaves(final)) + ys.sum()  # type: ignore[union-attr]

    d_params, d_xs, d_carry = jax.grad(final, argnums=(0, 1, 2))(params, empty, carry)
    assert d_xs.shape == empty.shape and all((leaf == 0).all() for leaf in jax.tree.leaves(d_params))
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(d_carry))


@pytest.mark.parametrize("chunk", [0, 3])
def test_vmap_of_a_gradient_is_the_gradient_of_each(chunk: int) -> None:
    options = gr.UnrollOptions(chunk=chunk)

    def run(params: Any, x: Any) -> Any:  # no batch axis
        ys = gr.unroll(cell_of("gru_after"), params, x, options=options)[1]
        return (ys**2).sum(), ys  # type: ignore[operator]

    params, xs, _ = arguments("gru_after")
    together = jax.jit(jax.vmap(jax.grad(run, has_aux=True), (None, 0)))(params, xs)
    outputs = jax.jit(jax.vmap(run, (None, 0)))(params, xs)[1]
    one = jax.jit(jax.grad(run, has_aux=True))
    each = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(one(params, x) for x in xs))
    assert_close(together, each)
    assert_close(outputs, each[1])
