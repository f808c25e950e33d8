"""Gradients of 16-bit parameters over a thousand steps, with the hand-written gradient and under JAX's differentiation.

Parameters are bfloat16. Inputs are float32, which makes the arithmetic float32. A gradient then differs from float64 by
its final rounding to bfloat16, at most 2^-8 of an entry, and by float32 errors, 1e-4 of the largest entry. With sums in
bfloat16, single entries were off by 13 to 77 %.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.analysis import intervene

I, H, B, T = 3, 4, 2, 1000  # noqa: E741
RNG = np.random.default_rng(0)
XS = RNG.normal(size=(B, T, I)).astype("float32")
WEIGHTS = RNG.normal(size=(B, T, 2 * H)) + 0.5
RESETS = RNG.random((B, T)) < 0.1
KEY = jax.random.key(3)

pytestmark = pytest.mark.usefixtures("x64")


def unrolled(cell: Any, params: Any, xs: Any, **options: Any) -> Any:
    return gr.unroll(cell, params, xs, resets=RESETS, options=gr.UnrollOptions(**options))[1]


def traced(cell: Any, params: Any, xs: Any) -> Any:
    _, ys, gates = gr.trace(cell, params, xs, resets=RESETS)
    assert ys is not None
    return jnp.concatenate([ys, next(iter(gates.values()))], -1)


def stacked(cell: Any, params: Any, xs: Any, key: Any = None, **noise: float) -> Any:
    return gr.Stack((cell,), noise=gr.Noise(**noise)).apply([params], xs, key=key, resets=RESETS)[1]


def both_ways(cell: Any, params: Any, xs: Any, key: Any = None, **noise: float) -> Any:
    both = gr.Bidirectional(cell, cell, noise=gr.Noise(**noise))
    fixed = jax.lax.stop_gradient(params)  # the sum of both directions' would be rounded once more
    return both.apply({"forward": fixed, "backward": params}, xs, key=key, resets=RESETS)[1]


def silenced(cell: Any, params: Any, xs: Any) -> Any:
    around, more = intervene(cell, params, silenced=[1])
    return gr.unroll(around, dict(more, cell=params), xs, resets=RESETS)[1]


def gradient(cell: Any, run: Any, params: Any, dtype: str) -> Any:
    cell = dataclasses.replace(cell, param_dtype=dtype)
    xs = XS.astype("float64" if dtype == "float64" else "float32")

    def loss(params: Any) -> Any:
        ys = run(cell, params, xs)
        return (ys.astype(jnp.float64) * WEIGHTS[..., : ys.shape[-1]]).sum()

    return jax.jit(jax.grad(loss))(jax.tree.map(lambda a: a.astype(dtype), params))


@pytest.mark.parametrize(
    ("cell", "run"),
    [
        (gr.MGU(H), unrolled),
        (gr.BlockGRU(H, heads=2), unrolled),
        (gr.LayerNormGRU(H), unrolled),
        (gr.LayerNormLSTM(H), unrolled),
        (gr.GRU(H, gate="hard_sigmoid"), unrolled),
        (gr.LSTM(H, activation=jnp.sin, peepholes=True), unrolled),
        (gr.GRU(H), functools.partial(unrolled, backend="vjp")),
        (gr.GRU(H), functools.partial(unrolled, backend="vjp", checkpoint=32)),
        (gr.GRU(H), functools.partial(unrolled, backend="autodiff", checkpoint=32)),
        (gr.GRU(H, reset="before"), functools.partial(unrolled, backend="autodiff", hoist=False)),
        (gr.VanillaRNN(H), functools.partial(unrolled, backend="autodiff", unroll=4)),
        (gr.MinGRU(H), functools.partial(unrolled, checkpoint=32)),
        (gr.MinLSTM(H), functools.partial(unrolled, backend="parallel")),
        (gr.MinLSTM(H), functools.partial(unrolled, backend="autodiff", hoist=False)),
        (gr.LSTM(H), traced),
        (gr.LSTM(H), functools.partial(stacked, zoneout=0.2, zoneout_cell=0.1)),
        (gr.GRU(H), functools.partial(stacked, zoneout=0.2, state_dropout=0.2, key=KEY)),
        (gr.GRU(H), functools.partial(both_ways, zoneout=0.2)),
        (gr.GRU(H), silenced),
    ],
)
def test_the_gradient_is_that_in_float64_rounded_once(cell: Any, run: Any) -> None:
    cell = dataclasses.replace(cell, learn_initial_carry=True)
    params = jax.tree.map(
        lambda a: (a + 0.3 * np.random.default_rng(1).normal(size=a.shape)).astype("bfloat16"),
        cell.init(jax.random.key(0), I),
    )
    exact, found = gradient(cell, run, params, "float64"), gradient(cell, run, params, "bfloat16")
    assert set(exact) == set(params)
    for name, a in exact.items():
        assert found[name].dtype == jnp.bfloat16 and np.abs(a).max() > 0, name
        error = np.abs(found[name].astype("float64") - a)
        assert (error <= 2**-8 * np.abs(a) + 1e-4 * np.abs(a).max()).all(), (name, (error / np.abs(a)).max())


@dataclasses.dataclass(frozen=True)
class Plain:
    """A user's cell that does all arithmetic itself, in the parameters' type."""

    hidden_size: int = H
    dtype: Any = None
    carry_dtype: Any = None
    param_dtype: Any = jnp.float32

    def init(self, key: Any, input_size: int) -> Any:
        return {"W": jnp.ones((input_size, H), self.param_dtype), "b": jnp.zeros(H, self.param_dtype)}

    def initial_carry(self, params: Any, batch: Any) -> Any:
        return jnp.zeros((*batch, H), jnp.float32)

    def project(self, params: Any, x: Any) -> Any:
        return {"a": x @ params["W"]}

    def gates(self, params: Any, carry: Any, p: Any, fixed: Any = ()) -> Any:
        assert params["b"].dtype == self.param_dtype
        return {"a": jnp.tanh(p["a"] + params["b"])}

    def combine(self, carry: Any, g: Any) -> Any:
        h = 0.5 * carry + g["a"]
        return h.astype(carry.dtype), h.astype(g["a"].dtype)

    def step(self, params: Any, carry: Any, x: Any) -> Any:
        return self.combine(carry, self.gates(params, carry, self.project(params, x)))

    def hidden(self, carry: Any) -> Any:
        return carry


def test_own_arithmetic_reads_the_parameters_own_type_and_is_summed_in_float32() -> None:
    """Each step's part is rounded to bfloat16 there, so errors of one sign average out and 1 % bounds the sum's."""
    params = {"W": RNG.normal(size=(I, H)), "b": RNG.normal(size=H)}
    params = jax.tree.map(lambda a: a.astype("bfloat16"), params)
    exact, found = (gradient(Plain(), unrolled, params, dtype) for dtype in ("float64", "bfloat16"))
    for name, a in exact.items():
        assert found[name].dtype == jnp.bfloat16
        np.testing.assert_allclose(found[name].astype("float64"), a, atol=0.01 * np.abs(a).max())


@pytest.mark.parametrize("options", [{}, {"backend": "autodiff"}, {"checkpoint": 16}, {"chunk": 16}])
def test_a_learned_first_carry_counts_every_reset_of_every_row(options: dict[str, Any]) -> None:
    """With a reset before every step, each of 4 rows x 512 steps adds 1. In bfloat16, 256 + 1 is 256."""
    cell = gr.VanillaRNN(1, activation="relu", learn_initial_carry=True, param_dtype="bfloat16", carry_dtype="bfloat16")
    params = {"W_h": np.zeros((1, 1)), "U_h": np.ones((1, 1)), "b_h": np.zeros(1), "h_0": np.ones(1)}
    params = jax.tree.map(lambda a: jnp.asarray(a, "bfloat16"), params)
    xs, resets = jnp.zeros((4, 512, 1), "bfloat16"), np.ones((4, 512), bool)

    def loss(params: Any) -> Any:
        ys = gr.unroll(cell, params, xs, resets=resets, options=gr.UnrollOptions(**options))[1]
        return ys.astype(jnp.float32).sum()  # type: ignore[union-attr]

    grads = jax.jit(jax.grad(loss))(params)
    assert grads["h_0"].item() == grads["U_h"].item() == 2048


@pytest.mark.parametrize("cell", [gr.MGU(H), gr.LayerNormLSTM(H), gr.LSTM(H, peepholes=True, gate="hard_sigmoid")])
def test_values_and_types_are_those_of_the_cells_own_steps(cell: Any) -> None:
    """Operation by operation: within one fused kernel, XLA leaves out bfloat16 roundings on some processors.

    On a Xeon with AVX512-BF16, `jax.jit` of MGU's own step in a scan differs from the same scan that also returns the
    gates, by one unit in the last place.
    """
    cell = dataclasses.replace(cell, param_dtype="bfloat16", carry_dtype="bfloat16")
    params, xs = cell.init(jax.random.key(0), I), XS[:, :5].astype("bfloat16")
    with jax.disable_jit():
        final, ys = gr.unroll(cell, params, xs)
        carry, outputs = cell.initial_carry(params, (B,)), []
        for t in range(5):
            carry, y = cell.step(params, carry, xs[:, t])
            outputs.append(y)
    assert ys is not None and ys.dtype == outputs[0].dtype == jnp.bfloat16
    jax.tree.map(np.testing.assert_array_equal, (final, ys), (carry, jnp.stack(outputs, 1)))
