"""What doesn't fit a Stack or a Bidirectional is refused with one line that names the layer; what fits beside it runs.

What a single cell refuses is in tests/cells/test_shape_checks.py, there also as a layer.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr

I, H, B, T = 2, 3, 2, 3  # noqa: E741
XS = jnp.asarray(np.random.default_rng(0).normal(size=(B, T, I)), "float32")
KEY = jax.random.key(0)
CELLS: tuple[Any, ...] = (gr.GRU(H), gr.LSTM(H), gr.VanillaRNN(H), gr.MinGRU(H))
SLIGHT = settings(max_examples=30, deadline=None, derandomize=True)


def refused(error: type[Exception], words: tuple[str, ...], function: Any, *a: Any, **o: Any) -> None:
    with pytest.raises(error) as caught:
        function(*a, **o)
    assert type(caught.value) is error
    message = str(caught.value).partition("\n--------------------\n")[0]  # where JAX says that it left frames out
    assert "\n" not in message
    for word in words:
        assert word in message, message


def params_of(stack: gr.Stack) -> list[Any]:
    """Parameters of a stack, drawn by NumPy: `init` would compile."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(lambda: stack.init(jax.random.key(0), I))
    return jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), a.dtype), shapes)


def apply(stack: gr.Stack, params: Any) -> Any:
    return stack.apply(params, XS)


def apply_within_jit(stack: gr.Stack, params: Any) -> Any:
    return jax.jit(stack.apply)(params, XS)


def step(stack: gr.Stack, params: Any) -> Any:
    carry = tuple(cell.initial_carry({}, (B,)) for cell in stack.cells)  # type: ignore[union-attr]
    return stack.step(params, carry, XS[:, 0])


def initial_carry(stack: gr.Stack, params: Any) -> Any:
    return stack.initial_carry(params, (B,))


@SLIGHT
@given(
    st.lists(st.sampled_from(CELLS), min_size=1, max_size=3),
    st.sampled_from(["plain", "residual", "highway"]),
    st.sampled_from([apply, apply_within_jit, step, initial_carry]),
    st.integers(0, 4),
)
def test_parameters_are_one_a_layer(cells: list[Any], connections: str, run: Any, count: int) -> None:
    stack = gr.Stack(tuple(cells), connections=connections if len(cells) > 1 else "plain")
    params = params_of(stack)
    given_count = (params * 5)[:count]
    if count != len(cells):
        words = (f"params holds {count} layers; the stack has {len(cells)} layers",)
        refused(ValueError, words, run, stack, given_count)
        refused(ValueError, words, run, stack, tuple(given_count))
    refused(ValueError, ("params of layers have the keys",), run, stack, {"W_r": 1, "W_z": 2})
    refused(TypeError, ("params is None and must be a list of",), run, stack, None)
    refused(TypeError, ("params is an array (2, 3, 2) and must be a list of",), run, stack, XS)


@SLIGHT
@given(st.permutations(CELLS), st.sampled_from(["plain", "highway"]), st.integers(0, 2), st.booleans())
def test_a_layer_whose_parameters_are_anothers_is_named(
    cells: list[Any], connections: str, layer: int, within_jit: bool
) -> None:
    stack = gr.Stack(tuple(cells[:3]), connections=connections)
    params = params_of(stack)
    other = cells[3].init(KEY, I if layer == 0 else H)
    around = layer > 0 and connections == "highway"
    params[layer] = params[layer] | {"layer": other} if around else other
    path = f"params[{layer}]" + ("['layer']" if around else "")
    run = apply_within_jit if within_jit else apply
    refused(ValueError, (path, f"{type(cells[layer]).__name__}(hidden_size=3)"), run, stack, params)


def test_layers_of_other_sizes_are_named_with_what_they_read() -> None:
    stack = gr.Stack((gr.GRU(H), gr.LSTM(H)))
    params = params_of(stack)
    taller = [params[0], gr.LSTM(H).init(KEY, 5)]
    words = ("the output of cells[0] has the shape (2, 3, 3); its last axis must be 5, as the parameters have it",)
    refused(ValueError, words, apply, stack, taller)
    words = ("xs has the shape (2, 3, 2); its last axis must be 4, as the parameters have it",)
    refused(ValueError, words, apply, stack, [gr.GRU(H).init(KEY, 4), params[1]])
    wider = [params[0], gr.LSTM(4).init(KEY, H)]
    refused(ValueError, ("params[1]['", "instead of", "LSTM(hidden_size=3)"), apply, stack, wider)


def test_highways_have_their_own_parameters() -> None:
    stack = gr.Stack((gr.GRU(H), gr.GRU(H)), connections="highway")
    below, above = params_of(stack)
    refused(
        ValueError,
        ("params[1] has ", "a layer with a highway has layer and highway"),
        apply,
        stack,
        [below, above["layer"]],
    )
    wrong = above | {"highway": {"W_t": jnp.ones((H, 2)), "b_t": jnp.ones(H)}}
    refused(
        ValueError,
        ("params[1]['highway']['W_t'] has the shape (3, 2) instead of (3, 3)",),
        apply,
        stack,
        [below, wrong],
    )
    wrong = above | {"highway": {"W_t": jnp.ones((H, H))}}
    refused(ValueError, ("params[1]['highway'] has no b_t",), apply, stack, [below, wrong])
    plain = dataclasses.replace(stack, connections="plain")
    refused(ValueError, ("params[1] has no", "but highway, layer"), apply, plain, [below, above])
    t = 1 / (1 + np.exp(-0.5))  # W_t = 0, b_t = .5
    simple = above | {"highway": {"W_t": jnp.zeros((H, H)), "b_t": jnp.full(H, 0.5)}}
    x, y = gr.unroll(gr.GRU(H), below, XS)[1], plain.apply([below, above["layer"]], XS)[1]
    np.testing.assert_allclose(stack.apply([below, simple], XS)[1], t * y + (1 - t) * x, rtol=1e-5, atol=1e-6)


