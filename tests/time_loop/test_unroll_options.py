"""The options of `unroll`, types and devices change how it runs, and not what it computes.

Tolerances: 1e-12 in float64 and 1e-5 in float32, on values of order 1. If two methods must do the same arithmetic, bits
are compared.
"""

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from tests.oracles import pack, parameters, sequence
from tests.time_loop.unrolling import (
    EVERY_STEP,
    LENGTHS,
    SCENARIOS,
    B,
    H,
    I,
    T,
    arguments,
    assert_close,
    compiled,
    inputs,
    make,
)

pytestmark = pytest.mark.usefixtures("x64")


# Options: how it runs, not what it computes


# Gradients are checked in test_unroll_gradients.py, with chunks of 3 and of 4 steps.
@pytest.mark.parametrize(("reverse", "checkpoint"), [(False, 3), (True, 4), (False, 1), (False, 12)])
def test_checkpointing_changes_no_result_whether_or_not_it_divides_the_steps(reverse: bool, checkpoint: int) -> None:
    params, xs, carry = arguments("gru_after")
    streams = EVERY_STEP | SCENARIOS["all"]
    run = compiled("gru_after", reverse, gr.UnrollOptions(checkpoint=checkpoint))
    expected = compiled("gru_after", reverse)(params, xs, pack(carry), streams)
    assert_close(run(params, xs, pack(carry), streams), expected)


def test_checkpointing_keeps_less_for_the_gradient() -> None:
    cell = make("gru_after")
    params, xs = parameters("gru_after", I, H), inputs(1, 65, I)

    def kept(options: gr.UnrollOptions) -> int:
        _, pullback = jax.eval_shape(lambda p: jax.vjp(lambda p: gr.unroll(cell, p, xs, options=options)[0], p), params)
        return sum(leaf.size for leaf in jax.tree.leaves(pullback))

    assert kept(gr.UnrollOptions(checkpoint=8, outputs="none")) < 0.5 * kept(gr.UnrollOptions(outputs="none"))


@pytest.mark.parametrize(
    ("name", "input_size", "options"),
    [
        ("gru_after", 1, gr.UnrollOptions()),
        ("gru_after", 2, gr.UnrollOptions(hoist=True)),
        ("gru_after", 4, gr.UnrollOptions(hoist=False)),
        ("gru_after", 4, gr.UnrollOptions(hoist=True, unroll=3, backend="autodiff")),
    ],
)
def test_hoisting_and_unrolling_change_no_result(name: str, input_size: int, options: gr.UnrollOptions) -> None:
    params, xs = parameters(name, input_size, H), inputs(B, T, input_size)
    expected = sequence(name, params, xs, lengths=LENGTHS)
    assert_close(gr.unroll(make(name), params, xs, lengths=LENGTHS, options=options), expected[:2])


