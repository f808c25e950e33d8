"""Stacks against the layers by hand and the oracles on top of each other.

Tolerances in float64: 1e-12; gradients against central differences of fourth order 1e-8.
"""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.faults import fault, seen
from tests.oracles import Carry, pack, parameters, random_carry, sequence

I, H, TOP, B, T = 4, 5, 3, 3, 6  # noqa: E741
KEY = jax.random.key(0)
NAMES = ("gru_before", "lstm")
STACK = gr.Stack((gr.GRU(H, reset="before", param_dtype="float64"), gr.LSTM(TOP, param_dtype="float64")))
STREAMS = {
    "lengths": np.array([0, 6, 4]),
    "mask": np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1]], bool),
    "resets": np.array([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 1]], bool),
}


pytestmark = pytest.mark.usefixtures("x64")


def arguments() -> tuple[list[dict[str, Any]], np.ndarray, list[Carry]]:
    params = [parameters("gru_before", I, H, seed=1), parameters("lstm", H, TOP, seed=2)]
    carries = [random_carry("gru_before", (B,), H), random_carry("lstm", (B,), TOP)]
    return params, np.random.default_rng(2).normal(size=(B, T, I)), carries


def assert_close(actual: Any, expected: Any) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("streams", [{}, STREAMS], ids=["plain", "streams"])
def test_a_stack_is_the_oracles_on_top_of_each_other(streams: dict[str, Any]) -> None:
    params, xs, carries = arguments()
    ys, finals = xs, []
    for name, layer_params, carry in zip(NAMES, params, carries, strict=True):
        final, ys, _ = sequence(name, layer_params, ys, initial_carry=carry, **streams)
        finals.append(pack(final))
    result = STACK.apply(params, xs, initial_carry=tuple(pack(c) for c in carries), **streams)
    assert isinstance(result[0], tuple)
    assert_close(result, (tuple(finals), ys))


def test_without_an_initial_carry_layers_start_in_their_own() -> None:
    params, xs, _ = arguments()
    stack = dataclasses.replace(STACK, cells=[dataclasses.replace(c, learn_initial_carry=True) for c in STACK.cells])
    learned = [
        parameters(name, 1, cell.hidden_size, seed=3, learned=True)
        for name, cell in zip(NAMES, stack.cells, strict=True)
    ]
    params = [p | {k: v for k, v in q.items() if k.endswith("_0")} for p, q in zip(params, learned, strict=True)]
    first = stack.initial_carry(params, (B,))
    h, (c_top, h_top) = first
    for value, (layer, state) in zip((h, c_top, h_top), ((0, "h_0"), (1, "c_0"), (1, "h_0")), strict=True):
        np.testing.assert_array_equal(value, np.broadcast_to(params[layer][state], (B, *params[layer][state].shape)))
    run = jax.jit(lambda carry: stack.apply(params, xs, initial_carry=carry))
    assert_close(run(None), run(first))
    zeros = STACK.initial_carry(params, (2, 3))
    assert [a.shape for a in jax.tree.leaves(zeros)] == [(2, 3, H), (2, 3, TOP), (2, 3, TOP)]
    assert not any(np.any(a) for a in jax.tree.leaves(zeros))


def test_steps_are_apply() -> None:
    params, xs, carries = arguments()
    carry = tuple(pack(c) for c in carries)
    step, state, outputs = jax.jit(STACK.step), carry, []
    for t in range(T):
        state, y = step(params, state, xs[:, t])
        outputs.append(y)
    assert isinstance(state, tuple)
    assert_close(STACK.apply(params, xs, initial_carry=carry), (state, np.stack(outputs, 1)))


def test_options_are_the_whole_stacks_and_outputs_the_top_layers() -> None:
    params, xs, carries = arguments()
    carry = tuple(pack(c) for c in carries)
    options = gr.UnrollOptions(outputs="none", time_major=True, unroll=2)
    turned = {key: value if key == "lengths" else value.T for key, value in STREAMS.items()}
    final, ys = STACK.apply(params, np.swapaxes(xs, 0, 1), initial_carry=carry, options=options, **turned)
    assert ys is None
    assert_close(final, STACK.apply(params, xs, initial_carry=carry, **STREAMS)[0])