def test_a_bidirectionals_parameters_are_those_of_both_directions() -> None:
    both = gr.Bidirectional(gr.GRU(H), gr.LSTM(H))
    gru, lstm = params_of(gr.Stack((gr.GRU(H),)))[0], params_of(gr.Stack((gr.LSTM(H),)))[0]
    params = {"forward": gru, "backward": lstm}

    def run(params: Any) -> Any:
        return both.apply(params, XS)

    refused(TypeError, ("params is a list: a Bidirectional has a mapping with forward and backward",), run, [gru, lstm])
    refused(ValueError, ("params has forward: a Bidirectional has forward and backward",), run, {"forward": gru})
    refused(ValueError, ("params has forward, backward, up:",), run, params | {"up": gru})
    refused(ValueError, ("W_z", "a Bidirectional has forward and backward"), run, gru)
    refused(ValueError, ("params['forward'] has no", "GRU(hidden_size=3)"), run, {"forward": lstm, "backward": gru})
    refused(ValueError, ("params['backward'] has no", "LSTM(hidden_size=3)"), run, {"forward": gru, "backward": gru})
    refused(ValueError, ("params has forward:",), both.initial_carry, {"forward": gru}, (B,))
    stack = gr.Stack((gr.GRU(H), both))
    inside = {"forward": gr.GRU(H).init(KEY, H), "backward": gr.GRU(H).init(KEY, H)}
    refused(ValueError, ("params[1]['backward'] has no", "LSTM(hidden_size=3)"), apply, stack, [gru, inside])
    ys = run(params)[1]
    np.testing.assert_allclose(ys[..., :H], gr.unroll(gr.GRU(H), gru, XS)[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ys[..., H:], gr.unroll(gr.LSTM(H), lstm, XS, reverse=True)[1], rtol=1e-5, atol=1e-6)


def test_carries_are_one_a_layer() -> None:
    stack = gr.Stack((gr.GRU(H), gr.GRU(H)))
    params = params_of(stack)
    h = jnp.zeros((B, H))
    for wrong, words in [
        ((h,), ("carry holds 1 carries; the stack has 2 layers",)),
        ([h, h, h], ("carry holds 3 carries; the stack has 2 layers",)),
        (h, ("carry is an array (2, 3) and must be a list of 2 carries",)),
        ({"0": h, "1": h}, ("carry is a dict and must be a list of 2 carries",)),
    ]:
        kind = ValueError if "holds" in words[0] else TypeError
        refused(kind, (f"initial_{words[0]}",), stack.apply, params, XS, initial_carry=wrong)
        refused(kind, words, stack.step, params, wrong, XS[:, 0])
    both = gr.Bidirectional(gr.GRU(H), gr.GRU(H))
    two = {"forward": params[0], "backward": params[0]}
    refused(ValueError, ("initial_carry holds 3 carries",), both.apply, two, XS, initial_carry=(h, h, h))
    refused(TypeError, ("initial_carry is an array (2, 3)",), both.apply, two, XS, initial_carry=h)
    np.testing.assert_array_equal(stack.apply(params, XS, initial_carry=[h, h])[1], stack.apply(params, XS)[1])


@pytest.mark.parametrize("options", ["autodiff", None, {"backend": "autodiff"}, gr.UnrollOptions])
def test_options_are_unroll_options(options: Any) -> None:
    cell = gr.GRU(H)
    params = params_of(gr.Stack((cell,)))
    words = ("options=", "must be UnrollOptions, as UnrollOptions(backend='autodiff')")
    refused(TypeError, words, gr.unroll, cell, params[0], XS, options=options)
    refused(TypeError, words, gr.trace, cell, params[0], XS, options=options)
    refused(TypeError, words, gr.Stack((cell,)).apply, params, XS, options=options)
    two = {"forward": params[0], "backward": params[0]}
    refused(TypeError, words, gr.Bidirectional(cell, cell).apply, two, XS, options=options)


@pytest.mark.parametrize("field", ["mask", "resets"])
def test_masks_and_resets_are_booleans_of_every_step(field: str) -> None:
    cell = gr.GRU(H)
    params = params_of(gr.Stack((cell,)))
    for run in (lambda **o: gr.unroll(cell, params[0], XS, **o), lambda **o: gr.Stack((cell,)).apply(params, XS, **o)):
        for wrong, kind, words in [
            (np.ones((B, T)), ValueError, (f"{field} of type float32 must be boolean",)),
            (np.ones((B, T), int), ValueError, (f"{field} of type int32 must be boolean",)),
            (np.ones((T, B), bool), ValueError, (f"{field} has the shape (3, 2); with this input it must be (2, 3)",)),
            ("all", TypeError, (f"{field}='all' isn't an array",)),
            ([[True], [True, False]], TypeError, (f"{field}=[[True], [True, False]] isn't an array",)),
        ]:
            refused(kind, words, run, **{field: wrong})
        for wrong in ("all", [[1], [1, 2]]):
            refused(TypeError, ("lengths=",), run, lengths=wrong)
        assert run(**{field: np.ones((B, T), bool).tolist()})[1].shape == (B, T, H)
