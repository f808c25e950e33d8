"""The carry's type depends on the cell and its parameters, and is the same in `initial_carry`, `step` and `unroll`."""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.cells import base

I, H, B, T = 3, 4, 2, 5  # noqa: E741
KINDS = {
    "gru_after": (gr.GRU, {}),
    "gru_before": (gr.GRU, {"reset": "before"}),
    "lstm": (gr.LSTM, {"peepholes": True}),
    "rnn": (gr.VanillaRNN, {}),
    "mgu": (gr.MGU, {}),
    "block_gru": (gr.BlockGRU, {"heads": 2}),
    "min_gru": (gr.MinGRU, {}),
    "min_lstm": (gr.MinLSTM, {}),
    "layer_norm_gru": (gr.LayerNormGRU, {}),
    "layer_norm_lstm": (gr.LayerNormLSTM, {}),
}
FLOATS = ("bfloat16", "float32", "float64")
COMBINATIONS = [  # of param_dtype, dtype, carry_dtype and the inputs' type
    *itertools.product(FLOATS, (None, *FLOATS), (None,), (*FLOATS, "int32")),
    *itertools.product(("float32", "float64"), (None, "float64"), ("bfloat16",), ("float32", "float64")),
]

pytestmark = pytest.mark.usefixtures("x64")


def widest(*dtypes: str) -> Any:
    return jnp.dtype(max(dtypes, key=lambda dtype: jnp.dtype(dtype).itemsize))


@pytest.mark.parametrize("name", KINDS)
def test_initial_carry_step_and_unroll_agree_on_the_carrys_type(name: str) -> None:
    kind, options = KINDS[name]
    for param_dtype, dtype, carry_dtype, input_dtype in COMBINATIONS:
        cell = kind(
            H, param_dtype=param_dtype, dtype=dtype, carry_dtype=carry_dtype, learn_initial_carry=True, **options
        )

        def carries(params: Any, xs: Any, cell: Any = cell) -> Any:
            first = cell.initial_carry(params, (B,))
            after, y = cell.step(params, first, xs[:, 0])
            final, ys = gr.unroll(cell, params, xs)
            return first, after, final, y, ys

        params = jax.eval_shape(lambda cell=cell: cell.init(jax.random.key(0), I))
        *found, y, ys = jax.eval_shape(carries, params, jax.ShapeDtypeStruct((B, T, I), input_dtype))
        expected = jnp.dtype(carry_dtype or widest("float32", dtype or param_dtype))
        assert [{a.dtype for a in jax.tree.leaves(carry)} for carry in found] == [{expected}] * 3
        assert y.dtype == ys.dtype


@pytest.mark.parametrize("input_dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["gru_after", "lstm", "min_lstm"])
def test_a_scan_of_ones_own_over_step_is_unroll(name: str, input_dtype: str) -> None:
    # Parameters in float64 for a cell that would draw them in float32, and the other way round.
    kind, options = KINDS[name]
    for param_dtype, tolerance in (("float64", 1e-13), ("float32", 1e-6)):
        cell = kind(H, learn_initial_carry=True, **options)
        params = {
            key: np.random.default_rng(len(key)).normal(size=a.shape).astype(param_dtype)
            for key, a in cell.init(jax.random.key(0), I).items()
        }
        xs = np.random.default_rng(0).normal(size=(B, T, I)).astype(input_dtype)

        def own(params: Any, xs: Any, cell: Any = cell) -> Any:
            first = cell.initial_carry(params, (B,))
            carry, ys = jax.lax.scan(lambda carry, x: cell.step(params, carry, x), first, xs.swapaxes(0, 1))
            return carry, ys.swapaxes(0, 1)

        def equal(a: Any, b: Any, tolerance: float = tolerance) -> None:
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

        jax.tree.map(equal, jax.jit(own)(params, xs), jax.jit(lambda *a, cell=cell: gr.unroll(cell, *a))(params, xs))


@pytest.mark.parametrize("name", ["gru_after", "lstm"])
def test_a_learned_first_carry_in_float64_keeps_its_digits(name: str) -> None:
    kind, options = KINDS[name]
    cell = kind(H, learn_initial_carry=True, **options)
    params = {key: a.astype("float64") for key, a in cell.init(jax.random.key(0), I).items()}
    states = {key: np.arange(1, H + 1) / 3 for key in params if key in ("c_0", "h_0")}
    first = cell.initial_carry(params | states, (B,))
    final, _ = gr.unroll(cell, params | states, np.zeros((B, T, I)), lengths=np.zeros(B, int))
    for carry in (first, final):
        for part in jax.tree.leaves(carry):
            np.testing.assert_array_equal(part, np.tile(np.arange(1, H + 1) / 3, (B, 1)))


@dataclasses.dataclass(frozen=True)
class Careless:
    """A leaky sum that leaves types to JAX: `combine` returns float64 for a float32 carry and float64 inputs."""

    hidden_size: int = I
    dtype: Any = None
    carry_dtype: Any = None

    def init(self, key: Any, input_size: int) -> Any:
        return {"decay": jnp.full(self.hidden_size, 0.5, jnp.float32)}

    def initial_carry(self, params: Any, batch: Any) -> Any:
        return jnp.zeros((*batch, self.hidden_size), jnp.float32)

    def project(self, params: Any, x: Any) -> Any:
        return {"x": x, "decay": jnp.broadcast_to(params["decay"], x.shape)}

    def gates(self, params: Any, carry: Any, p: Any, fixed: Any = base.NOTHING_FIXED) -> Any:
        return dict(p)

    def combine(self, carry: Any, g: Any) -> Any:
        new = g["decay"] * carry + g["x"]
        return new, new

    def step(self, params: Any, carry: Any, x: Any) -> Any:
        return base.step(self, params, carry, x)

    def hidden(self, carry: Any) -> Any:
        return carry


def test_a_cell_that_leaves_types_to_jax_keeps_the_carrys() -> None:
    cell, xs = Careless(), np.ones((B, T, I))
    params = cell.init(jax.random.key(0), I)
    final, ys = gr.unroll(cell, params, xs)
    carry = cell.initial_carry(params, (B,))
    for _ in range(T):
        carry, _ = cell.step(params, carry, xs[:, 0])
    assert final.dtype == carry.dtype == jnp.float32 and ys is not None
    np.testing.assert_array_equal(final, np.full((B, I), sum(0.5**k for k in range(T))))
    np.testing.assert_array_equal(carry, final)