def test_a_key_draws_nothing_in_a_plain_stack() -> None:
    params, xs, _ = arguments()
    jaxprs = [jax.make_jaxpr(lambda xs, key=key: STACK.apply(params, xs, key=key))(xs) for key in (KEY, None)]
    assert str(jaxprs[0]) == str(jaxprs[1])


def test_gradients_reach_every_layer_and_padding_none() -> None:
    params, xs, _ = arguments()
    lengths = STREAMS["lengths"]

    def loss(params: Any, xs: Any) -> Any:
        final, ys = STACK.apply(params, xs, lengths=lengths)
        return (ys**2).sum() + sum(a.sum() for a in jax.tree.leaves(final))

    run = jax.jit(jax.grad(loss, argnums=(0, 1)))
    padding = (np.arange(T) >= lengths[:, None])[..., None]
    clean = run(params, np.where(padding, 0.0, xs))
    assert all((np.asarray(leaf) != 0).any() for leaf in jax.tree.leaves(clean))
    jax.tree.map(np.testing.assert_array_equal, run(params, np.where(padding, np.nan, xs)), clean)


def test_init_gives_each_layer_the_size_below_and_draws_of_its_own() -> None:
    stack = gr.Stack((gr.GRU(H), gr.GRU(H), gr.LSTM(TOP), gr.VanillaRNN(2)))
    shapes = jax.eval_shape(lambda key: stack.init(key, I), KEY)
    assert len(shapes) == 4
    assert [p["W_z" if "W_z" in p else "W_i" if "W_i" in p else "W_h"].shape for p in shapes] == [
        (I, H),
        (H, H),
        (H, TOP),
        (TOP, 2),
    ]
    params = gr.Stack((gr.VanillaRNN(H, recurrent_init="glorot_uniform"),) * 2).init(KEY, H)
    assert (np.asarray(params[0]["W_h"]) != params[1]["W_h"]).all()
    assert (np.asarray(params[0]["U_h"]) != params[1]["U_h"]).all()


def test_one_layer_of_any_kind_is_unroll() -> None:
    cell = gr.VanillaRNN(H, activation="relu", param_dtype="float64")
    params, xs = parameters("rnn_relu", I, H), arguments()[1]
    (final,), ys = gr.Stack((cell,)).apply([params], xs, lengths=STREAMS["lengths"])
    expected = gr.unroll(cell, params, xs, lengths=STREAMS["lengths"])
    assert_close((final, ys), expected)


def test_stacks_are_frozen_values() -> None:
    assert gr.Stack([gr.GRU(3), gr.LSTM(2)]) == gr.Stack((gr.GRU(3), gr.LSTM(2)))  # type: ignore[arg-type]
    stacks = {gr.Stack((gr.GRU(3),)), gr.Stack((gr.GRU(3),)), gr.Stack((gr.GRU(4),)), gr.Stack((gr.GRU(3),) * 2)}
    assert len(stacks) == 3
    with pytest.raises(AttributeError):
        STACK.cells = ()  # type: ignore[misc]


def test_each_layer_computes_in_its_own_type() -> None:
    stack = gr.Stack((gr.GRU(H, dtype="bfloat16"), gr.LSTM(TOP, dtype="float32", carry_dtype="bfloat16")))

    def run(key: Any, xs: Any) -> Any:
        params = stack.init(key, I)
        first = stack.initial_carry(params, (B,))
        return stack.step(params, first, xs[:, 0]), stack.apply(params, xs, initial_carry=first)

    for (h, top), y in jax.eval_shape(run, KEY, jax.ShapeDtypeStruct((B, T, I), jnp.float32)):
        assert (h.dtype, top[0].dtype, top[1].dtype, y.dtype) == ("float32", "bfloat16", "bfloat16", "float32")


# Connections


