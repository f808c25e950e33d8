"""Everything runs with JAX's checks against implicit promotion of ranks and types turned on."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import gru_research as gr
from gru_research.adapters import linen
from gru_research.layers.readout import Readout

I, H, B, T = 3, 4, 2, 5  # noqa: E741
XS, LENGTHS = jnp.ones((B, T, I)), jnp.array([3, 5])
CELLS = (
    (gr.GRU, {"learn_initial_carry": True}),
    (gr.GRU, {"reset": "before"}),
    (gr.LSTM, {"peepholes": True, "learn_initial_carry": True}),
    (gr.VanillaRNN, {}),
    (gr.MGU, {}),
    (gr.BlockGRU, {"heads": 2}),
    (gr.MinGRU, {"learn_initial_carry": True}),
    (gr.MinLSTM, {}),
    (gr.LayerNormGRU, {}),
    (gr.LayerNormLSTM, {}),
)


@pytest.fixture(params=["ranks", "types"])
def types(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Turns a check on and returns the options of cells: products in bfloat16 if types are checked."""
    if request.param == "ranks":
        with jax.numpy_rank_promotion("raise"):
            yield {}
    else:
        with jax.numpy_dtype_promotion("strict"):
            yield {"dtype": "bfloat16"}


def squares(tree: Any) -> Any:
    return sum((a.astype(jnp.float32) ** 2).sum() for a in jax.tree.leaves(tree))


@pytest.mark.parametrize(("kind", "options"), CELLS)
def test_init_step_trace_and_gradients_of_every_cell(kind: Any, options: Any, types: Any) -> None:
    cell = kind(H, **options, **types)
    streams = {"lengths": LENGTHS, "resets": jnp.zeros((B, T), bool)}
    for features in (I, 1):  # 1: products as multiply and add
        params = jax.eval_shape(lambda features=features: cell.init(jax.random.key(0), features))
        xs = XS[..., :features]
        jax.eval_shape(lambda p, xs: cell.step(p, cell.initial_carry(p, (B,)), xs[:, 0]), params, xs)
        jax.eval_shape(lambda p, xs: gr.trace(cell, p, xs, **streams), params, xs)
        backends = ["auto", "autodiff", *["vjp"] * getattr(cell, "has_vjp", False)]
        for backend in backends:
            how = gr.UnrollOptions(backend=backend, checkpoint=2)

            def loss(params: Any, xs: Any, how: Any = how) -> Any:
                return squares(gr.unroll(cell, params, xs, **streams, reverse=True, options=how))

            found = jax.eval_shape(jax.grad(loss, argnums=(0, 1)), params, xs)
            assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, (params, xs))


def test_stacks_readouts_and_a_flax_module(types: Any) -> None:
    noise = gr.Noise(0.2, state_dropout=0.2, zoneout=0.2, drop_connect=0.1, weight_noise=0.1)
    cell = gr.GRU(H, **types)
    stack = gr.Stack((cell, cell), dropout=0.2, connections="highway", noise=noise)
    params = stack.init(jax.random.key(0), I)
    for key in (None, jax.random.key(1)):
        jax.eval_shape(jax.grad(lambda p, key=key: squares(stack.apply(p, XS, key=key, lengths=LENGTHS))), params)
    jax.eval_shape(lambda p: stack.step(p, stack.initial_carry(p, (B,)), XS[:, 0]), params)
    for mode in ("last", "mean", "every"):
        readout = Readout(3, mode)
        jax.eval_shape(
            lambda p, r=readout: r.apply(p, XS[:, 0], XS, jnp.ones((B, T), bool)), readout.init(jax.random.key(0), I)
        )
    layer = linen.RNN(linen.GRUCell(H, **types), return_carry=True, reverse=True)
    variables = layer.init(jax.random.key(0), XS, seq_lengths=LENGTHS)
    jax.eval_shape(jax.grad(lambda v: squares(layer.apply(v, XS, seq_lengths=LENGTHS))), variables)
