"""Mistakes in the arguments of `unroll`, each one line that names the value and what it must be."""

from typing import Any

import numpy as np
import pytest

import gru_research as gr
from tests.faults import fault, seen
from tests.oracles import parameters
from tests.time_loop.unrolling import B, H, I, T, make

pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        pytest.param(
            {"backend": "cuda"},
            ("backend='cuda'", "auto", "autodiff"),
            marks=fault("cells and layers", "an unknown backend of unroll"),
        ),
        ({"outputs": "last"}, ("outputs='last'", "all", "none")),
        ({"unroll": 0}, ("unroll=0", "at least 1")),
        ({"unroll": 1.5}, ("unroll=1.5", "whole number")),
        ({"checkpoint": -1}, ("checkpoint=-1", "at least 0")),
        ({"checkpoint": "sqrt"}, ("checkpoint='sqrt'", "whole number")),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_the_choices(
    options: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        gr.UnrollOptions(**options)
    for part in parts:
        assert part in str(caught.value)
    seen(caught)


@pytest.mark.parametrize(
    ("name", "wrong", "parts"),
    [
        ("gru_after", {"xs": np.zeros(I)}, ("xs", "(4,)", "[..., T, I]")),
        pytest.param(
            "gru_after",
            {"xs": np.zeros((B, T, I + 1))},
            ("5", "4"),
            marks=fault("cells and layers", "an input of the wrong size"),
        ),
        ("gru_after", {"lengths": np.zeros((B, 1), int)}, ("lengths", "(3, 1)", "(3,)")),
        ("gru_after", {"lengths": np.zeros(B + 1, int)}, ("lengths", "(4,)", "(3,)")),
        ("gru_after", {"lengths": np.zeros(B)}, ("lengths", "float64", "whole numbers")),
        ("gru_after", {"lengths": np.zeros(B, bool)}, ("lengths", "bool", "whole numbers")),
        pytest.param(
            "gru_after",
            {"lengths": np.array([0, T + 1, 5])},
            ("lengths=9", "0 to 8"),
            marks=fault("cells and layers", "a length beyond the sequence"),
        ),
        ("gru_after", {"lengths": np.array([0, -2, 5])}, ("lengths=-2", "0 to 8")),
        pytest.param(
            "gru_after",
            {"mask": np.ones((B, T))},
            ("mask", "float64", "boolean"),
            marks=fault("cells and layers", "a mask that isn't boolean"),
        ),
        ("gru_after", {"mask": np.ones((B, T - 1), bool)}, ("mask", "shape (3, 7)", "(3, 8)")),
        ("gru_after", {"mask": np.ones(T, bool)}, ("mask", "shape (8,)", "(3, 8)")),
        ("gru_after", {"resets": np.ones((B, T), int)}, ("resets", "int64", "boolean")),
        pytest.param(
            "gru_after",
            {"resets": np.ones((T, B), bool)},
            ("resets", "shape (8, 3)", "(3, 8)"),
            marks=fault("cells and layers", "resets with time first"),
        ),
        ("gru_after", {"initial_carry": np.zeros((1, H))}, ("initial_carry", "(1, 5)", "(3, 5)")),
        ("gru_after", {"initial_carry": (np.zeros((B, H)),) * 2}, ("initial_carry", "(3, 5)")),
        pytest.param(
            "lstm",
            {"initial_carry": np.zeros((B, H))},
            ("initial_carry", "(3, 5)"),
            marks=fault("cells and layers", "a carry of another cell"),
        ),
    ],
)
def test_a_wrong_argument_is_named_with_its_value_and_what_it_must_be(
    name: str, wrong: dict[str, Any], parts: tuple[str, ...]
) -> None:
    given = {"xs": np.zeros((B, T, I))} | wrong
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        gr.unroll(make(name), parameters(name, I, H), given.pop("xs"), **given)
    for part in parts:
        assert part in str(caught.value)
    seen(caught)


@pytest.mark.parametrize("features", [1, 3])
def test_another_number_of_features_is_refused_for_small_kernels_too(features: int) -> None:
    with pytest.raises(ValueError, match=f"{features}.*2|2.*{features}"):
        gr.unroll(make("gru_after"), parameters("gru_after", 2, H), np.zeros((B, T, features)))
