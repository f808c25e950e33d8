"""Cells, one step at a time: the papers' equations, the parts of a step, parameters, types, equality, errors.

Tolerances: 1e-12 in float64 and 2e-6 in float32, on values of order 1.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.oracles import VARIANTS, Carry, first_carry, pack, parameters, random_carry

I, H, B = 4, 5, 3  # noqa: E741
TOLERANCE = {"float64": 1e-12, "float32": 2e-6}
KEY = jax.random.key(0)

pytestmark = pytest.mark.usefixtures("compiled_fully", "x64")


def make(name: str, hidden_size: int = H, **options: Any) -> Any:
    return getattr(gr, VARIANTS[name].kind)(hidden_size, **VARIANTS[name].options, **options)


def inputs(*shape: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def one_step(name: str, params: dict[str, Any], carry: Carry, x: np.ndarray, fixed: dict[str, Any]) -> Any:
    """Runs the oracle's step on every row of a batch. Returns carry, y and gates."""
    rows = []
    for b in range(x.shape[0]):
        row = VARIANTS[name].step(params, tuple(a[b] for a in carry), x[b], {k: v[b] for k, v in fixed.items()})
        rows.append(row)
    return jax.tree.map(lambda *a: np.stack(a), *rows)


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    actual, expected = jax.tree.leaves(actual), jax.tree.leaves(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# The step


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_is_the_papers_and_the_composition_of_its_parts(name: str, dtype: str) -> None:
    cell, tolerance = make(name, param_dtype=dtype), TOLERANCE[dtype]
    params, carry, x = parameters(name, I, H), random_carry(name, (B,), H), inputs(B, I)
    expected_carry, expected_y, expected_gates = one_step(name, params, carry, x, {})

    @jax.jit
    def both(params: Any, carry: Any, x: Any) -> Any:
        g = cell.gates(params, carry, cell.project(params, x))
        return cell.step(params, carry, x), cell.combine(carry, g), g

    step, composition, g = both(*jax.tree.map(lambda a: jnp.asarray(a, dtype), (params, pack(carry), x)))
    assert set(g) == set(VARIANTS[name].gates)
    assert_close(g, expected_gates, tolerance)
    for carry_out, y in (step, composition):
        assert_close(carry_out, expected_carry, tolerance)
        assert_close(y, expected_y, tolerance)
        assert y.dtype == dtype
    np.testing.assert_array_equal(cell.hidden(step[0]), step[1])


@pytest.mark.parametrize(
    ("param_dtype", "dtype", "input_dtype"),
    [("bfloat16", None, "bfloat16"), ("float16", None, "float16"), ("float32", "bfloat16", "float32")],
)
@pytest.mark.parametrize("name", ["gru_after", "lstm_peepholes", "rnn_tanh"])
def test_the_composition_has_the_types_of_the_step(
    name: str, param_dtype: str, dtype: str | None, input_dtype: str
) -> None:
    cell = make(name, param_dtype=param_dtype, dtype=dtype)

    def both(key: Any, x: Any) -> Any:
        params = cell.init(key, I)
        carry = cell.initial_carry(params, (B,))
        return cell.step(params, carry, x), cell.combine(carry, cell.gates(params, carry, cell.project(params, x)))

    step, composition = jax.eval_shape(both, KEY, jax.ShapeDtypeStruct((B, I), input_dtype))
    assert jax.tree.map(lambda a: a.dtype, composition) == jax.tree.map(lambda a: a.dtype, step)


@pytest.mark.parametrize(("input_size", "batch"), [(1, (2, 3)), (2, ())])
@pytest.mark.parametrize("name", ["gru_after", "lstm"])
def test_a_step_takes_any_batch_axes_and_few_features(name: str, input_size: int, batch: tuple[int, ...]) -> None:
    # Up to two features the projection isn't a matmul.
    params, carry, x = parameters(name, input_size, H), random_carry(name, batch, H), inputs(*batch, input_size)
    rows = one_step(name, params, tuple(a.reshape(-1, H) for a in carry), x.reshape(-1, input_size), {})
    new, y = make(name, param_dtype="float64").step(params, pack(carry), jnp.asarray(x))
    assert y.shape == (*batch, H)
    assert_close(jax.tree.map(lambda a: a.reshape(-1, H), new), rows[0], 1e-12)
    assert_close(y.reshape(-1, H), rows[1], 1e-12)


@pytest.mark.parametrize(("name", "gate"), [(name, gate) for name, v in VARIANTS.items() for gate in v.gates])
def test_a_fixed_gate_is_used_by_all_that_depend_on_it(name: str, gate: str) -> None:
    cell = make(name, param_dtype="float64")
    params, carry, x = parameters(name, I, H), random_carry(name, (B,), H), inputs(B, I)
    fixed = {gate: np.random.default_rng(3).uniform(0.1, 0.9, (B, H))}
    expected_carry, expected_y, expected_gates = one_step(name, params, carry, x, fixed)
    g = cell.gates(params, pack(carry), cell.project(params, jnp.asarray(x)), fixed)
    np.testing.assert_array_equal(g[gate], fixed[gate])
    assert_close(dict(g), expected_gates, 1e-12)
    new, y = cell.combine(pack(carry), g)
    assert_close(new, expected_carry, 1e-12)
    assert_close(y, expected_y, 1e-12)


@pytest.mark.parametrize(
    ("name", "gate"), [("gru_after", "i"), ("gru_none", "r"), ("lstm", "z"), ("lstm", "m"), ("rnn_tanh", "z")]
)
def test_an_unknown_fixed_gate_is_refused_with_the_choices(name: str, gate: str) -> None:
    cell, params = make(name, param_dtype="float64"), parameters(name, I, H)
    carry, p = pack(first_carry(name, params)), cell.project(params, inputs(I))
    with pytest.raises(ValueError, match=f"fixed='{gate}'") as caught:
        cell.gates(params, carry, p, {gate: np.ones(H)})
    choices = str(caught.value).split("choose from")[1]
    assert set(choices.replace(",", " ").split()) == set(VARIANTS[name].gates)


def test_products_of_bfloat16_are_accumulated_in_float32() -> None:
    # A sum kept in bfloat16 would stop growing at 4: 4 + .01 rounds to 4.
    cell = gr.VanillaRNN(1, param_dtype="bfloat16", dtype="bfloat16")
    params = {"W_h": jnp.full((1024, 1), 0.01), "U_h": jnp.zeros((1, 1)), "b_h": jnp.zeros(1)}
    params = jax.tree.map(lambda a: a.astype("bfloat16"), params)
    p = cell.project(params, jnp.ones((1, 1024), "bfloat16"))["h"]
    assert p.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        p.astype(float), 1024 * float(jnp.bfloat16(0.01)), rtol=2**-8
    )  # one rounding, at the end


