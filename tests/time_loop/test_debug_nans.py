"""NaN in the padding affects no result, and raises nothing under `jax.debug_nans`.

Gradients are taken outside `jit`, where JAX checks each operation, in float32, and compared with padding of 0.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx as flax_nnx

import gru_research as gr
from gru_research.adapters import linen, nnx

I, H, B, T = 3, 4, 2, 9  # noqa: E741
LENGTHS = np.array([T, 4])
MASK = np.arange(T) < LENGTHS[:, None]
CLEAN = np.where(MASK[..., None], np.random.default_rng(0).normal(size=(B, T, I)), 0).astype(np.float32)
BAD = np.where(MASK[..., None], CLEAN, [np.nan, np.inf, 1.0]).astype(np.float32)
UNROLLED = [
    (gr.GRU(H), gr.UnrollOptions("vjp", checkpoint=4), {"lengths": LENGTHS}),
    (gr.LSTM(H), gr.UnrollOptions("vjp", time_major=True), {"mask": MASK.T}),
    (gr.LSTM(H), gr.UnrollOptions("autodiff"), {"mask": MASK, "lengths": LENGTHS, "reverse": True}),
    (gr.MinGRU(H), gr.UnrollOptions("parallel"), {"mask": MASK}),
    (gr.LayerNormGRU(H), gr.UnrollOptions(time_major=True), {"lengths": LENGTHS, "mask": MASK.T}),
]


@pytest.fixture(params=["jax.Array", "np.ndarray"])
def check(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Returns a function that asserts equal results and gradients of `run(params, xs)` for `BAD` and `CLEAN`."""
    as_given = jnp.asarray if request.param == "jax.Array" else np.asarray

    def compare(run: Callable[[Any, Any], Any], params: Any, time_major: bool = False) -> None:
        by = (0, 1) if request.param == "jax.Array" else 0
        bad, clean = (as_given(a.swapaxes(0, 1) if time_major else a) for a in (BAD, CLEAN))

        def loss(params: Any, xs: Any) -> Any:
            return sum(jnp.sin(a).sum() for a in jax.tree.leaves(run(params, xs)))

        with jax.debug_nans(True), jax.debug_infs(True):
            found = jax.value_and_grad(loss, argnums=by)(params, bad)
        expected = jax.jit(jax.value_and_grad(loss, argnums=by))(params, clean)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)

    return compare


@pytest.mark.parametrize(("cell", "options", "streams"), UNROLLED)
def test_unroll(cell: Any, options: gr.UnrollOptions, streams: Any, check: Any) -> None:
    def run(params: Any, xs: Any) -> Any:
        return gr.unroll(cell, params, xs, options=options, **streams)

    check(run, cell.init(jax.random.key(0), I), options.time_major)


def test_trace(check: Any) -> None:
    cell = gr.GRU(H)
    check(lambda params, xs: gr.trace(cell, params, xs, lengths=LENGTHS), cell.init(jax.random.key(0), I))


@pytest.mark.parametrize("key", [None, jax.random.key(1)], ids=["evaluation", "training"])
def test_layers_and_their_noise(key: Any, check: Any) -> None:
    noise = gr.Noise(0.2, state_dropout=0.3, zoneout=0.2, drop_connect=0.1)
    both = gr.Bidirectional(gr.VanillaRNN(H), gr.MinGRU(H), noise=gr.Noise(zoneout=0.2))
    for layer in (gr.Stack((gr.VanillaRNN(H), gr.VanillaRNN(H)), dropout=0.2, noise=noise), both):

        def run(params: Any, xs: Any, layer: Any = layer) -> Any:
            return layer.apply(params, xs, lengths=LENGTHS, key=key)

        check(run, layer.init(jax.random.key(0), I))


@pytest.mark.parametrize("options", [{}, {"time_major": True, "reverse": True}])
def test_flax_modules(options: Any, check: Any) -> None:
    time_major = "time_major" in options
    layer = linen.RNN(linen.SimpleCell(H), return_carry=True, **options)
    variables = layer.init(jax.random.key(0), jnp.asarray(CLEAN.swapaxes(0, 1) if time_major else CLEAN))
    check(lambda v, xs: layer.apply(v, xs, seq_lengths=LENGTHS), variables, time_major)

    module = nnx.RNN(nnx.SimpleCell(I, H, rngs=flax_nnx.Rngs(0)), return_carry=True, **options)
    graph, params, rest = flax_nnx.split(module, flax_nnx.Param, ...)

    def run(params: Any, xs: Any) -> Any:
        return flax_nnx.merge(graph, params, rest, copy=True)(xs, seq_lengths=LENGTHS)

    check(run, params, time_major)
