"""Properties of `unroll` for shapes, lengths, masks, resets, directions and options drawn by hypothesis."""

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gru_research as gr
from tests.oracles import VARIANTS, pack, parameters, random_carry, sequence

pytestmark = pytest.mark.usefixtures("x64")


@st.composite
def problems(draw: Any) -> tuple[str, dict[str, Any], np.ndarray, dict[str, Any], gr.UnrollOptions]:
    """Draws a cell's parameters, inputs, streams and options. No cell has heads, which must divide the units."""
    name = draw(st.sampled_from(["gru_after", "gru_before", "lstm", "rnn_tanh", "mgu_after", "min_gru"]))
    batch, time = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    features, hidden = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    streams: dict[str, Any] = {"reverse": draw(st.booleans())}
    if draw(st.booleans()):
        streams["lengths"] = rng.integers(0, time + 1, batch)
    if draw(st.booleans()):
        streams["mask"] = rng.random((batch, time)) < 0.7
    if draw(st.booleans()):
        streams["resets"] = rng.random((batch, time)) < 0.3
    options = gr.UnrollOptions(
        checkpoint=draw(st.integers(0, 4)),
        chunk=draw(st.sampled_from([None, 0, 2, 3])),
        save=draw(st.sampled_from(["auto", "carry"])),
        hoist=draw(st.sampled_from([None, True, False])),
        time_major=draw(st.booleans()),
    )
    params = parameters(name, features, hidden, seed=int(rng.integers(100)))
    return name, params, rng.normal(size=(batch, time, features)), streams, options


@settings(max_examples=15, deadline=None, derandomize=True)
@given(problems())
def test_any_sequence_is_the_oracles_and_its_gradient_the_derived_one(problem: Any) -> None:
    name, params, xs, streams, options = problem
    variant = VARIANTS[name]
    hidden = params[next(key for key in params if key.startswith("b_"))].size
    cell = getattr(gr, variant.kind)(hidden, **variant.options, param_dtype="float64")
    carry = random_carry(name, xs.shape[:1], hidden)
    expected = sequence(name, params, xs, initial_carry=carry, **streams)[:2]

    def value(params: Any, xs: Any, options: gr.UnrollOptions) -> Any:
        given = streams
        if options.time_major:
            xs = xs.swapaxes(0, 1)
            given = streams | {field: streams[field].T for field in ("mask", "resets") if field in streams}
        final, ys = gr.unroll(cell, params, xs, initial_carry=pack(carry), options=options, **given)
        assert ys is not None
        if options.time_major:
            ys = ys.swapaxes(0, 1)
        return sum((leaf**2).sum() for leaf in jax.tree.leaves((final, ys))), (final, ys)

    def both(params: Any, xs: Any) -> Any:
        ways = (options, gr.UnrollOptions(backend="autodiff"))
        return [jax.value_and_grad(value, argnums=(0, 1), has_aux=True)(params, xs, way) for way in ways]

    ((_, results), grads), (_, derived) = jax.jit(both)(params, xs)
    without_gradient = jax.jit(lambda params, xs: value(params, xs, options)[1])(params, xs)  # a loop of its own
    for found in (results, without_gradient):
        for actual, wanted in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-11, atol=1e-11)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10), grads, derived)