# Parameters and carries


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
def test_parameters_have_the_names_shapes_and_type_of_the_design(name: str, learned: bool, dtype: str) -> None:
    cell = make(name, learn_initial_carry=learned, param_dtype=dtype)
    params = jax.eval_shape(functools.partial(cell.init, input_size=I), KEY)
    expected = parameters(name, I, H, learned=learned)
    assert {k: v.shape for k, v in params.items()} == {k: v.shape for k, v in expected.items()}
    assert {v.dtype for v in params.values()} == {jnp.dtype(dtype)}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("gru_after", 155),
        ("gru_before", 150),
        ("gru_none", 100),
        ("lstm", 200),
        ("lstm_peepholes", 215),
        ("rnn_tanh", 50),
        ("rnn_relu", 50),
        ("mgu_after", 105),
        ("mgu_before", 100),
        ("block_gru", 95),
        ("min_gru", 50),
        ("min_lstm", 75),
        ("layer_norm_gru", 185),
        ("layer_norm_lstm", 250),
    ],
)
def test_parameter_counts(name: str, count: int) -> None:
    for learned in (False, True):
        params = jax.eval_shape(functools.partial(make(name, learn_initial_carry=learned).init, input_size=I), KEY)
        states = H * len(VARIANTS[name].states) if learned else 0
        assert sum(v.size for v in params.values()) == count + states


