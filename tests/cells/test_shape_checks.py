"""Arrays that don't fit a cell raise a one-line error before tracing; arrays that fit run.

Tested in a step, unroll, trace, within jit, and in a layer of a Stack and of a Bidirectional.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from gru_research.adapters import linen as ours_linen
from gru_research.adapters import nnx as ours_nnx
from gru_research.cells import base
from tests.oracles import VARIANTS, parameters

I, H, B, T = 3, 5, 2, 3  # noqa: E741
XS = np.random.default_rng(0).normal(size=(B, T, I)).astype("float32")
unroll: Any = gr.unroll
trace: Any = gr.trace
PLACES: dict[str, Callable[..., Any]] = {
    "step": lambda cell, params, xs: cell.step(params, cell.initial_carry(params, xs.shape[:-2]), xs[:, 0]),
    "unroll": lambda cell, params, xs: unroll(cell, params, xs),
    "trace": lambda cell, params, xs: trace(cell, params, xs),
    "jit": lambda cell, params, xs: jax.jit(lambda p, xs: unroll(cell, p, xs))(params, xs),
    "grad": lambda cell, params, xs: jax.grad(lambda p: unroll(cell, p, xs)[1].sum())(params),
    "stack": lambda cell, params, xs: gr.Stack((cell,)).apply([params], xs),
    "stack_step": lambda cell, params, xs: gr.Stack((cell,)).step(
        [params], (cell.initial_carry(params, xs.shape[:-2]),), xs[:, 0]
    ),
    "bidirectional": lambda cell, params, xs: gr.Bidirectional(cell, cell).apply(
        {"forward": params, "backward": params}, xs
    ),
}
SLIGHT = settings(max_examples=60, deadline=None, derandomize=True)


def make(name: str, **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(H, **VARIANTS[name].options, **options)


def weights(name: str, input_size: int = I, hidden_size: int = H) -> dict[str, Any]:
    params = parameters(name, input_size, hidden_size)
    return {key: jnp.asarray(a, "float32") for key, a in params.items() if not key.endswith("_0")}


def refused(error: type[Exception], words: tuple[str, ...], function: Callable[..., Any], *arguments: Any) -> None:
    with pytest.raises(error) as caught:
        function(*arguments)
    assert type(caught.value) is error
    message = str(caught.value).partition("\n--------------------\n")[0]  # JAX notes there that it hid frames
    assert "\n" not in message
    for word in words:
        assert word in message, message


def path(place: str, name: str) -> str:
    """Returns the path of the parameter `name` in the message, by place."""
    return {"stack": "params[0]", "stack_step": "params[0]", "bidirectional": "params['forward']"}.get(
        place, "params"
    ) + f"[{name!r}]"


# Parameters


@SLIGHT
@given(st.sampled_from(sorted(VARIANTS)), st.sampled_from(sorted(PLACES)), st.data())
def test_a_missing_a_surplus_and_a_misshapen_parameter_are_named(name: str, place: str, data: Any) -> None:
    cell, params = make(name), weights(name)
    cell.step(params, cell.initial_carry(params, (B,)), XS[:, 0])
    which = data.draw(st.sampled_from(sorted(params)))
    shape = params[which].shape
    kind = f"{VARIANTS[name].kind}(hidden_size={H}"
    run = PLACES[place]
    holder = path(place, which).removesuffix(f"[{which!r}]")

    without = {key: a for key, a in params.items() if key != which}
    refused(ValueError, (f"{holder} has no {which};", kind, f"{which} {shape}"), run, cell, without, XS)
    surplus = data.draw(st.sampled_from([n for n in ("c_n", "p_i", "h_0", "W_q") if n not in params]))
    refused(
        ValueError,
        (f"{holder} has {surplus}, which nothing reads;", kind),
        run,
        cell,
        params | {surplus: jnp.ones(H)},
        XS,
    )
    wrong = data.draw(st.sampled_from([(*shape[:-1], H + 1), (B, *shape), shape[1:], (*shape[:-1], 1)]))
    words = (f"{path(place, which)} has the shape {wrong} instead of {shape};", kind)
    refused(ValueError, words, run, cell, params | {which: jnp.ones(wrong)}, XS)


@SLIGHT
@given(st.sampled_from(sorted(VARIANTS)), st.sampled_from(sorted(VARIANTS)), st.sampled_from(sorted(PLACES)))
def test_another_cells_parameters_are_refused(name: str, other: str, place: str) -> None:
    cell, params = make(name), weights(other)
    own = jax.tree.map(jnp.shape, weights(name))
    if jax.tree.map(jnp.shape, params) == own:
        return
    refused(ValueError, ("params", f"{VARIANTS[name].kind}(hidden_size={H}"), PLACES[place], cell, params, XS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", VARIANTS)
def test_another_hidden_size_is_refused(name: str, place: str) -> None:
    kind = f"{VARIANTS[name].kind}(hidden_size={H}"
    for size in (10, 15, 1):
        if name.startswith("block") and size == 1:
            continue
        refused(
            ValueError,
            ("has the shape", "instead of", kind),
            PLACES[place],
            make(name),
            weights(name, I, size),
            XS,
        )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", VARIANTS)
def test_an_input_of_another_size_is_the_inputs_mistake(name: str, place: str) -> None:
    words = ("its last axis must be 3, as the parameters have it", "x")
    refused(ValueError, words, PLACES[place], make(name), weights(name), np.ones((B, T, I + 2), "float32"))


@pytest.mark.parametrize("place", PLACES)
def test_what_isnt_a_mapping_of_arrays_is_said_to_be_what_it_is(place: str) -> None:
    cell, params = gr.GRU(H), weights("gru_after")
    refused(TypeError, ("is a list: it must be a mapping", "W_r (3, 5)"), PLACES[place], cell, [params["W_r"]], XS)
    refused(TypeError, ("is None: it must be a mapping",), PLACES[place], cell, None, XS)
    refused(TypeError, ("is an array (3, 5): it must be a mapping",), PLACES[place], cell, params["W_r"], XS)
    for wrong, said in ((None, "None"), ([[1.0]], "a list"), ("W", "a str")):
        words = (f"{path(place, 'W_r')} is {said} instead of an array (3, 5)",)
        if place not in ("jit", "grad"):
            refused(ValueError, words, PLACES[place], cell, params | {"W_r": wrong}, XS)
    words = (f"{path(place, 'W_r')} of type complex64 must be of real numbers",)
    if place != "grad":
        refused(ValueError, words, PLACES[place], cell, params | {"W_r": params["W_r"] + 0j}, XS)


def test_a_learned_first_carry_is_asked_for_by_name() -> None:
    cell, plain = gr.LSTM(H, learn_initial_carry=True), weights("lstm")
    refused(
        ValueError,
        ("params has no c_0", "LSTM(hidden_size=5, learn_initial_carry=True)"),
        cell.initial_carry,
        plain,
        (B,),
    )
    learned = plain | {"c_0": jnp.full(H, 2.0), "h_0": jnp.full(H, 3.0)}
    c, h = cell.initial_carry(learned, (B,))
    np.testing.assert_array_equal((c, h), (np.full((B, H), 2.0), np.full((B, H), 3.0)))
    refused(ValueError, ("params has h_0, c_0",), unroll, gr.LSTM(H), plain | {"h_0": h[0], "c_0": c[0]}, XS)


def test_parameters_with_an_axis_more_are_for_vmap() -> None:
    cell = gr.GRU(H)
    many = jax.vmap(lambda key: cell.init(key, I))(jax.random.split(jax.random.key(0), 7))
    refused(ValueError, ("params['U_n'] has the shape (7, 5, 5) instead of (5, 5)",), unroll, cell, many, XS)
    _, ys = jax.vmap(lambda p: unroll(cell, p, XS))(many)
    one = unroll(cell, jax.tree.map(lambda a: a[2], many), XS)[1]
    np.testing.assert_allclose(ys[2], one, rtol=1e-5, atol=1e-6)


def test_parameters_of_other_types_than_param_dtype_are_used_as_they_are() -> None:
    cell, params = gr.GRU(H), weights("gru_after")
    half = jax.tree.map(lambda a: a.astype("bfloat16"), params)
    exact = jax.tree.map(lambda a: a.astype("float32"), half)
    np.testing.assert_allclose(unroll(cell, half, XS)[1], unroll(cell, exact, XS)[1], rtol=1e-5, atol=1e-6)


# The cell


def test_what_isnt_a_cell_is_said_to_be_what_it_is() -> None:
    cell, params = gr.GRU(H), weights("gru_after")
    stack, both = gr.Stack((cell,)), gr.Bidirectional(cell, cell)
    flax_nnx, flax_linen = nnx.GRUCell(I, H, rngs=nnx.Rngs(0)), linen.GRUCell(H)
    for run in (unroll, trace):
        refused(TypeError, ("cell is a Stack", "use its .apply(params, xs)"), run, stack, [params], XS)
        refused(TypeError, ("cell is a Bidirectional", "use its .apply(params, xs)"), run, both, {}, XS)
        for module in (flax_nnx, ours_nnx.GRUCell(I, H, rngs=nnx.Rngs(0)), ours_nnx.RNN(flax_nnx)):
            words = ("cell is a module of flax.nnx", "gru_research.adapters.nnx.RNN(cell)")
            refused(TypeError, words, run, module, params, XS)
        for module in (flax_linen, ours_linen.GRUCell(H), linen.GRUCell):
            words = ("cell is a module of flax.linen", "gru_research.adapters.linen.RNN(cell)")
            refused(TypeError, words, run, module, params, XS)
        for kind in (gr.GRU, gr.LSTM):
            words = (f"cell is the class {kind.__name__}", f"{kind.__name__}(hidden_size=8)")
            refused(TypeError, words, run, kind, params, XS)
        refused(TypeError, ("cell is a dict: the arguments are (cell, params, xs)",), run, params, cell, XS)
        refused(TypeError, ("cell is an array (2, 3, 3): the arguments are",), run, XS, params, cell)
        refused(TypeError, ("xs is a dict: the arguments are (cell, params, xs)",), run, cell, XS, params)
        refused(TypeError, ("params is a GRU: it must be a mapping",), run, cell, cell, XS)
    np.testing.assert_array_equal(stack.apply([params], XS)[1], unroll(cell, params, XS)[1])
    refused(TypeError, ("cells[1] is the class GRU: give an instance",), gr.Stack, (cell, gr.GRU))
    refused(TypeError, ("forward is the class LSTM: give an instance",), gr.Bidirectional, gr.LSTM, cell)


@dataclasses.dataclass(frozen=True)
class Counting:
    """h = tanh(x W), with a carry that also counts steps: a cell in the style of `docs/new_cell.md`."""

    hidden_size: int
    dtype: Any = None
    carry_dtype: Any = None

    def init(self, key: Any, input_size: int) -> dict[str, Any]:
        return {"W": jax.random.normal(key, (input_size, self.hidden_size))}

    def initial_carry(self, params: Any, batch: Any) -> Any:
        return {"h": jnp.zeros((*batch, self.hidden_size)), "steps": jnp.zeros((*batch, 1), jnp.int32)}

    def project(self, params: Any, x: Any) -> dict[str, Any]:
        return {"h": x @ params["W"]}

    def gates(self, params: Any, carry: Any, p: Any, fixed: Any = base.NOTHING_FIXED) -> dict[str, Any]:
        return {"h": jnp.tanh(p["h"] + 0.5 * carry["h"])} | dict(fixed)

    def combine(self, carry: Any, g: Any) -> Any:
        return {"h": g["h"].astype(carry["h"].dtype), "steps": carry["steps"] + 1}, g["h"]

    def step(self, params: Any, carry: Any, x: Any) -> Any:
        return base.step(self, params, carry, x)

    def hidden(self, carry: Any) -> Any:
        return carry["h"]


def lacking(part: str) -> Any:
    """Returns a `Counting` without `part`."""
    names = [f for f in ("dtype", "carry_dtype") if f != part]
    own = {name: value for name, value in vars(Counting).items() if callable(value) and not name.startswith("__")}
    own = {name: value for name, value in own.items() if name != part} | {"hidden_size": H} | dict.fromkeys(names)
    if part == "hidden_size":
        del own["hidden_size"]
    return type("Broken", (), own)()


@pytest.mark.parametrize(
    "part", ["hidden_size", "dtype", "carry_dtype", "initial_carry", "project", "gates", "combine"]
)
@pytest.mark.parametrize("place", ["step", "unroll", "trace", "jit"])
def test_an_own_cell_that_lacks_a_part_is_told_which(part: str, place: str) -> None:
    whole, broken, params = Counting(H), lacking(part), {"W": jnp.ones((I, H))}
    carry = whole.initial_carry(params, (B,))
    words = (f"cell is a Broken and has no {part}; docs/new_cell.md",)
    run = PLACES[place] if place != "step" else lambda cell, params, xs: cell.step(params, carry, xs[:, 0])
    refused(TypeError, words, run, broken, params, XS)
    run(whole, params, XS)


@pytest.mark.parametrize("part", ["advance", "factors", "backward", "cotangents", "hidden"])
def test_a_gradient_by_hand_that_lacks_a_part_is_told_which(part: str) -> None:
    parts = {name: lambda self: None for name in ("advance", "factors", "backward", "cotangents", "hidden")}
    own = {name: getattr(Counting, name) for name in ("init", "initial_carry", "project", "gates", "combine")}
    fields = {"hidden_size": H, "dtype": None, "carry_dtype": None}
    whole = {name: value for name, value in (own | parts | fields).items() if name != part}
    broken, params = type("Broken", (), whole | {"has_vjp": True})(), {"W": jnp.ones((I, H))}
    words = (f"cell is a Broken and has no {part}, which has_vjp asks for; docs/new_cell.md",)
    refused(TypeError, words, unroll, broken, params, XS)
    for more in ({}, {"has_vjp": False}, {"linear": None}):
        ys = unroll(type("Whole", (), whole | more)(), params, XS)[1]
        np.testing.assert_array_equal(ys, unroll(Counting(H), params, XS)[1])


def test_an_own_cell_without_init_or_with_another_one_is_run_on_what_it_gets() -> None:
    class Without(Counting):
        init = None  # type: ignore[assignment]

    class Other(Counting):
        def init(self, key: Any, input_size: int, gain: float) -> Any:  # type: ignore[override]
            return {"W": gain * jax.random.normal(key, (input_size, self.hidden_size))}

    params = {"W": jnp.full((I, H), 0.3), "note": jnp.ones(())}
    for kind in (Without, Other):
        final, ys = unroll(kind(H), params, XS)
        np.testing.assert_array_equal(ys, unroll(Counting(H), {"W": params["W"]}, XS)[1])
        np.testing.assert_array_equal(final["steps"], np.full((B, 1), T))
    words = ("params has note, which nothing reads; Counting(hidden_size=5)", "W (3, 5)")
    refused(ValueError, words, unroll, Counting(H), params, XS)


# The carry and the batch


@SLIGHT
@given(st.sampled_from(sorted(VARIANTS)), st.sampled_from([(), (1,), (3,), (B, 1)]), st.booleans())
def test_a_step_and_unroll_refuse_the_carry_of_another_batch(name: str, batch: tuple[int, ...], in_stack: bool) -> None:
    cell, params = make(name), weights(name)
    carry = cell.initial_carry(params, batch)
    found = str(jax.tree.map(jnp.shape, carry))
    wanted = str(jax.tree.map(jnp.shape, cell.initial_carry(params, (B,))))
    words = (f"carry has the shapes {found}", "with the batch (2,) of the inputs", wanted)
    if in_stack:
        refused(ValueError, words, lambda: gr.Stack((cell,)).step([params], (carry,), jnp.asarray(XS[:, 0])))
    else:
        refused(ValueError, words, cell.step, params, carry, jnp.asarray(XS[:, 0]))
    refused(
        ValueError,
        (f"initial_carry has the shapes {found}", wanted),
        lambda: unroll(cell, params, XS, initial_carry=carry),
    )


def test_a_step_refuses_the_carry_of_another_cell_and_takes_whole_numbers() -> None:
    lstm, gru = make("lstm"), make("gru_after")
    h = jnp.zeros((B, H))
    refused(ValueError, ("carry has the shapes (2, 5)", "((2, 5), (2, 5))"), lstm.step, weights("lstm"), h, XS[:, 0])
    refused(ValueError, ("carry has the shapes ((2, 5), (2, 5))",), gru.step, weights("gru_after"), (h, h), XS[:, 0])
    refused(ValueError, ("carry has the shapes None",), gru.step, weights("gru_after"), None, XS[:, 0])
    zeros = gru.step(weights("gru_after"), np.zeros((B, H), int), XS[:, 0])
    np.testing.assert_array_equal(zeros[1], gru.step(weights("gru_after"), h, XS[:, 0])[1])
    assert zeros[0].dtype == jnp.float32


@SLIGHT
@given(st.sampled_from(sorted(VARIANTS)), st.lists(st.integers(0, 3), max_size=3))
def test_batch_sizes_are_a_sequence_of_whole_numbers(name: str, sizes: list[int]) -> None:
    cell, params = make(name), weights(name)
    for batch in (tuple(sizes), list(sizes), tuple(map(np.int64, sizes)), np.array(sizes, int)):
        carry = cell.initial_carry(params, batch)
        assert {a.shape for a in jax.tree.leaves(carry)} == {(*sizes, H)}
    refused(TypeError, ("batch=2 must be the sizes of the batch axes, as (2,)",), cell.initial_carry, params, 2)
    for wrong in (None, "22", 2.0, (2.0,), (True,), ("2",), jnp.ones(2), np.ones(2)):
        refused(TypeError, ("batch=", "must be the sizes of the batch axes"), cell.initial_carry, params, wrong)
    refused(ValueError, ("batch=(2, -1)", "each 0 or more"), cell.initial_carry, params, (2, -1))
    stack = gr.Stack((cell,))
    refused(TypeError, ("batch=2 must be the sizes",), stack.initial_carry, [params], 2)


# Inputs and keys


@pytest.mark.parametrize("place", PLACES)
def test_inputs_are_arrays_of_real_numbers(place: str) -> None:
    cell, params = gr.GRU(H), weights("gru_after")
    for wrong, words in [
        (np.full((B, T, I), "a"), ("isn't an array of real numbers",)),
        (np.full((B, T, I), None), ("isn't an array of real numbers",)),
        (np.full((B, T, I), 1, object), ("isn't an array of real numbers",)),
        (XS + 1j, ("of type complex64 must be an array of real numbers",)),
        (jnp.asarray(XS) * 1j, ("of type complex64 must be an array of real numbers",)),
        (np.full((B, T, I), "2026-01-01", "datetime64[D]"), ("isn't an array of real numbers",)),
    ]:
        if place == "jit" and "type" not in words[0]:
            continue  # jit itself refuses such arguments
        refused(TypeError, words, PLACES[place], cell, params, wrong)


def test_inputs_may_be_lists_whole_numbers_and_booleans() -> None:
    cell, params = gr.GRU(H), weights("gru_after")
    bits = XS > 0
    expected = unroll(cell, params, bits.astype("float32"))[1]
    for same in (bits, bits.astype(int), bits.astype("uint8"), bits.tolist(), bits.astype(float).tolist()):
        np.testing.assert_allclose(unroll(cell, params, same)[1], expected, rtol=1e-6)
    for wrong in (None, "text", [[1.0, "one"]], [[[1.0]], [[1.0], [2.0]]], b"bytes"):
        refused(TypeError, ("xs=", "isn't an array of real numbers"), unroll, cell, params, wrong)
    refused(ValueError, ("x has the shape ()", "feature axis"), cell.step, params, jnp.zeros(H), 1.0)


@dataclasses.dataclass(frozen=True)
class Rotating(Counting):
    """h = e^(i a) h + x w: a cell with complex parameters."""

    def init(self, key: Any, input_size: int) -> dict[str, Any]:
        return {"W": jax.random.normal(key, (input_size, self.hidden_size)) * (1 + 0j)}

    def initial_carry(self, params: Any, batch: Any) -> Any:
        return jnp.zeros((*batch, self.hidden_size), "complex64")

    def gates(self, params: Any, carry: Any, p: Any, fixed: Any = base.NOTHING_FIXED) -> dict[str, Any]:
        return {"h": p["h"] + 1j * carry} | dict(fixed)

    def combine(self, carry: Any, g: Any) -> Any:
        return g["h"].astype(carry.dtype), g["h"]


def test_an_own_cell_with_complex_parameters_takes_complex_inputs() -> None:
    xs = XS + 0.5j
    cell, params = Rotating(H), {"W": jnp.full((I, H), 1 + 2j, "complex64")}
    h, expected = np.zeros((B, H), complex), []
    for t in range(T):
        h = xs[:, t] @ np.asarray(params["W"]) + 1j * h
        expected.append(h)
    np.testing.assert_allclose(unroll(cell, params, xs)[1], np.stack(expected, 1), rtol=1e-5)


@SLIGHT
@given(st.sampled_from(sorted(VARIANTS)), st.sampled_from([0, 7, None, 1.5, "key", np.int64(3)]))
def test_a_key_is_a_key(name: str, wrong: Any) -> None:
    cell = make(name)
    stack, both = gr.Stack((cell, cell), dropout=0.5), gr.Bidirectional(cell, cell)
    words = (f"key={wrong!r} must be one key, as jax.random.key(0)",)
    for init in (cell.init, stack.init, both.init):
        refused(TypeError, words, init, wrong, I)
    if wrong is not None:
        params = [weights(name), weights(name, H)]
        refused(TypeError, words, lambda: stack.apply(params, XS, key=wrong))
    keys = jax.random.split(jax.random.key(0), 3)
    refused(TypeError, ("of shape (3,) must be one key",), cell.init, keys, I)


def test_new_and_old_keys_draw_alike_and_vmap_takes_many() -> None:
    cell = gr.GRU(H)
    new, old = cell.init(jax.random.key(3), I), cell.init(jax.random.PRNGKey(3), I)
    jax.tree.map(np.testing.assert_array_equal, new, old)
    many = jax.vmap(lambda key: cell.init(key, I))(jax.random.split(jax.random.key(0), 3))
    assert many["W_r"].shape == (3, I, H)