def scans(jaxpr: Any) -> list[Any]:
    """Returns the `lax.scan`s in a jaxpr, nested ones included."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            found.append(equation)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda a: hasattr(a, "eqns")):
            found += scans(getattr(inner, "jaxpr", inner)) if hasattr(getattr(inner, "jaxpr", inner), "eqns") else []
    return found


def test_without_outputs_the_carry_is_the_same_and_nothing_is_stored() -> None:
    params, xs, carry = arguments("lstm")
    streams = EVERY_STEP | SCENARIOS["all"]
    run = compiled("lstm", options=gr.UnrollOptions(outputs="none"))
    final, ys = run(params, xs, carry, streams)
    assert ys is None
    assert_close(final, compiled("lstm")(params, xs, carry, streams)[0])
    for function, stored in ((run, 0), (compiled("lstm"), 1)):
        (scan,) = scans(jax.make_jaxpr(function)(params, xs, carry, streams).jaxpr)
        assert len(scan.outvars) == 2 + stored


@pytest.mark.parametrize("reverse", [False, True])
def test_time_major_is_the_same_with_time_in_front(reverse: bool) -> None:
    params, xs, carry = arguments("gru_after")
    streams = EVERY_STEP | SCENARIOS["all"]
    turned = {key: value if key == "lengths" else np.swapaxes(value, 0, 1) for key, value in streams.items()}
    run = compiled("gru_after", reverse, gr.UnrollOptions(time_major=True))
    final, ys = run(params, np.swapaxes(xs, 0, 1), pack(carry), turned)
    expected_final, expected_ys = compiled("gru_after", reverse)(params, xs, pack(carry), streams)
    assert_close((final, np.swapaxes(ys, 0, 1)), (expected_final, expected_ys))


def test_vmap_over_parameters_is_one_after_the_other() -> None:
    seeds = [parameters("gru_after", I, H, seed=seed, learned=True) for seed in (0, 1)]
    _, xs, carry = arguments("gru_after")
    streams = EVERY_STEP | SCENARIOS["all"]
    stacked = jax.tree.map(lambda *a: np.stack(a), *seeds)
    run = jax.vmap(compiled("gru_after"), in_axes=(0, None, None, None))
    final, ys = run(stacked, xs, pack(carry), streams)
    for i, params in enumerate(seeds):
        expected = sequence("gru_after", params, xs, initial_carry=carry, **streams)
        assert_close((final[i], ys[i]), expected[:2])


# Types


@pytest.mark.parametrize(
    ("options", "input_dtype", "output", "carry"),
    [
        ({"param_dtype": "float32"}, "float32", "float32", "float32"),
        ({"param_dtype": "bfloat16"}, "bfloat16", "bfloat16", "float32"),
        ({"param_dtype": "float16"}, "float16", "float16", "float32"),
        ({"param_dtype": "bfloat16"}, "float32", "float32", "float32"),
        ({"param_dtype": "float32"}, "bfloat16", "float32", "float32"),
        ({"param_dtype": "float32"}, "int32", "float32", "float32"),
        ({"param_dtype": "float64"}, "float32", "float64", "float64"),
        ({"param_dtype": "float32"}, "float64", "float64", "float32"),
        ({"param_dtype": "float32", "dtype": "bfloat16"}, "float32", "bfloat16", "float32"),
        ({"param_dtype": "float64", "dtype": "float32"}, "float64", "float32", "float32"),
        ({"param_dtype": "float32", "dtype": "bfloat16", "carry_dtype": "bfloat16"}, "float32", "bfloat16", "bfloat16"),
        ({"param_dtype": "float32", "carry_dtype": "float64"}, "float32", "float32", "float64"),
        ({"param_dtype": "float32", "dtype": "float64", "carry_dtype": "float32"}, "float32", "float64", "float32"),
    ],
)
def test_outputs_and_carry_have_their_types_in_step_and_unroll(
    options: dict[str, str], input_dtype: str, output: str, carry: str
) -> None:
    for kind in (gr.GRU, gr.LSTM, gr.VanillaRNN):
        cell = kind(H, **options)  # type: ignore[arg-type]

        def run(key: Any, xs: Any, cell: Any = cell) -> Any:
            params = cell.init(key, I)
            first = cell.initial_carry(params, (B,))
            return cell.step(params, first, xs[:, 0]), gr.unroll(cell, params, xs, initial_carry=first)

        for final, y in jax.eval_shape(run, jax.random.key(0), jax.ShapeDtypeStruct((B, T, I), input_dtype)):
            assert y.dtype == output
            assert {a.dtype for a in jax.tree.leaves(final)} == {jnp.dtype(carry)}


@pytest.mark.parametrize("carry_dtype", ["float32", "bfloat16"])
def test_in_bfloat16_step_and_unroll_stay_near_the_oracle_and_each_other(carry_dtype: str) -> None:
    # 8 bits: half a unit in the last place at 1 is 2^-8; rounding the parameters adds a few.
    params, xs, carry = arguments("gru_after")
    cell = make("gru_after", dtype="bfloat16", carry_dtype=carry_dtype, learn_initial_carry=True)
    final, ys = gr.unroll(cell, params, xs, initial_carry=pack(carry))
    expected = sequence("gru_after", params, xs, initial_carry=carry)
    np.testing.assert_allclose(np.asarray(ys, float), expected[1], atol=8 * 2**-8)
    state, step = pack(carry), jax.jit(cell.step)
    for t in range(T):
        state, y = step(params, state, xs[:, t])
        np.testing.assert_allclose(np.asarray(y, float), np.asarray(ys[:, t], float), atol=2 * 2**-8)
    assert state.dtype == final.dtype == carry_dtype


@pytest.mark.parametrize(("carry_dtype", "expected"), [(None, 0.98544085), ("bfloat16", 0.8359375)])
def test_a_slow_unit_moves_in_float32_and_stops_in_bfloat16(carry_dtype: str | None, expected: float) -> None:
    # h = z h + (1 - z) from h = .5 with z = .98828125, which is .99 in bfloat16: after 300 steps 1 - z^300 / 2.
    # In bfloat16 a step that is smaller than half a unit in the last place, 2^-9 at .84, changes nothing.
    z = float(jnp.bfloat16(0.99))
    assert abs(0.98544085 - (1 - z**300 / 2)) < 1e-7
    cell = gr.GRU(1, reset="none", dtype="bfloat16", carry_dtype=carry_dtype)
    params = {key: np.zeros((1, 1), np.float32) for key in ("W_z", "U_z", "W_n", "U_n")}
    params |= {"b_z": np.full(1, np.log(z / (1 - z)), np.float32), "b_n": np.full(1, 20, np.float32)}
    xs, half = jnp.zeros((1, 300, 1), "bfloat16"), np.full((1, 1), 0.5, np.float32)
    final, ys = gr.unroll(cell, params, xs, initial_carry=half)
    np.testing.assert_allclose(float(final[0, 0]), expected, rtol=1e-5)
    assert ys.dtype == jnp.bfloat16


def test_an_equal_cell_and_equal_options_compile_nothing_again() -> None:
    traces = []

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def run(cell: Any, options: Any, params: Any, xs: Any) -> Any:
        traces.append(cell)
        return gr.unroll(cell, params, xs, options=options)

    data = (parameters("rnn_tanh", I, H), inputs(B, T, I))
    run(gr.VanillaRNN(H, kernel_init="glorot_uniform"), gr.UnrollOptions(), *data)
    run(gr.VanillaRNN(H, kernel_init=gr.GlorotUniform()), gr.UnrollOptions("auto", unroll=1), *data)
    assert len(traces) == 1
    run(gr.VanillaRNN(H), gr.UnrollOptions(outputs="none"), *data)
    assert len(traces) == 2


# Inside shard_map

SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec as P
import gru_research as gr
from tests.oracles import parameters

I, H, B, T = 4, 5, 4, 6
mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
assert mesh.size == 2
rng = np.random.default_rng(0)
data = rng.normal(size=(B, T, I)), np.array([0, 6, 4, 3]), rng.random((B, T)) < 0.3

def close(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), a, b)

def gradient_of(cell, **arguments):
    def loss(params, xs, lengths, resets):
        final, ys = gr.unroll(cell, params, xs, lengths=lengths, resets=resets, **arguments)
        return (ys**2).sum() + sum(jnp.sin(a).sum() for a in jax.tree.leaves(final)), (final, ys)
    return loss, jax.grad(loss, has_aux=True)

# The batch over devices: the gradient taken inside, where that of replicated parameters is summed, and of the whole.
cell = gr.VanillaRNN(H, learn_initial_carry=True, param_dtype="float64")
params, batch = parameters("rnn_tanh", I, H, learned=True), (P(), *[P("data")] * 3)
loss, run = gradient_of(cell, reverse=True, options=gr.UnrollOptions(checkpoint=3))
expected = jax.jit(run)(params, *data)
inside = jax.shard_map(run, mesh=mesh, in_specs=batch, out_specs=(P(), P("data")))
close(jax.jit(inside)(params, *data), expected)
whole = jax.shard_map(lambda *a: jax.lax.psum(loss(*a)[0], "data"), mesh=mesh, in_specs=batch, out_specs=P())
close(jax.jit(jax.grad(whole))(params, *data), expected[0])
_, in_chunks = gradient_of(cell, reverse=True, options=gr.UnrollOptions(chunk=4))
close(jax.jit(jax.shard_map(in_chunks, mesh=mesh, in_specs=batch, out_specs=(P(), P("data"))))(params, *data), expected)
alone, _ = gradient_of(cell, reverse=True, options=gr.UnrollOptions(chunk=4))  # without a gradient a loop of its own
outputs = jax.shard_map(lambda *a: alone(*a)[1], mesh=mesh, in_specs=batch, out_specs=P("data"))
close(jax.jit(outputs)(params, *data), expected[1])

# Seeds over devices, the data on all of them.
_, run = gradient_of(gr.LSTM(H, param_dtype="float64"))
seeds = [parameters("lstm", I, H, seed=s) for s in (0, 1)]
one = lambda params, *d: jax.tree.map(lambda a: a[None], run(jax.tree.map(lambda a: a[0], params), *d))
spread = jax.shard_map(one, mesh=mesh, in_specs=(P("data"), P(), P(), P()), out_specs=P("data"))
found = jax.jit(spread)(jax.tree.map(lambda *a: np.stack(a), *seeds), *data)
single = jax.jit(run)
close(found, jax.tree.map(lambda *a: np.stack(a), *(single(params, *data) for params in seeds)))
print("equal")
"""


def test_inside_shard_map_with_default_checks_results_and_gradients_are_the_same() -> None:
    # The number of devices is set before jax starts, so in a process of its own.
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([*sys.path, root])
    flags = "--xla_force_host_platform_device_count=2"
    environment = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", "XLA_FLAGS": flags}
    done = subprocess.run([sys.executable, "-c", SHARDED], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "equal"