def connected(connections: str, noise: gr.Noise = gr.Noise()) -> tuple[Any, list[Any]]:
    """Three layers of one size, and their parameters."""
    cells = tuple(gr.GRU(H, reset="before", param_dtype="float64") for _ in range(2))
    stack = gr.Stack((*cells, gr.LSTM(H, param_dtype="float64")), connections=connections, noise=noise)
    inside = [parameters("gru_before", I, H), *(parameters(n, H, H, seed=1) for n in ("gru_before", "lstm"))]
    if connections != "highway":
        return stack, inside
    rng = np.random.default_rng(4)
    highways = [{"W_t": rng.normal(size=(H, H)), "b_t": rng.normal(size=H)} for _ in range(2)]
    return stack, [inside[0], *({"layer": p, "highway": w} for p, w in zip(inside[1:], highways, strict=True))]


def by_hand(connections: str, params: list[Any], xs: np.ndarray, **streams: Any) -> tuple[Any, np.ndarray]:
    finals, below = [], xs
    for layer, name in enumerate(("gru_before", "gru_before", "lstm")):
        around = layer > 0 and connections == "highway"
        final, ys, _ = sequence(name, params[layer]["layer"] if around else params[layer], below, **streams)
        if layer and connections == "residual":
            ys = below + ys
        if around:
            t = 1 / (1 + np.exp(-(below @ params[layer]["highway"]["W_t"] + params[layer]["highway"]["b_t"])))
            ys = t * ys + (1 - t) * below
        finals.append(pack(final))
        below = ys
    return tuple(finals), below


@pytest.mark.parametrize("streams", [{}, STREAMS], ids=["plain", "streams"])
@pytest.mark.parametrize("connections", ["residual", "highway"])
def test_connections_are_the_layers_by_hand(connections: str, streams: dict[str, Any]) -> None:
    stack, params = connected(connections)
    xs = arguments()[1]
    expected = by_hand(connections, params, xs, **streams)
    carry, ys = stack.apply(params, xs, **streams)
    assert_close((carry, ys), expected)
    if streams:
        real = (np.arange(T) < STREAMS["lengths"][:, None]) & STREAMS["mask"]
        assert (np.asarray(ys)[~real] == 0).all()
    none = stack.apply(params, xs, **streams, options=gr.UnrollOptions(outputs="none"))
    assert none[1] is None
    assert_close(none[0], expected[0])


@pytest.mark.parametrize("connections", ["plain", "residual", "highway"])
def test_steps_are_apply_with_connections_and_zoneouts_expectation(connections: str) -> None:
    noise = gr.Noise(0.5, 0.4, 0.3, 0.0, 0.2, 0.1)
    stack, params = connected(connections, (noise, noise, dataclasses.replace(noise, zoneout_cell=0.2)))  # type: ignore[arg-type]
    xs = arguments()[1]
    state, outputs, step = stack.initial_carry(params, (B,)), [], jax.jit(stack.step)
    for t in range(T):
        state, y = step(params, state, xs[:, t])
        outputs.append(y)
    found = stack.apply(params, xs)
    assert_close(found, (state, np.stack(outputs, 1)))
    plain = connected(connections)[0].apply(params, xs)[1]
    assert (np.abs(np.asarray(found[1]) - plain) > 1e-3).any()


def test_gradients_of_highways_are_finite_differences_and_padding_reaches_none() -> None:
    stack, params = connected("highway")
    xs = arguments()[1]

    def loss(params: Any, xs: Any) -> Any:
        return (jnp.sin(stack.apply(params, xs, **STREAMS)[1]) ** 2).sum()

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    value, (by_params, by_xs) = run(params, xs)
    np.testing.assert_allclose(value, (np.sin(by_hand("highway", params, xs, **STREAMS)[1]) ** 2).sum(), rtol=1e-12)
    rng = np.random.default_rng(5)
    for layer, name in itertools.product((1, 2), ("W_t", "b_t")):
        direction = rng.normal(size=params[layer]["highway"][name].shape)

        def moved(step: float, layer: int = layer, name: str = name, direction: Any = direction) -> float:
            new = [dict(p) for p in params]
            highway = new[layer]["highway"]
            new[layer]["highway"] = highway | {name: highway[name] + step * direction}
            return float((np.sin(by_hand("highway", new, xs, **STREAMS)[1]) ** 2).sum())

        numeric = (8 * (moved(1e-4) - moved(-1e-4)) - (moved(2e-4) - moved(-2e-4))) / 12e-4
        np.testing.assert_allclose((by_params[layer]["highway"][name] * direction).sum(), numeric, rtol=1e-8)
    unreal = ~((np.arange(T) < STREAMS["lengths"][:, None]) & STREAMS["mask"])[..., None]
    expected = run(params, np.where(unreal, 0.0, xs))
    jax.tree.map(np.testing.assert_array_equal, run(params, np.where(unreal, np.nan, xs)), expected)
    assert (np.asarray(by_xs)[unreal[..., 0]] == 0).all()


