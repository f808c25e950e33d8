"""Stacks against the layers by hand and the oracles on top of each other. Tolerance: 1e-12 in float64."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
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


pytestmark = pytest.mark.usefixtures("x64_compiled_fast")


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
