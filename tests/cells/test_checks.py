"""Options of cells, layers and time loops: NumPy scalars count as numbers, and a wrong value raises a one-line error
that names the field, the value and the allowed values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from gru_research.layers import Embedding, OneHot, Readout

CELLS = (gr.GRU, gr.LSTM, gr.VanillaRNN, gr.MGU, gr.BlockGRU, gr.MinGRU, gr.MinLSTM, gr.LayerNormGRU, gr.LayerNormLSTM)
WITH_BIAS = {gr.GRU: "update_bias", gr.LSTM: "forget_bias", gr.MGU: "forget_bias", gr.BlockGRU: "update_bias"}
WITH_BIAS |= {gr.MinGRU: "update_bias", gr.MinLSTM: "forget_bias", gr.LayerNormLSTM: "forget_bias"}


def stack(**options: Any) -> gr.Stack:
    return gr.Stack((gr.GRU(4), gr.GRU(4)), **options)


BOOLEANS: list[tuple[str, Callable[..., Any]]] = [
    *(("learn_initial_carry", lambda kind=kind, **o: kind(4, **o)) for kind in CELLS),
    ("peepholes", lambda **o: gr.LSTM(4, **o)),
    ("hoist", gr.UnrollOptions),
    ("time_major", gr.UnrollOptions),
]
WHOLE: list[tuple[str, int, Callable[..., Any]]] = [
    *(("hidden_size", 1, lambda kind=kind, **o: kind(**o)) for kind in CELLS if kind is not gr.BlockGRU),
    *(("chrono", 3, lambda kind=kind, **o: kind(4, **o)) for kind in WITH_BIAS if kind is not gr.LayerNormLSTM),
    ("heads", 1, lambda **o: gr.BlockGRU(4, **o)),
    ("longest", 2, gr.Chrono),
    ("unroll", 1, gr.UnrollOptions),
    ("checkpoint", 0, gr.UnrollOptions),
    ("chunk", 0, gr.UnrollOptions),
    ("vocabulary", 1, lambda **o: Embedding(size=2, **o)),
    ("size", 1, lambda **o: Embedding(vocabulary=2, **o)),
    ("vocabulary", 1, OneHot),
    ("size", 1, Readout),
]
NUMBERS: list[tuple[str, Callable[..., Any]]] = [
    *((field, lambda kind=kind, **o: kind(4, **o)) for kind, field in WITH_BIAS.items()),
    ("value", gr.Constant),
    ("scale", gr.Identity),
    ("scale", gr.Orthogonal),
    ("transform_bias", lambda **o: stack(connections="highway", **o)),
    ("weight_noise", gr.Noise),
]
RATES: list[tuple[str, Callable[..., Any]]] = [
    ("dropout", stack),
    *((f, gr.Noise) for f in ("input_dropout", "state_dropout", "zoneout", "zoneout_cell", "drop_connect")),
]
NO_NUMBERS = (
    "1",
    None,
    np.zeros((9, 9)),
    [1],
    (1,),
    True,
    np.True_,
    np.ones(1),
    1j,
    float("nan"),
    np.float32("inf"),
    10**400,
)


def refused(field: str, make: Callable[..., Any], value: Any, *words: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        make(**{field: value})
    message = str(caught.value)
    assert "\n" not in message
    for word in (f"{field}={' '.join(repr(value).split())[:100]}", *words):
        assert word in message


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(BOOLEANS), st.booleans(), st.sampled_from([0, 1, "yes", "", None, [True], np.int64(1), 1.0]))
def test_a_flag_is_true_or_false(option: tuple[str, Any], value: bool, wrong: Any) -> None:
    field, make = option
    plain, numpy = make(**{field: value}), make(**{field: np.bool_(value)})
    assert numpy == plain
    assert hash(numpy) == hash(plain)
    assert type(getattr(numpy, field)) is bool
    if (field, wrong) != ("hoist", None):
        refused(field, make, wrong, "True or False")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(WHOLE), st.integers(0, 3), st.sampled_from([np.int8, np.int64, np.uint16]), st.data())
def test_a_whole_number_may_be_numpys_and_nothing_else_is_one(
    option: tuple[str, int, Any], more: int, kind: Any, data: Any
) -> None:
    field, least, make = option
    value = 4 if field == "heads" else least + more
    plain, numpy = make(**{field: value}), make(**{field: kind(value)})
    assert numpy == plain
    assert hash(numpy) == hash(plain)
    assert type(getattr(numpy, field)) is int
    no_whole = ("1", [1], (1,), True, np.True_, 2.0, np.float32(2), np.arange(1), least - 1, np.int8(least - 1))
    refused(field, make, data.draw(st.sampled_from(no_whole)), "whole number", f"at least {least}")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(NUMBERS), st.sampled_from([0.0, 1.5, 3.25]), st.sampled_from(NO_NUMBERS))
def test_a_number_is_finite_and_may_be_numpys(option: tuple[str, Any], value: float, wrong: Any) -> None:
    field, make = option
    plain = make(**{field: value})
    for same in (np.float32(value), np.float64(value), np.float16(value), *((int(value),) if value % 1 == 0 else ())):
        assert make(**{field: same}) == plain
        assert type(getattr(make(**{field: same}), field)) is float
    refused(field, make, wrong, "number")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(RATES), st.sampled_from([0, 0.25, 0.5]), st.sampled_from([1, 1.5, -0.1, *NO_NUMBERS]))
def test_a_rate_is_at_least_0_and_below_1(option: tuple[str, Any], value: float, wrong: Any) -> None:
    field, make = option
    assert make(**{field: np.float32(value)}) == make(**{field: value})
    refused(field, make, wrong, "at least 0 and below 1")


@pytest.mark.parametrize("wrong", ["yes", 1, None, np.ones(2, bool)])
@pytest.mark.parametrize("over_time", [gr.unroll, gr.trace])
def test_the_direction_is_true_or_false(over_time: Any, wrong: Any) -> None:
    cell, xs = gr.VanillaRNN(2), np.random.default_rng(0).normal(size=(1, 3, 2)).astype("float32")
    params = {"W_h": np.eye(2, dtype="float32"), "U_h": np.eye(2, dtype="float32"), "b_h": np.zeros(2, "float32")}
    with pytest.raises(ValueError, match=r"reverse=.* must be True or False"):
        over_time(cell, params, xs, reverse=wrong)
    back = over_time(cell, params, xs, reverse=np.True_)
    np.testing.assert_allclose(back[1], over_time(cell, params, xs[:, ::-1])[1][:, ::-1], rtol=1e-6)