@pytest.mark.parametrize("name", ["gru_after", "lstm", "rnn_tanh"])
def test_every_gate_has_an_orthogonal_recurrent_kernel_and_draws_of_its_own(name: str) -> None:
    params = make(name).init(KEY, I)
    kernels = [np.asarray(params[f"U_{gate}"], np.float64) for gate in VARIANTS[name].gates]
    for kernel in kernels:
        np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False), 1, rtol=1e-5)
    for group in (kernels, [np.asarray(params[f"W_{gate}"]) for gate in VARIANTS[name].gates]):
        for i, kernel in enumerate(group):
            assert (kernel != 0).all()
            assert all((kernel != other).all() for other in group[:i])
    other = make(name).init(jax.random.key(1), I)
    for gate in VARIANTS[name].gates:
        assert (np.asarray(other[f"U_{gate}"]) != params[f"U_{gate}"]).all()


def test_each_field_initialises_its_own_kind_of_parameter() -> None:
    fills = {"kernel_init": gr.Constant(2.0), "recurrent_init": gr.Constant(3.0), "bias_init": gr.Constant(0.5)}
    expected = {"W": 2.0, "U": 3.0, "b": 0.5, "c": 0.5}
    for name in ("gru_after", "rnn_tanh"):
        for key, value in make(name, **fills).init(KEY, I).items():
            np.testing.assert_array_equal(value, np.full(value.shape, expected[key[0]]), err_msg=key)
    for forget_bias in (1.0, 2.5):
        params = gr.LSTM(H, forget_bias=forget_bias, **fills).init(KEY, I)  # type: ignore[arg-type]
        for key, value in params.items():
            here = 0.5 + forget_bias if key == "b_f" else expected[key[0]]
            np.testing.assert_array_equal(value, np.full(value.shape, here), err_msg=key)
    assert float(gr.LSTM(1, recurrent_init="zeros").init(KEY, I)["b_f"][0]) == 1.0


@pytest.mark.parametrize("name", ["gru_after", "lstm", "rnn_relu"])
def test_the_initial_carry_is_zeros_or_the_learned_parameters(name: str) -> None:
    params = parameters(name, I, H, learned=True)
    learned = make(name, learn_initial_carry=True, param_dtype="float64").initial_carry(params, (2, 3))
    zeros = make(name, param_dtype="float64").initial_carry(params, (2, 3))
    for state, value, zero in zip(VARIANTS[name].states, jax.tree.leaves(learned), jax.tree.leaves(zeros), strict=True):
        np.testing.assert_array_equal(value, np.broadcast_to(params[state], (2, 3, H)))
        np.testing.assert_array_equal(zero, np.zeros((2, 3, H)))
    fresh = make(name, learn_initial_carry=True, kernel_init="zeros", recurrent_init="zeros").init(KEY, I)
    for state in VARIANTS[name].states:
        np.testing.assert_array_equal(fresh[state], np.zeros(H))


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "float32"),
        ({"param_dtype": "bfloat16"}, "float32"),
        ({"param_dtype": "float64"}, "float64"),
        ({"dtype": "bfloat16"}, "float32"),
        ({"dtype": "float64"}, "float64"),
        ({"param_dtype": "float64", "dtype": "bfloat16"}, "float32"),
        ({"carry_dtype": "bfloat16"}, "bfloat16"),
        ({"param_dtype": "bfloat16", "carry_dtype": "float64"}, "float64"),
    ],
)
def test_the_type_of_the_initial_carry(options: dict[str, str], expected: str, learned: bool) -> None:
    for name in ("gru_after", "lstm"):
        cell = make(name, learn_initial_carry=learned, **options)
        carry = jax.eval_shape(lambda key, cell=cell: cell.initial_carry(cell.init(key, I), (B,)), KEY)
        assert {a.dtype for a in jax.tree.leaves(carry)} == {jnp.dtype(expected)}


# Identity


@pytest.mark.parametrize("name", VARIANTS)
def test_cells_are_frozen_values(name: str) -> None:
    cell = make(name)
    with pytest.raises(AttributeError):
        cell.hidden_size = 7
    assert cell == make(name)
    assert hash(cell) == hash(make(name))
    different = [make(name, 2 * H), make(name, dtype="float32"), make(name, learn_initial_carry=True)]
    different += [make(name, kernel_init=gr.LecunNormal()), make(name, carry_dtype="bfloat16")]
    assert len({cell, *different, *(make(other) for other in VARIANTS)}) == len(different) + len(VARIANTS)


