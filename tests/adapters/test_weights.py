"""Weights to and from the real libraries: outputs and final carries.

Tolerances: 1e-12 in float64, and 1e-6 for Keras, which computes in float32 here, on values of the size of 1.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.adapters.weights import LAYOUTS, from_library, to_library
from tests.adapters import peers
from tests.adapters.peers import COMPUTES, make, ours
from tests.oracles import pack, parameters, random_carry

I, H, B, T = 3, 4, 2, 3  # noqa: E741
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}
KEYWORD = {"torch": "bias", "keras": "use_bias", "equinox": "use_bias"}

pytestmark = [
    pytest.mark.usefixtures("x64"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]


def inputs(features: int = I) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(B, T, features))


@functools.partial(jax.jit, static_argnums=(0, 4))
def unrolled(cell: Any, params: Any, xs: Any, carry: Any, reverse: bool = False) -> Any:
    return gr.unroll(cell, params, xs, initial_carry=carry, reverse=reverse)


def assert_same(layer: str, cell: Any, params: Any, carry: Any, ys: Any, final: Any) -> None:
    """Our cell with `params` gives the library's outputs and final carry."""
    dtype = peers.dtype(layer)
    result = unrolled(cell, *jax.tree.map(lambda a: np.asarray(a, dtype), (params, inputs(), pack(carry))))
    for a, b in zip(jax.tree.leaves(result), [*final, ys], strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[dtype])


def test_every_layout_has_a_real_layer() -> None:
    assert set(COMPUTES) == set(LAYOUTS)


@pytest.mark.parametrize("layer", COMPUTES)
def test_from_the_real_layer(layer: str) -> None:
    cell, carry = make(COMPUTES[layer], H), random_carry(COMPUTES[layer], (B,), H)
    weights, ys, final = peers.run(layer, None, inputs(), carry)
    params = from_library(layer, cell, weights)
    expected = {name: a.shape for name, a in parameters(COMPUTES[layer], I, H).items()}
    assert {name: a.shape for name, a in params.items()} == expected
    assert all(isinstance(a, np.ndarray) and a.dtype == peers.dtype(layer) for a in params.values())
    assert_same(layer, cell, params, carry, ys, final)


@pytest.mark.parametrize("layer", COMPUTES)
def test_into_the_real_layer(layer: str) -> None:
    cell, carry = make(COMPUTES[layer], H), random_carry(COMPUTES[layer], (B,), H)
    params = ours(layer, I, H)
    _, ys, final = peers.run(layer, to_library(layer, cell, params), inputs(), carry)
    assert_same(layer, cell, params, carry, ys, final)


@pytest.mark.parametrize("layer", [layer for layer, layout in LAYOUTS.items() if layout.biasless])
def test_layers_without_biases_both_ways(layer: str) -> None:
    cell, carry = make(COMPUTES[layer], H), random_carry(COMPUTES[layer], (B,), H)
    none = {KEYWORD[layer.split(".")[0]]: False}
    weights, ys, final = peers.run(layer, None, inputs(), carry, **none)
    params = from_library(layer, cell, weights, bias=False)
    assert_same(layer, cell, params, carry, ys, final)
    _, again, final = peers.run(layer, to_library(layer, cell, params, bias=False), inputs(), carry, **none)
    np.testing.assert_array_equal(again, ys)
    with pytest.raises(ValueError, match="bias=False"):
        from_library(layer, cell, weights)


def test_torchs_relu() -> None:
    cell, carry = make("rnn_relu", H), random_carry("rnn_relu", (B,), H)
    for layer in ("torch.RNN", "torch.RNNCell"):
        weights, ys, final = peers.run(layer, None, inputs(), carry, nonlinearity="relu")
        assert_same(layer, cell, from_library(layer, cell, weights), carry, ys, final)


@pytest.mark.parametrize("layer", ["keras.GRU", "linen.LSTMCell"])
def test_functions_that_the_librarys_user_chooses(layer: str) -> None:
    name = {"keras": "recurrent_activation", "linen": "gate_fn"}[layer.split(".")[0]]
    chosen: Any = "silu" if layer.startswith("keras") else jax.nn.silu
    cell, carry = make(COMPUTES[layer], H, gate="silu"), random_carry(COMPUTES[layer], (B,), H)
    weights, ys, final = peers.run(layer, None, inputs(), carry, **{name: chosen})
    assert_same(layer, cell, from_library(layer, cell, weights), carry, ys, final)


# Layers and directions


