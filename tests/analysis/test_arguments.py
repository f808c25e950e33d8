"""Arguments of the analyses: each means what it says, or is refused with one line that names it."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from gru_research import analysis

pytestmark = pytest.mark.usefixtures("x64")
H, B, T, I = 3, 2, 4, 2  # noqa: E741
CELL: Any = gr.GRU(H, param_dtype="float64")
PARAMS = {
    f"{kind}_{gate}": np.random.default_rng(0).normal(size=shape)
    for gate in "rzn"
    for kind, shape in (("W", (I, H)), ("U", (H, H)), ("b", (H,)))
} | {"c_n": np.zeros(H)}
XS = np.random.default_rng(1).normal(size=(B, T, I))
STATES, QUANTITY = np.random.default_rng(2).normal(size=(6, T, H)), np.random.default_rng(3).normal(size=(6, T))
SLIGHT = settings(max_examples=40, deadline=None, derandomize=True)
unroll: Any = gr.unroll
WITH_A_CELL: dict[str, Callable[..., Any]] = {
    "gradient_flow": lambda cell, params, xs, **o: analysis.gradient_flow(cell, params, xs, **o),
    "input_influence": lambda cell, params, xs, **o: analysis.input_influence(cell, params, xs, **o),
    "log_singular_values": lambda cell, params, xs, **o: analysis.log_singular_values(cell, params, xs[0], **o),
    "lyapunov_exponents": lambda cell, params, xs, **o: analysis.lyapunov_exponents(cell, params, xs[0], **o),
}


def refused(error: type[Exception], words: tuple[str, ...], function: Any, *a: Any, **o: Any) -> None:
    with pytest.raises(error) as caught:
        function(*a, **o)
    assert type(caught.value) is error
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


def silenced(which: Any) -> np.ndarray:
    return np.asarray(analysis.intervene(CELL, PARAMS, silenced=which)[1]["silent"])


@SLIGHT
@given(st.lists(st.booleans(), min_size=H, max_size=H))
def test_units_are_numbers_or_one_true_or_false_a_unit(mask: list[bool]) -> None:
    numbers = [unit for unit, on in enumerate(mask) if on]
    for same in (mask, tuple(mask), np.array(mask), jnp.array(mask), [np.bool_(on) for on in mask]):
        np.testing.assert_array_equal(silenced(same), mask)
    for same in (numbers, tuple(numbers), set(numbers), np.array(numbers, int), jnp.array(numbers, int)):
        np.testing.assert_array_equal(silenced(same), mask)
    if len(numbers) == 1:
        np.testing.assert_array_equal(silenced(numbers[0]), mask)
        np.testing.assert_array_equal(silenced(np.int8(numbers[0])), mask)


@pytest.mark.parametrize(
    "wrong", [[2.7], [0.0], "0", ["0"], [3], [-1], None, [True, 2], [[0, 1]], np.ones(1), [None], 1.0]
)
def test_what_names_no_unit_is_refused(wrong: Any) -> None:
    refused(ValueError, ("silenced=", "numbers of units, 0 to 2, or 3 True and False"), silenced, wrong)


def test_true_and_false_that_arent_one_a_unit_are_refused() -> None:
    for wrong in ([True], [True, False], np.ones((1, H), bool)):
        refused(ValueError, ("silenced has the shape", "as True and False it must be (3,)"), silenced, wrong)
    assert not silenced(()).any() and not silenced(np.zeros(0, int)).any()


def test_what_gates_and_units_are_held_at_is_numbers() -> None:
    def intervene(**options: Any) -> Any:
        return analysis.intervene(CELL, PARAMS, **options)

    for wrong in ("1.0", None, [1.0, "one", 2.0], 1j, {}):
        refused(TypeError, ("fixed['r']",), intervene, fixed={"r": wrong})
        refused(TypeError, ("held",), intervene, held=wrong)
    for wrong in (True, [True, False, True]):
        refused(ValueError, ("fixed['r'] of type bool; it must be a number",), intervene, fixed={"r": wrong})
        refused(ValueError, ("held of type bool; it must be a number",), intervene, held=wrong)
    refused(TypeError, ("fixed is a list: it must be a mapping",), intervene, fixed=[("r", 1.0)])
    refused(ValueError, ("by_step=1 must be True or False",), intervene, by_step=1)
    refused(TypeError, ("cell is the class GRU",), analysis.intervene, gr.GRU, PARAMS)
    refused(ValueError, ("params must be the parameters that intervene returned",), unroll, intervene()[0], PARAMS, XS)
    cell, mine = intervene(fixed={"r": 1, "z": np.float32(0.5)}, held=[1, 2, 3], silenced=[0])
    gates = gr.trace(cell, mine, XS)[2]
    np.testing.assert_array_equal(gates["z"], np.full((B, T, H), 0.5))
    np.testing.assert_array_equal(unroll(cell, mine, XS)[1][..., 0], np.ones((B, T)))


@SLIGHT
@given(st.sampled_from([[2.7], [2.0], "12", ["1"], [True], [4], [-1], [], [[1]], np.ones(1), 2.0]))
def test_lags_are_whole_numbers(wrong: Any) -> None:
    words = ("lags=", "must be one or more whole numbers from 0 to 3")
    refused(ValueError, words, analysis.input_influence, CELL, PARAMS, XS, lags=wrong)


def test_lags_of_every_kind_mean_the_same() -> None:
    influence: Any = analysis.input_influence
    lags, change = influence(CELL, PARAMS, XS, lags=[0, 2])
    assert lags.tolist() == [0, 2]
    for same in ((2, 0), {0, 2}, range(0, 3, 2), np.array([0, 2, 2]), jnp.array([0, 2])):
        found = influence(CELL, PARAMS, XS, lags=same)
        np.testing.assert_array_equal(found[0], lags)
        np.testing.assert_array_equal(found[1], change)


def test_lengths_reach_from_1_to_the_number_of_steps() -> None:
    flow: Any = analysis.gradient_flow
    for wrong in (9, 0, -1):
        words = (f"lengths={wrong} must be from 1 to 4, the number of steps",)
        refused(ValueError, words, flow, CELL, PARAMS, XS, lengths=[wrong, 2])
    for kind, word in ((float, "lengths of type float64 must be whole numbers"), (bool, "lengths of type bool")):
        refused(ValueError, (word,), flow, CELL, PARAMS, XS, lengths=np.ones(B, kind))
    refused(TypeError, ("lengths=",), flow, CELL, PARAMS, XS, lengths=["one", "two"])
    found, whole = flow(CELL, PARAMS, XS, lengths=[4, 2]), flow(CELL, PARAMS, XS)
    np.testing.assert_allclose(found[0], whole[0], rtol=1e-10)
    assert np.isfinite(found[1, :2]).all() and np.isnan(found[1, 2:]).all()


@pytest.mark.parametrize("which", WITH_A_CELL)
def test_the_cell_the_inputs_and_the_key_are_those_of_every_analysis(which: str) -> None:
    run = WITH_A_CELL[which]
    refused(TypeError, ("cell is the class GRU: give an instance",), run, gr.GRU, PARAMS, XS)
    refused(TypeError, ("cell is a dict and has no initial_carry and no step",), run, PARAMS, CELL, XS)
    module = nnx.GRUCell(I, H, rngs=nnx.Rngs(0))
    refused(TypeError, ("gru_research.adapters.nnx.recurrence(cell)",), run, module, PARAMS, XS)
    refused(TypeError, ("gru_research.adapters.linen.Recurrence(cell)",), run, linen.GRUCell(H), PARAMS, XS)
    refused(ValueError, ("params has no W_r",), run, CELL, {k: a for k, a in PARAMS.items() if k != "W_r"}, XS)
    refused(TypeError, ("of type complex128",), run, CELL, PARAMS, XS + 1j)
    refused(TypeError, ("xs=", "isn't an array of real numbers"), run, CELL, PARAMS, XS.astype(str))
    options = {"count": 1} if which == "log_singular_values" else {}
    refused(TypeError, ("key=0 must be one key",), run, CELL, PARAMS, XS, key=0, **options)


@SLIGHT
@given(st.sampled_from(["log_singular_values", "lyapunov_exponents"]), st.sampled_from([1.5, "1", True, 0, 4, [1]]))
def test_counts_are_whole_numbers_in_range(which: str, wrong: Any) -> None:
    run = WITH_A_CELL[which]
    words = (f"count={wrong!r} must be a whole number up to the carry's size, from 1 to 3",)
    refused(ValueError, words, run, CELL, PARAMS, XS, count=wrong)
    if which == "lyapunov_exponents":
        refused(ValueError, ("discard=", "from 0 to 3"), run, CELL, PARAMS, XS, discard=wrong if wrong else 1.0)
    else:
        wrong = 0 if wrong == 4 else wrong
        words = (f"iterations={wrong!r} must be a whole number, at least 1",)
        refused(ValueError, words, run, CELL, PARAMS, XS, count=1, iterations=wrong)


@pytest.mark.parametrize("more", [("log_singular_values", "iterations"), ("lyapunov_exponents", "discard")])
def test_counts_may_be_numpys(more: tuple[str, str]) -> None:
    which, field = more
    found = WITH_A_CELL[which](CELL, PARAMS, XS, count=np.int64(2), **{field: np.int8(2)})
    np.testing.assert_array_equal(found, WITH_A_CELL[which](CELL, PARAMS, XS, count=2, **{field: 2}))


def test_shares_penalties_and_cotangents_are_numbers() -> None:
    horizon: Any = analysis.memory_horizon
    for wrong in ("0.1", True, np.nan, None, 1.0):
        refused(ValueError, ("share=", "above 0 and below 1"), horizon, [0, 1], [1.0, 0.1], wrong)
    refused(ValueError, ("lags=[0, 0] must ascend",), horizon, [0, 0], [1.0, 0.1])
    refused(TypeError, ("change=",), horizon, [0, 1], ["much", "little"])
    assert horizon([0, 1], [1.0, 0.1], np.float32(0.5)) == horizon([0, 1], [1.0, 0.1], 0.5)
    for wrong in ("0.1", True, np.nan, np.inf, 0):
        refused(ValueError, ("ridge=", "above 0 and finite"), analysis.linear_probe, STATES, QUANTITY, ridge=wrong)
    refused(TypeError, ("cotangent",), analysis.gradient_flow, CELL, PARAMS, XS, cotangent="one")
    refused(TypeError, ("log_norms=",), analysis.half_life, "falling")


def test_probes_and_statistics_take_numbers_and_flags() -> None:
    refused(TypeError, ("states of type <U",), analysis.linear_probe, STATES.astype(str), QUANTITY)
    refused(TypeError, ("quantity of type complex128",), analysis.linear_probe, STATES, QUANTITY + 1j)
    true = QUANTITY > 0
    for same in (true.astype(int), true.astype(float), jnp.asarray(true), true.tolist()):
        np.testing.assert_array_equal(analysis.separation(STATES, same), analysis.separation(STATES, true))
    words = ("quantity must be True and False, or 1 and 0; it holds 2",)
    refused(ValueError, words, analysis.separation, STATES, true * 2)
    refused(ValueError, ("values must be finite",), analysis.separation, STATES * np.nan, true)
    gates = {"z": np.full((2, 3, 1), 0.5)}
    words = ("real must be True and False, or 1 and 0; it holds 3",)
    refused(ValueError, words, analysis.gate_statistics, gates, np.full((2, 3), 3))
    refused(TypeError, ("gates is an array (2, 3, 1): it must be a mapping",), analysis.gate_statistics, gates["z"])
    refused(TypeError, ("z of type <U",), analysis.gate_statistics, {"z": gates["z"].astype(str)})
    refused(TypeError, ("kept",), analysis.timescales, None)


def test_a_carry_with_whole_numbers_isnt_differentiated() -> None:
    class Counting:
        def initial_carry(self, params: Any, batch: Any) -> Any:
            return CELL.initial_carry(params, batch), jnp.zeros((*batch, 1), jnp.int32)

        def step(self, params: Any, carry: Any, x: Any) -> Any:
            h, y = CELL.step(params, carry[0], x)
            return (h, carry[1] + 1), y

    for which in ("gradient_flow", "log_singular_values", "lyapunov_exponents"):
        refused(ValueError, ("the carry has a part of type int32",), WITH_A_CELL[which], Counting(), PARAMS, XS)
    lags, change = analysis.input_influence(Counting(), PARAMS, XS)
    expected = analysis.input_influence(CELL, PARAMS, XS)
    np.testing.assert_array_equal(lags, expected[0])
    np.testing.assert_allclose(change, expected[1], rtol=1e-12)