def test_types_and_initialisers_compare_equal_however_they_are_written() -> None:
    written = [
        gr.GRU(3, param_dtype=jnp.float32, recurrent_init="orthogonal"),
        gr.GRU(3, param_dtype="float32", recurrent_init=gr.Orthogonal()),
        gr.GRU(3, param_dtype=np.float32, recurrent_init=gr.Orthogonal(1.0)),
        gr.GRU(hidden_size=3, param_dtype=np.dtype("float32")),
    ]
    assert len(set(written)) == 1


def test_an_equal_cell_compiles_nothing_again() -> None:
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def run(cell: Any, params: Any, carry: Any, x: Any) -> Any:
        traces.append(cell)
        return cell.step(params, carry, x)

    params = parameters("gru_none", I, H)
    arguments = (params, np.zeros((B, H)), inputs(B, I))
    run(gr.GRU(H, reset="none", recurrent_init="orthogonal", dtype=jnp.float64), *arguments)
    run(gr.GRU(H, "none", recurrent_init=gr.Orthogonal(), dtype="float64"), *arguments)
    assert len(traces) == 1
    run(gr.GRU(H, "none", dtype="float32"), *arguments)
    assert len(traces) == 2


# Mistakes

FLOATS = ("float32", "bfloat16", "float64")


@pytest.mark.parametrize(
    ("kind", "options", "parts"),
    [
        ("GRU", {"hidden_size": 0}, ("hidden_size=0", "at least 1")),
        ("GRU", {"hidden_size": -3}, ("hidden_size=-3", "at least 1")),
        ("LSTM", {"hidden_size": 2.5}, ("hidden_size=2.5", "whole number")),
        ("VanillaRNN", {"hidden_size": "5"}, ("hidden_size='5'", "whole number")),
        ("GRU", {"hidden_size": True}, ("hidden_size=True", "whole number")),
        ("GRU", {"reset": "sometimes"}, ("reset='sometimes'", "before", "after", "none")),
        ("GRU", {"reset": None}, ("reset=None", "before", "after", "none")),
        ("VanillaRNN", {"activation": "sine"}, ("activation='sine'", "tanh", "relu")),
        ("GRU", {"dtype": "int32"}, ("dtype='int32'", *FLOATS)),
        ("LSTM", {"param_dtype": "float33"}, ("param_dtype='float33'", *FLOATS)),
        ("VanillaRNN", {"carry_dtype": bool}, ("carry_dtype=", "bool", *FLOATS)),
        ("LSTM", {"carry_dtype": 7}, ("carry_dtype=7", *FLOATS)),
        ("LSTM", {"forget_bias": "much"}, ("forget_bias='much'",)),
        ("LayerNormLSTM", {"forget_bias": True}, ("forget_bias=True",)),
        ("LayerNormGRU", {"gate": "sine"}, ("gate='sine'", "tanh", "sigmoid")),
    ],
)
def test_a_mistake_is_named_with_its_value_and_the_choices(
    kind: str, options: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        getattr(gr, kind)(**{"hidden_size": H} | options)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("input_size", [0, -1])
@pytest.mark.parametrize("name", ["gru_after", "lstm", "rnn_tanh"])
def test_init_refuses_an_input_without_features(name: str, input_size: int) -> None:
    with pytest.raises(ValueError, match=f"input_size={input_size}.*at least 1"):
        make(name).init(KEY, input_size)


@pytest.mark.parametrize(("kernel_rows", "features"), [(2, 5), (2, 1), (4, 5)])
def test_a_step_refuses_an_input_of_another_size(kernel_rows: int, features: int) -> None:
    params = parameters("gru_after", kernel_rows, H)
    with pytest.raises(ValueError, match=f"{features}.*{kernel_rows}|{kernel_rows}.*{features}"):
        make("gru_after").step(params, jnp.zeros((B, H)), jnp.asarray(inputs(B, features)))