def apply(model: Any, params: Any, xs: Any, carries: list[Any]) -> tuple[list[Any], Any]:
    """Layers of cells, or of forward and backward cells, by hand."""
    finals = []
    for cell, layer_params in zip(model, params, strict=True):
        if isinstance(cell, dict):
            (f, forward), (b, backward) = (
                unrolled(cell[d], layer_params[d], xs, carries.pop(0), d == "backward") for d in cell
            )
            finals += [f, b]
            xs = np.concatenate([forward, backward], -1)
        else:
            final, xs = unrolled(cell, layer_params, xs, carries.pop(0))
            finals.append(final)
    return finals, xs


@pytest.mark.parametrize("both", [False, True], ids=["one direction", "two directions"])
@pytest.mark.parametrize("layer", ["torch.GRU", "torch.LSTM", "torch.RNN"])
def test_torchs_layers_and_directions(layer: str, both: bool) -> None:
    variant, count = COMPUTES[layer], 4 if both else 2
    cell = make(variant, H)
    model: list[Any] = [{"forward": cell, "backward": cell} if both else cell] * 2
    carries = random_carry(variant, (count, B), H)
    options = {"num_layers": 2, "bidirectional": both}
    weights, ys, final = peers.run(layer, None, inputs(), carries, **options)
    params = from_library(layer, model, weights)
    finals, ours = apply(model, params, inputs(), [pack(tuple(a[k] for a in carries)) for k in range(count)])
    np.testing.assert_allclose(ours, ys, rtol=0, atol=1e-12)
    for k, carry in enumerate(finals):
        for a, b in zip(jax.tree.leaves(carry), final, strict=True):
            np.testing.assert_allclose(a, b[k], rtol=0, atol=1e-12)
    # Torch's order of names, and the same outputs from what is written back.
    written = to_library(layer, model, params)
    assert list(written) == list(weights)
    _, again, _ = peers.run(layer, written, inputs(), carries, **options)
    np.testing.assert_allclose(again, ys, rtol=0, atol=1e-12)


def test_a_stack_loads_torchs_layers() -> None:
    stack, carry = gr.Stack((make("gru_after", H), make("gru_after", H))), random_carry("gru_after", (2, B), H)
    weights, ys, (final,) = peers.run("torch.GRU", None, inputs(), carry, num_layers=2)
    params = from_library("torch.GRU", stack, weights)
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, stack.init(jax.random.key(0), I))
    finals, ours = stack.apply(params, jnp.asarray(inputs()), initial_carry=list(carry[0]))
    np.testing.assert_allclose(ours, ys, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.stack(finals), final, rtol=0, atol=1e-12)


def test_kerass_two_directions_one_by_one() -> None:
    keras = peers.need("keras")
    cell = make("gru_after", H)
    layer = keras.layers.Bidirectional(keras.layers.GRU(H, return_sequences=True, name="gru"), name="both")
    layer.build((B, T, I))
    layer.set_weights(peers.randomized(layer.get_weights()))
    weights = {v.path: v for v in layer.weights}
    start = {d: f"both/{d}_gru/gru_cell" for d in ("forward", "backward")}
    params = {d: from_library("keras.GRU", cell, weights, prefix=start[d]) for d in start}
    xs, carries = inputs().astype("float32"), [np.zeros((B, H), "float32")] * 2
    _, ys = apply([{"forward": cell, "backward": cell}], [params], xs, carries)
    np.testing.assert_allclose(ys, layer(jnp.asarray(xs)), rtol=0, atol=1e-6)
    written = {}
    for d in start:
        written |= to_library("keras.GRU", cell, params[d], prefix=start[d])
    assert list(written) == list(weights)


def test_linens_two_directions_one_by_one() -> None:
    from flax import linen

    cell = make("lstm", H)
    layer = linen.Bidirectional(*(linen.RNN(linen.LSTMCell(H, param_dtype=jnp.float64)) for _ in range(2)))
    variables = peers.randomized(jax.eval_shape(layer.init, jax.random.key(0), jnp.asarray(inputs())))
    start = {d: f"params.{d}_rnn.cell" for d in ("forward", "backward")}
    params = {d: from_library("linen.LSTMCell", cell, variables, prefix=p) for d, p in start.items()}
    carries = [(np.zeros((B, H)), np.zeros((B, H)))] * 2
    _, ys = apply([{"forward": cell, "backward": cell}], [params], inputs(), carries)
    np.testing.assert_allclose(ys, layer.apply(variables, jnp.asarray(inputs())), rtol=0, atol=1e-12)


def test_a_missing_library_skips_or_where_asked_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_library isn't installed"):
        peers.need("no_such_library")
    monkeypatch.setenv("REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE_PEERS=1, and no_such_library"):
        peers.need("no_such_library")
