"""Carries of user cells that aren't one floating-point array: a step count stays integer everywhere.

The cell is a VanillaRNN with a step count beside its h. Outputs and gradients must equal VanillaRNN's, and the count
must be the number of real steps since the last reset. Tolerances in float64: 1e-12.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research.cells import base

pytestmark = pytest.mark.usefixtures("x64")
I, H, B, T = 2, 3, 3, 6  # noqa: E741
unroll: Any = gr.unroll
XS = np.random.default_rng(0).normal(size=(B, T, I))
STREAMS: dict[str, Any] = {
    "lengths": np.array([0, 6, 4]),
    "mask": np.array([[1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1]], bool),
    "resets": np.array([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0], [0, 1, 0, 0, 0, 1]], bool),
}


@dataclasses.dataclass(frozen=True)
class Counted:
    """A VanillaRNN with the carry `{"h": [*batch, H], "steps": [*batch, *tail]}`, where steps are integers."""

    hidden_size: int = H
    tail: tuple[int, ...] = (1,)
    by_row: bool = True
    has_vjp: bool = False
    dtype: Any = None
    carry_dtype: Any = None

    @property
    def cell(self) -> Any:
        return gr.VanillaRNN(self.hidden_size, param_dtype="float64", dtype=self.dtype, carry_dtype=self.carry_dtype)

    def init(self, key: Any, input_size: int) -> Any:
        return self.cell.init(key, input_size)

    def initial_carry(self, params: Any, batch: Any) -> Any:
        shape = (*batch, *self.tail) if self.by_row else ()
        return {"h": self.cell.initial_carry(params, batch), "steps": jnp.zeros(shape, jnp.int32)}

    def project(self, params: Any, x: Any) -> Any:
        return self.cell.project(params, x)

    def gates(self, params: Any, carry: Any, p: Any, fixed: Any = base.NOTHING_FIXED) -> Any:
        return self.cell.gates(params, carry["h"], p, fixed)

    def combine(self, carry: Any, g: Any) -> Any:
        h, y = self.cell.combine(carry["h"], g)
        return {"h": h, "steps": carry["steps"] + 1}, y

    def step(self, params: Any, carry: Any, x: Any) -> Any:
        return base.step(self, params, carry, x)

    def hidden(self, carry: Any) -> Any:
        return carry["h"]

    def advance(self, params: Any, carry: Any, p: Any) -> Any:
        return self.combine(carry, self.gates(params, carry, p))[0], {}

    def factors(self, params: Any, before: Any, after: Any, s: Any) -> Any:
        return self.cell.factors(params, before["h"], after["h"], s)

    def backward(self, turned: Any, f: Any, d: Any) -> Any:
        d_h, kept = self.cell.backward(turned, f, d["h"])
        return {"h": d_h, "steps": d["steps"]}, kept

    def cotangents(self, params: Any, xs: Any, before: Any, after: Any, s: Any, f: Any, k: Any) -> Any:
        return self.cell.cotangents(params, xs, before["h"], after["h"], s, f, k)


def counts(reverse: bool, streams: dict[str, Any], begin: int = 0) -> np.ndarray:
    """Counts the real steps since the last reset in a loop."""
    found = []
    for b in range(B):
        n = begin
        for t in range(T)[:: -1 if reverse else 1]:
            real = t < streams["lengths"][b] and streams["mask"][b, t] if streams else True
            fresh = bool(streams) and streams["resets"][b, t]
            n = 0 if fresh and not reverse else n
            n += real
            n = 0 if fresh and reverse and t > 0 else n
        found.append(n)
    return np.array(found)


@pytest.mark.parametrize("streams", [{}, STREAMS], ids=["plain", "streams"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("has_vjp", [False, True])
@pytest.mark.parametrize(
    "options", [gr.UnrollOptions(), gr.UnrollOptions(checkpoint=4, unroll=2, save="carry"), gr.UnrollOptions(chunk=2)]
)
def test_a_count_stays_whole_numbers_and_gradients_are_those_without_it(
    streams: dict[str, Any], reverse: bool, has_vjp: bool, options: gr.UnrollOptions
) -> None:
    cell = Counted(has_vjp=has_vjp, tail=(1,) if has_vjp else ())
    params = cell.init(jax.random.key(0), I)
    h = jnp.asarray(np.random.default_rng(1).normal(size=(B, H)))
    begin = {"h": h, "steps": jnp.full((B, *cell.tail), 5, jnp.int32)}

    def loss(which: Any, carry: Any) -> Any:
        def of(params: Any, xs: Any, h: Any) -> Any:
            first = carry | {"h": h} if isinstance(carry, dict) else h
            final, ys = unroll(which, params, xs, initial_carry=first, reverse=reverse, options=options, **streams)
            state = which.hidden(final)
            return (jnp.sin(ys) ** 2).sum() + jnp.cos(state).sum(), (final, ys)

        return jax.jit(jax.value_and_grad(of, argnums=(0, 1, 2), has_aux=True))(params, XS, h)

    (value, (final, ys)), grads = loss(cell, begin)
    (expected, (expected_h, expected_ys)), expected_grads = loss(cell.cell, None)
    assert final["steps"].dtype == jnp.int32
    np.testing.assert_array_equal(final["steps"].reshape(B), counts(reverse, streams, begin=5))
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(ys, expected_ys, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(final["h"], expected_h, rtol=1e-12, atol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12), grads, expected_grads)


def test_steps_and_layers_count_too() -> None:
    cell = Counted()
    stack = gr.Stack((cell, gr.GRU(H, param_dtype="float64")), noise=gr.Noise(zoneout=0.25, state_dropout=0.25))
    params = stack.init(jax.random.key(0), I)
    state = stack.initial_carry(params, (B,))
    step = jax.jit(stack.step)
    for t in range(T):
        state, _ = step(params, state, jnp.asarray(XS[:, t]))
    (final, _), _ = stack.apply(params, XS)
    (trained, _), _ = stack.apply(params, XS, key=jax.random.key(1))
    for counted in (state[0], final, trained):
        np.testing.assert_array_equal(counted["steps"], np.full((B, 1), T))
        assert counted["steps"].dtype == jnp.int32
    np.testing.assert_allclose(state[0]["h"], final["h"], rtol=1e-12)
    both = gr.Bidirectional(cell, cell)
    (forward, backward), _ = both.apply(both.init(jax.random.key(0), I), XS, lengths=STREAMS["lengths"])
    for counted in (forward, backward):
        np.testing.assert_array_equal(counted["steps"][:, 0], STREAMS["lengths"])


def test_a_count_for_all_rows_works_without_streams_and_is_refused_with_them() -> None:
    cell = Counted(by_row=False)
    params = cell.init(jax.random.key(0), I)
    final, ys = unroll(cell, params, XS)
    assert int(final["steps"]) == T
    np.testing.assert_array_equal(ys, unroll(cell.cell, params, XS)[1])
    carry = cell.initial_carry(params, (B,))
    assert int(cell.step(params, carry, jnp.asarray(XS[:, 0]))[0]["steps"]) == 1
    for name, value in STREAMS.items():
        with pytest.raises(ValueError, match=r"has a part of shape \(\); lengths, mask, resets and"):
            unroll(cell, params, XS, **{name: value})


def test_a_count_with_fractions_is_refused() -> None:
    cell = Counted()
    params = cell.init(jax.random.key(0), I)
    carry = cell.initial_carry(params, (B,)) | {"steps": jnp.full((B, 1), 2.7)}
    with pytest.raises(ValueError, match="initial_carry has a part of type float64; it must be int32"):
        unroll(cell, params, XS, initial_carry=carry)
    with pytest.raises(ValueError, match="carry has a part of type float64; it must be int"):
        cell.step(params, carry, jnp.asarray(XS[:, 0]))
    for kind in ("int8", "uint32", "int64"):
        final, _ = unroll(cell, params, XS, initial_carry=carry | {"steps": np.full((B, 1), 2, kind)})
        np.testing.assert_array_equal(final["steps"], np.full((B, 1), T + 2))