@pytest.mark.parametrize("bias", [-1.0, -3])
def test_a_highway_starts_out_carrying_its_input(bias: float) -> None:
    given = {} if bias == -1.0 else {"transform_bias": bias}
    stack = gr.Stack((gr.VanillaRNN(H, param_dtype="bfloat16"),) * 3, connections="highway", **given)  # type: ignore[arg-type]
    params = stack.init(KEY, I)
    assert set(params[0]) == {"W_h", "U_h", "b_h"}
    for layer in (1, 2):
        assert set(params[layer]) == {"layer", "highway"}
        highway = params[layer]["highway"]
        np.testing.assert_array_equal(highway["b_t"], np.full(H, bias))
        assert highway["W_t"].shape == (H, H)
        assert (np.asarray(highway["W_t"]) != params[layer]["layer"]["W_h"]).all()
        assert highway["W_t"].dtype == highway["b_t"].dtype == jnp.bfloat16
    assert (np.asarray(params[1]["highway"]["W_t"]) != params[2]["highway"]["W_t"]).all()


@pytest.mark.parametrize(
    ("layers", "options", "parts"),
    [
        (2, {"connections": "dense"}, ("connections='dense'", "plain", "residual", "highway")),
        (2, {"dropout": 1.0}, ("dropout=1.0", "below 1")),
        (2, {"dropout": True}, ("dropout=True", "rate")),
        (1, {"dropout": 0.5}, ("dropout=0.5", "between layers")),
        pytest.param(
            1,
            {"connections": "residual"},
            ("connections='residual'", "between layers"),
            marks=fault("cells and layers", "a residual connection with one layer"),
        ),
        (2, {"transform_bias": "low"}, ("transform_bias='low'", "number")),
    ],
)
def test_a_mistake_is_named_with_its_value_and_the_choices(
    layers: int, options: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        gr.Stack((gr.GRU(3),) * layers, **options)
    for part in parts:
        assert part in str(caught.value)
    seen(caught)


@pytest.mark.parametrize("connections", ["residual", "highway"])
def test_connections_need_layers_of_one_size(connections: str) -> None:
    both = gr.Bidirectional(gr.GRU(2), gr.GRU(2))
    assert gr.Stack((gr.GRU(4), both, gr.LSTM(4)), connections=connections).output_size == 4
    with pytest.raises(ValueError, match=rf"connections='{connections}'.*\[4, 4, 3\]"):
        gr.Stack((gr.GRU(4), both, gr.LSTM(3)), connections=connections)


# Mistakes


@pytest.mark.parametrize(
    ("cells", "value"),
    [((), "()"), (gr.GRU(3), "GRU"), ((3,), "3"), ((gr.GRU(3), "lstm"), "lstm")],
    ids=["none", "a cell", "a number", "a name"],
)
def test_what_are_no_cells_is_refused(cells: Any, value: str) -> None:
    with pytest.raises(ValueError, match="cells") as caught:
        gr.Stack(cells)
    assert value in str(caught.value)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_another_number_of_carries_is_refused(layers: int) -> None:
    params, xs, carries = arguments()
    carry = tuple(pack(c) for c in (*carries, carries[-1])[:layers])
    with pytest.raises(ValueError, match="initial_carry"):
        STACK.apply(params, xs, initial_carry=carry)
