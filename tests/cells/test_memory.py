"""Initialisation for memory: biases that keep the state, chrono initialisation, kernels by gate.

A unit whose gate keeps the fraction k of its state each step has a time scale of 1 / (1 - k) steps.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import gru_research as gr
from gru_research.cells import CELLS

KEY = jax.random.key(0)
I, H, LONGEST = 2, 1000, 784  # noqa: E741
# The cell, the field that chrono replaces, the gate that keeps the state, and the sign of its bias.
KEEPING: dict[str, tuple[Any, str, str, int]] = {
    "gru": (gr.GRU, "update_bias", "z", 1),
    "gru_none": (functools.partial(gr.GRU, reset="none"), "update_bias", "z", 1),
    "block_gru": (gr.BlockGRU, "update_bias", "z", 1),
    "min_gru": (gr.MinGRU, "update_bias", "z", 1),
    "lstm": (gr.LSTM, "forget_bias", "f", 1),
    "lstm_peepholes": (functools.partial(gr.LSTM, peepholes=True), "forget_bias", "f", 1),
    "min_lstm": (gr.MinLSTM, "forget_bias", "f", 1),
    "mgu": (gr.MGU, "forget_bias", "f", 1),
    "mgu_paper": (functools.partial(gr.MGU, reset="before", keep="1-f"), "forget_bias", "f", -1),
}
QUIET = {"kernel_init": "zeros", "bias_init": gr.Constant(0.25)}
"""With zero kernels a gate is a function of its bias alone. It also avoids orthogonal draws of size 1000."""


def quiet(name: str, hidden_size: int = H, **options: Any) -> Any:
    kind = KEEPING[name][0]
    recurrent = {} if name.startswith("min_") else {"recurrent_init": "zeros"}
    return kind(hidden_size, **QUIET, **recurrent, **options)


def share_kept(cell: Any, params: Any) -> np.ndarray:
    """Returns the fraction of the state that one step keeps: the state after a step from 1 minus a step from 0."""
    x = jnp.zeros(I)
    g = cell.gates(params, cell.initial_carry(params, ()), cell.project(params, x))
    zero = cell.initial_carry(params, ())
    one = jax.tree.map(jnp.ones_like, zero)
    after = [jax.tree.leaves(cell.combine(carry, g)[0])[0] for carry in (zero, one)]
    return np.asarray(after[1] - after[0], np.float64)


@pytest.mark.parametrize("name", KEEPING)
def test_with_chrono_time_scales_are_uniform_from_2_to_the_longest(name: str) -> None:
    cell = quiet(name, chrono=LONGEST, param_dtype="float32")
    params = cell.init(KEY, I)
    scales = 1 / (1 - share_kept(cell, params))
    # 1 - k = 1 / 784 has a relative error of 784 half units in the last place of float32.
    slack = LONGEST**2 * 2**-23
    assert scales.min() >= 2 - slack and scales.max() <= LONGEST + slack
    assert scipy.stats.kstest(scales, scipy.stats.uniform(2, LONGEST - 2).cdf).pvalue > 0.01
    assert len(np.unique(params["b_" + KEEPING[name][2]])) > 0.99 * H
    other = cell.init(jax.random.key(1), I)
    assert (np.asarray(other["b_" + KEEPING[name][2]]) != params["b_" + KEEPING[name][2]]).mean() > 0.99


@pytest.mark.parametrize("name", KEEPING)
def test_chrono_takes_the_place_of_the_bias_of_the_gates_that_hold_the_memory_alone(name: str) -> None:
    _, _, gate, sign = KEEPING[name]
    with_chrono, without = (quiet(name, 8, chrono=chrono).init(KEY, I) for chrono in (LONGEST, None))
    held = {"b_f", "b_i"} if name.endswith("lstm") or name == "lstm_peepholes" else {f"b_{gate}"}
    assert set(with_chrono) == set(without)
    for key, value in with_chrono.items():
        assert (np.asarray(value) != without[key]).all() if key in held else (np.asarray(value) == without[key]).all()
    assert (sign * np.asarray(with_chrono[f"b_{gate}"]) >= 0).all()
    if "b_i" in held:
        np.testing.assert_array_equal(with_chrono["b_i"], -with_chrono["b_f"])


@pytest.mark.parametrize(("dtype", "bits"), [("bfloat16", 8), ("float16", 11)])
@pytest.mark.parametrize("name", ["gru", "lstm", "mgu_paper"])
def test_chrono_in_16_bits_is_the_float32_draw_rounded(name: str, dtype: str, bits: int) -> None:
    gate = KEEPING[name][2]
    narrow, wide = (quiet(name, 8, chrono=LONGEST, param_dtype=d).init(KEY, I) for d in (dtype, "float32"))
    assert narrow[f"b_{gate}"].dtype == dtype
    np.testing.assert_allclose(narrow[f"b_{gate}"].astype("float32"), wide[f"b_{gate}"], rtol=2.0**-bits)


@pytest.mark.parametrize("name", KEEPING)
def test_the_bias_is_added_in_the_direction_of_keeping(name: str) -> None:
    _, field, gate, sign = KEEPING[name]
    for bias in (-1.5, 2.0):
        cell = quiet(name, 4, **{field: bias})
        params = cell.init(KEY, I)
        np.testing.assert_array_equal(params[f"b_{gate}"], np.full(4, 0.25 + sign * bias))
    more, less = (quiet(name, 4, **{field: bias}) for bias in (2.0, -1.5))
    assert (share_kept(more, more.init(KEY, I)) > share_kept(less, less.init(KEY, I))).all()


def test_defaults_are_a_bias_of_0_in_a_gru_and_of_1_where_there_is_a_forget_gate() -> None:
    for name, (kind, field, gate, sign) in KEEPING.items():
        options = {} if name.startswith("min_") else {"recurrent_init": "zeros"}
        expected = sign * (1.0 if field == "forget_bias" else 0.0)
        np.testing.assert_array_equal(kind(4, **options).init(KEY, I)[f"b_{gate}"], np.full(4, expected), err_msg=name)


@pytest.mark.parametrize("name", KEEPING)
def test_chrono_and_the_bias_exclude_each_other(name: str) -> None:
    kind, field, _, _ = KEEPING[name]
    default = 1.0 if field == "forget_bias" else 0.0
    assert kind(4, chrono=10, **{field: default}) == kind(4, chrono=10)
    with pytest.raises(ValueError, match=f"chrono=10 and {field}=0.5 exclude each other"):
        kind(4, chrono=10, **{field: 0.5})


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"chrono": 2}, ("chrono=2", "at least 3")),
        ({"chrono": 99.5}, ("chrono=99.5", "whole number")),
        ({"chrono": True}, ("chrono=True", "whole number")),
        ({"chrono": "784"}, ("chrono='784'", "whole number")),
        ({"bias": "much"}, ("bias='much'", "number")),
        ({"bias": True}, ("bias=True", "number")),
        ({"bias": float("nan")}, ("bias=nan", "number")),
    ],
)
@pytest.mark.parametrize("name", ["gru", "lstm", "mgu", "block_gru", "min_gru", "min_lstm"])
def test_a_wrong_bias_or_chrono_is_named(name: str, options: dict[str, Any], parts: tuple[str, ...]) -> None:
    kind, field, _, _ = KEEPING[name]
    with pytest.raises(ValueError, match=parts[0]) as caught:
        kind(4, **{field if key == "bias" else key: value for key, value in options.items()})
    for part in parts:
        assert part in str(caught.value)


def test_cells_with_equal_chrono_are_equal() -> None:
    assert gr.GRU(4, chrono=np.int64(9)) == gr.GRU(4, chrono=9) != gr.GRU(4, chrono=10)  # type: ignore[arg-type]
    assert hash(gr.GRU(4, chrono=np.int64(9))) == hash(gr.GRU(4, chrono=9))  # type: ignore[arg-type]


# Kernels


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", [kind for kind in CELLS if not kind.startswith("min_")])
def test_every_recurrent_kernel_of_every_cell_is_orthogonal_by_gate(kind: str, dtype: str) -> None:
    params = CELLS[kind](8, param_dtype=dtype).init(KEY, 3)
    kernels = [np.asarray(value, np.float64) for key, value in params.items() if key.startswith("U_")]
    blocks = [block for kernel in kernels for block in (kernel if kernel.ndim == 3 else [kernel])]
    assert (
        len(blocks)
        == {"gru": 3, "lstm": 4, "rnn": 1, "mgu": 2, "block_gru": 12, "layer_norm_gru": 3, "layer_norm_lstm": 4}[kind]
    )
    for n, block in enumerate(blocks):
        singular_values = np.linalg.svd(block, compute_uv=False)
        np.testing.assert_allclose(singular_values, 1, atol=1e-5 if dtype == "float32" else 8 * 2**-9)
        assert not any((block == other).all() for other in blocks[:n])


@pytest.mark.parametrize("kind", CELLS)
def test_initial_parameters_are_finite_in_16_bits_and_those_of_float32_rounded(kind: str) -> None:
    wide = CELLS[kind](8).init(KEY, 3)
    for dtype in ("bfloat16", "float16"):
        narrow = CELLS[kind](8, param_dtype=dtype).init(KEY, 3)
        assert set(narrow) == set(wide)
        for key, value in narrow.items():
            assert value.dtype == dtype
            np.testing.assert_array_equal(value, wide[key].astype(dtype), err_msg=key)


def test_the_relu_rnn_of_le_jaitly_and_hinton_keeps_its_state_in_every_type() -> None:
    for dtype in ("float32", "bfloat16", "float16"):
        cell = gr.VanillaRNN(4, activation="relu", recurrent_init="identity", kernel_init="zeros", param_dtype=dtype)
        params = cell.init(KEY, 3)
        assert params["U_h"].dtype == dtype
        np.testing.assert_array_equal(params["U_h"].astype("float32"), np.eye(4))
        state = jnp.array([0.0, 0.5, 1.0, 3.0])
        np.testing.assert_array_equal(cell.step(params, state, jnp.ones(3, dtype))[0], state)
    scaled = gr.Identity(0.01)(KEY, (3, 3), jnp.bfloat16)
    np.testing.assert_array_equal(scaled, (0.01 * np.eye(3)).astype(jnp.bfloat16))
