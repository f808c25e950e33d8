"""Both directions against the oracles run forward and in reverse. Tolerance: 1e-12 in float64."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.layers import MERGES
from tests.faults import fault, seen
from tests.oracles import pack, parameters, random_carry, sequence

I, H, B, T = 4, 5, 3, 6  # noqa: E741
KEY = jax.random.key(0)
LENGTHS = np.array([0, 6, 4])
STREAMS = {
    "lengths": LENGTHS,
    "mask": np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1]], bool),
    "resets": np.array([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 1]], bool),
}
LAYER = gr.Bidirectional(gr.LSTM(H, param_dtype="float64"), gr.GRU(H, reset="before", param_dtype="float64"))
NAMES = {"forward": "lstm", "backward": "gru_before"}


pytestmark = pytest.mark.usefixtures("x64")


def arguments() -> tuple[dict[str, Any], np.ndarray, Any]:
    params = {d: parameters(name, I, H, seed=i) for i, (d, name) in enumerate(NAMES.items())}
    carries = tuple(random_carry(name, (B,), H) for name in NAMES.values())
    return params, np.random.default_rng(2).normal(size=(B, T, I)), carries


def oracle(params: Any, xs: Any, carries: Any = (None, None), **streams: Any) -> tuple[Any, list[np.ndarray]]:
    """The carries and the outputs of both directions."""
    finals, outputs = [], []
    for (direction, name), carry in zip(NAMES.items(), carries, strict=True):
        reverse = direction == "backward"
        final, ys, _ = sequence(name, params[direction], xs, initial_carry=carry, reverse=reverse, **streams)
        finals.append(pack(final))
        outputs.append(ys)
    return tuple(finals), outputs


def merged(merge: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return {"concat": np.concatenate([a, b], -1), "sum": a + b, "mean": (a + b) / 2, "product": a * b}[merge]


def assert_close(actual: Any, expected: Any) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("merge", MERGES)
def test_both_directions_are_the_oracles_merged(merge: str) -> None:
    params, xs, carries = arguments()
    finals, outputs = oracle(params, xs, carries, **STREAMS)
    layer = dataclasses.replace(LAYER, merge=merge)
    result = layer.apply(params, xs, initial_carry=tuple(pack(c) for c in carries), **STREAMS)
    assert isinstance(result[0], tuple)
    assert_close(result, (finals, merged(merge, *outputs)))
    assert result[1].shape == (B, T, layer.output_size)
    assert (np.asarray(result[1])[np.arange(T) >= LENGTHS[:, None]] == 0).all()
    assert_close(layer.hidden(result[0]), merged(merge, finals[0][1], finals[1]))


def test_rows_of_other_lengths_are_rows_cut_by_hand() -> None:
    params, xs, _ = arguments()
    carry, ys = LAYER.apply(params, xs, lengths=LENGTHS)
    for b in (1, 2):
        row = xs[b : b + 1, : LENGTHS[b]]
        end, forward, _ = sequence("lstm", params["forward"], row)
        start, backward, _ = sequence("gru_before", params["backward"], row[:, ::-1])
        expected = np.concatenate([forward, backward[:, ::-1]], -1)
        assert_close(ys[b, : LENGTHS[b]], expected[0])
        assert_close(jax.tree.map(lambda a, b=b: a[b], carry), jax.tree.map(lambda a: a[0], (end, start[0])))
        # The end of the backward cell is at a row's first step.
        assert_close(LAYER.hidden(carry)[b], np.concatenate([ys[b, LENGTHS[b] - 1, :H], ys[b, 0, H:]]))


def test_padding_reaches_no_output_and_no_gradient() -> None:
    params, xs, _ = arguments()

    def loss(params: Any, xs: Any) -> Any:
        carry, ys = LAYER.apply(params, xs, lengths=LENGTHS)
        return (ys**2).sum() + sum(a.sum() for a in jax.tree.leaves(carry))

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    padding = (np.arange(T) >= LENGTHS[:, None])[..., None]
    clean = run(params, np.where(padding, 0.0, xs))
    assert all((np.asarray(leaf) != 0).any() for leaf in jax.tree.leaves(clean))
    jax.tree.map(np.testing.assert_array_equal, run(params, np.where(padding, np.nan, xs)), clean)


def test_options_and_learned_initial_carries() -> None:
    layer = gr.Bidirectional(
        dataclasses.replace(LAYER.forward, learn_initial_carry=True),  # type: ignore[type-var]
        dataclasses.replace(LAYER.backward, learn_initial_carry=True),  # type: ignore[type-var]
    )
    params = {d: parameters(name, I, H, learned=True) for d, name in NAMES.items()}
    _, xs, _ = arguments()
    finals, _ = oracle(params, xs, **STREAMS)
    options = gr.UnrollOptions(outputs="none", time_major=True)
    turned = {name: value if name == "lengths" else value.T for name, value in STREAMS.items()}
    carry, ys = layer.apply(params, np.swapaxes(xs, 0, 1), options=options, **turned)
    assert ys is None
    assert_close(carry, finals)
    first = layer.initial_carry(params, (2, B))
    expected = ((params["forward"]["c_0"], params["forward"]["h_0"]), params["backward"]["h_0"])
    assert_close(first, jax.tree.map(lambda a: np.broadcast_to(a, (2, B, H)), expected))


def test_as_a_layer_of_a_stack() -> None:
    params, xs, _ = arguments()
    cell = gr.VanillaRNN(3, param_dtype="float64")
    top = parameters("rnn_tanh", 2 * H, 3)
    carry, ys = gr.Stack((LAYER, cell)).apply([params, top], xs, **STREAMS)
    finals, outputs = oracle(params, xs, **STREAMS)
    final, expected, _ = sequence("rnn_tanh", top, merged("concat", *outputs), **STREAMS)
    assert_close((carry, ys), ((finals, final[0]), expected))


@pytest.mark.parametrize(("merge", "size"), [("concat", 2 * H), ("sum", H)])
def test_sizes_and_draws(merge: str, size: int) -> None:
    layer = gr.Bidirectional(gr.VanillaRNN(H), gr.VanillaRNN(H), merge)
    stack = gr.Stack((layer, layer, gr.GRU(3)))
    shapes = jax.eval_shape(lambda key: stack.init(key, I), KEY)
    assert [p["forward"]["W_h"].shape for p in shapes[:2]] == [(I, H), (size, H)]
    assert [p["backward"]["W_h"].shape for p in shapes[:2]] == [(I, H), (size, H)]
    assert shapes[2]["W_z"].shape == (size, 3)
    assert (layer.output_size, stack.output_size) == (size, 3)
    params = layer.init(KEY, I)
    assert (np.asarray(params["forward"]["W_h"]) != params["backward"]["W_h"]).all()


@pytest.mark.parametrize("noise", [gr.Noise(input_dropout=0.5), gr.Noise(weight_noise=0.5)])
def test_each_direction_draws_noise_of_its_own(noise: gr.Noise) -> None:
    cell = gr.VanillaRNN(40, activation="identity", param_dtype="float64")
    one = {"W_h": np.eye(40), "U_h": np.zeros((40, 40)), "b_h": np.zeros(40)}
    layer, params = gr.Bidirectional(cell, cell, noise=noise), {"forward": one, "backward": one}
    xs = np.ones((1, 1, 40))
    _, ys = layer.apply(params, xs, key=KEY)
    assert (np.asarray(ys)[..., :40] != np.asarray(ys)[..., 40:]).any()
    jax.tree.map(np.testing.assert_array_equal, layer.apply(params, xs)[1], np.ones((1, 1, 80)))


def test_noise_in_a_stack_is_the_layers_own_or_the_stacks() -> None:
    cell = gr.VanillaRNN(40, activation="identity", param_dtype="float64")
    one = {"W_h": np.eye(40), "U_h": np.zeros((40, 40)), "b_h": np.zeros(40)}
    params, xs = {"forward": one, "backward": one}, np.ones((1, 1, 40))
    found = {}
    for own in (None, gr.Noise(), gr.Noise(input_dropout=0.75)):
        stack = gr.Stack((gr.Bidirectional(cell, cell, noise=own),), noise=gr.Noise(input_dropout=0.5))
        found[own] = list(np.unique(stack.apply([params], xs, key=KEY)[1]))
    assert found == {None: [0, 2], gr.Noise(): [1], gr.Noise(input_dropout=0.75): [0, 4]}


def test_zoneouts_expectation_holds_in_both_directions() -> None:
    params, xs, _ = arguments()
    noise = gr.Noise(zoneout=0.25)
    _, ys = dataclasses.replace(LAYER, noise=noise).apply(params, xs)
    flipped = jnp.flip(jnp.asarray(xs), 1)
    _, forward = gr.Stack((LAYER.forward,), noise=noise).apply([params["forward"]], xs)
    _, backward = gr.Stack((LAYER.backward,), noise=noise).apply([params["backward"]], flipped)
    assert_close(ys, np.concatenate([forward, np.flip(backward, 1)], -1))
    assert (np.abs(np.asarray(ys) - LAYER.apply(params, xs)[1]) > 1e-3).any()


# Mistakes


@fault("cells and layers", "a step of a bidirectional layer")
def test_it_has_no_step_nor_has_a_stack_that_holds_it() -> None:
    params, xs, carries = arguments()
    carry = tuple(pack(c) for c in carries)
    with pytest.raises(ValueError, match=r"Bidirectional.*no step.*end of a sequence") as caught:
        LAYER.step(params, carry, xs[:, 0])
    seen(caught)
    cell = gr.GRU(I, param_dtype="float64")
    stack = gr.Stack((cell, LAYER))
    below = parameters("gru_after", I, I)
    with pytest.raises(ValueError, match=r"no step.*cells\[1\].*Bidirectional"):
        stack.step([below, params], (np.zeros((B, I)), carry), xs[:, 0])


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((gr.GRU(3), gr.GRU(3), "max"), ("merge='max'", *MERGES)),
        ((gr.GRU(3), gr.GRU(4), "sum"), ("merge='sum'", "3", "4")),
        ((gr.GRU(3), "gru"), ("backward='gru'", "cell")),
        ((None, gr.GRU(3)), ("forward=None", "cell")),
        ((gr.Bidirectional(gr.GRU(3), gr.GRU(3)), gr.GRU(3)), ("forward=Bidirectional", "cell")),
    ],
)
def test_a_mistake_is_named_with_its_value_and_the_choices(arguments: tuple[Any, ...], parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        gr.Bidirectional(*arguments)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("carries", [1, 3])
def test_another_number_of_carries_is_refused(carries: int) -> None:
    params, xs, _ = arguments()
    with pytest.raises(ValueError, match=f"initial_carry holds {carries} carries; the directions are 2"):
        LAYER.apply(params, xs, initial_carry=(np.zeros((B, H)),) * carries)


def test_bidirectionals_are_frozen_values() -> None:
    made = {gr.Bidirectional(gr.GRU(3), gr.GRU(3), *m) for m in ((), ("concat",), ("sum",), ("sum", gr.Noise()))}
    assert len(made) == 3
    with pytest.raises(AttributeError):
        LAYER.merge = "sum"  # type: ignore[misc]
