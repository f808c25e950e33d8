"""Explicit sharding: batches whose types contain the mesh axes of each dimension.

Types are checked for any cell, option and placement on an abstract mesh, without devices. Values are compared with one
device's in a separate process with four devices (`on_four_devices.py`).
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AbstractMesh, AxisType, NamedSharding, use_abstract_mesh
from jax.sharding import PartitionSpec as P

import gru_research as gr

I, H, B, T = 3, 4, 4, 6  # noqa: E741
CELLS = (
    gr.GRU(H),
    gr.GRU(H, reset="before", learn_initial_carry=True),
    gr.GRU(H, gate="hard_sigmoid"),
    gr.LSTM(H, peepholes=True, learn_initial_carry=True),
    gr.VanillaRNN(H),
    gr.MGU(H),
    gr.BlockGRU(H, heads=2),
    gr.MinGRU(H),
    gr.MinLSTM(H),
    gr.LayerNormGRU(H),
    gr.LayerNormLSTM(H),
)
ROWS = (None, "a", "b", ("a", "b"))
MESHES = [
    AbstractMesh((2, 2), ("a", "b"), axis_types=(AxisType.Explicit, second))
    for second in (AxisType.Explicit, AxisType.Auto)
]


def backends(cell: Any) -> list[str]:
    return ["autodiff", *["vjp"] * getattr(cell, "has_vjp", False), *["parallel"] * hasattr(cell, "linear")]


@st.composite
def problems(draw: Any) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """Draws a cell, the types of its parameters and of `unroll`'s arrays with any sharding, and other arguments."""
    cell, mesh = draw(st.sampled_from(CELLS)), draw(st.sampled_from(MESHES))
    options = gr.UnrollOptions(
        backend=draw(st.sampled_from(backends(cell))),
        checkpoint=draw(st.sampled_from([0, 4])),
        save=draw(st.sampled_from(["gates", "carry"])),
        time_major=draw(st.booleans()),
    )

    def typed(shape: tuple[int, ...], dtype: Any, *axes: Any) -> Any:
        """Returns the type of a parameter or carry."""
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, P(*axes)))

    def over_time(dtype: Any, rows: Any, time: Any, *features: Any) -> Any:
        sizes, axes = ((T, B), (time, rows)) if options.time_major else ((B, T), (rows, time))
        return typed((*sizes, *(I for _ in features)), dtype, *axes, *features)

    last = draw(st.sampled_from([None, None, "b"]))
    shapes = jax.eval_shape(lambda: cell.init(jax.random.key(0), I))
    params = {name: typed(a.shape, a.dtype, *(None,) * (a.ndim - 1), last) for name, a in shapes.items()}
    time, rows = draw(st.sampled_from([("b", "a"), ("b", None), *((None, rows) for rows in ROWS * 2)]))
    arrays: dict[str, Any] = {"params": params, "xs": over_time(jnp.float32, rows, time, None)}
    for argument in ("mask", "resets"):
        if draw(st.booleans()):
            arrays[argument] = over_time(bool, draw(st.sampled_from(ROWS)), None)
    if draw(st.booleans()):
        arrays["lengths"] = typed((B,), jnp.int32, draw(st.sampled_from(ROWS)))
    if draw(st.booleans()):
        rows, carry = draw(st.sampled_from(ROWS)), jax.eval_shape(lambda p: cell.initial_carry(p, (B,)), shapes)
        arrays["initial_carry"] = jax.tree.map(lambda a: typed(a.shape, a.dtype, rows, None), carry)
    return cell, mesh, arrays, {"reverse": draw(st.booleans()), "options": options}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_any_placement_of_any_argument_gives_results_divided_by_rows_and_gradients_divided_as_the_parameters(
    problem: Any,
) -> None:
    cell, mesh, arrays, other = problem
    params = arrays.pop("params")
    types: dict[str, Any] = {}

    def loss(params: Any, arrays: dict[str, Any]) -> Any:
        given = dict(arrays)
        types["params"], types["xs"] = jax.tree.map(jax.typeof, params), jax.typeof(given["xs"])
        types["results"] = final, ys = gr.unroll(cell, params, given.pop("xs"), **given, **other)
        types["results"] = jax.tree.map(jax.typeof, types["results"])
        return sum((a**2).sum() for a in jax.tree.leaves((final, ys)))

    def gradient(params: Any, arrays: dict[str, Any]) -> Any:
        d_params, d_arrays = jax.grad(loss, argnums=(0, 1), allow_int=True)(params, arrays)
        types["gradients"] = jax.tree.map(jax.typeof, (d_params, d_arrays["xs"]))
        return d_params

    with use_abstract_mesh(mesh):
        jax.eval_shape(jax.jit(gradient), params, arrays)
    assert types["gradients"] == (types["params"], types["xs"])
    final, ys = types["results"]
    rows = 1 if other["options"].time_major else 0
    given = types["xs"].sharding.spec[rows]
    if given is not None:
        assert ys.sharding.spec[rows] == given
    for part in jax.tree.leaves(final):
        assert part.sharding.spec[0] == ys.sharding.spec[rows]
    assert [axes for i, axes in enumerate(ys.sharding.spec) if i != rows] == [None, None]


@pytest.mark.processes
def test_values_and_gradients_are_one_devices() -> None:
    on_four_devices("on_four_devices.py")


def test_each_device_has_the_native_engine(native_engine: Any) -> None:
    del native_engine
    on_four_devices("native_on_four_devices.py")


def on_four_devices(name: str) -> None:
    """Runs the script of this name beside this file and asserts that its output ends with "equal"."""
    # The number of devices is set before jax starts, so in a process of its own.
    root = Path(__file__).resolve().parents[2]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *sys.path])
    script = Path(__file__).with_name(name)
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == "equal"
