"""Compares sharded batches with the same arrays on one device, in float64.

`test_sharding.py` runs it with four devices. Tolerance: 1e-10, relative and absolute, as parameter gradients sum over
rows in another order.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as flax_linen
from flax import nnx as flax_nnx
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import gru_research as gr
from gru_research.adapters import linen, nnx
from gru_research.layers.readout import Embedding, Readout
from gru_research.models import encoder_decoder
from gru_research.spec import Generation, Spec

jax.config.update("jax_enable_x64", True)
I, H, B, T = 4, 6, 4, 5  # noqa: E741
RNG = np.random.default_rng(0)
XS = RNG.normal(size=(B, T, I))
LENGTHS, RESETS = np.array([0, 5, 4, 2]), RNG.random((B, T)) < 0.3
CARRY = RNG.normal(size=(B, H))
EXPLICIT, AUTO = AxisType.Explicit, AxisType.Auto
BOTH = jax.make_mesh((2, 2), ("a", "b"))  # axes are Explicit by default
MIXED = jax.make_mesh((2, 2), ("a", "b"), axis_types=(EXPLICIT, AUTO))
assert len(jax.devices()) == 4 and BOTH.axis_types == (EXPLICIT, EXPLICIT)
FLOAT64: dict[str, Any] = {"param_dtype": "float64"}


def drawn(cell: Any, inputs: int = I) -> Any:
    """Returns random parameters of a cell or layer, none of them 0."""
    shapes = jax.tree.leaves(cell.init(jax.random.key(0), inputs))
    tree = jax.tree.structure(cell.init(jax.random.key(0), inputs))
    return jax.tree.unflatten(tree, [RNG.normal(0, 0.5, a.shape) for a in shapes])


def equal(run: Callable[..., Any], mesh: Any, params: Any, arrays: Any, places: Any, param_places: Any = None) -> None:
    """Asserts that `run(params, *arrays)` and its gradient with `arrays` at `places` equal one device's results.

    A place of None means one device.
    """

    @jax.jit
    @functools.partial(jax.grad, argnums=(0, 1), has_aux=True)
    def gradient(params: Any, first: Any, *rest: Any) -> Any:
        results = run(params, first, *rest)
        return sum(jnp.sin(a).sum() for a in jax.tree.leaves(results)), results

    def put(a: Any, place: Any) -> Any:
        return a if place is None else jax.device_put(a, NamedSharding(mesh, place))

    expected = gradient(params, *arrays)
    if param_places is not None:
        params = jax.tree.map(param_places, params)
    with jax.set_mesh(mesh):
        found = gradient(params, *map(put, arrays, places))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10), found, expected)


def unroll(cell: Any, params: Any, xs: Any, lengths: Any, resets: Any, *carry: Any, **other: Any) -> Any:
    given = {"initial_carry": carry[0]} if carry else {}
    return gr.unroll(cell, params, xs, lengths=lengths, resets=resets, **given, **other)


def check_cells() -> None:
    """Checks the three backends, directions and checkpoints, with streams and carries sharded otherwise, or not."""
    arrays = XS, LENGTHS, RESETS
    gru = gr.GRU(H, learn_initial_carry=True, **FLOAT64)
    equal(functools.partial(unroll, gru, reverse=True), BOTH, drawn(gru), arrays, (P(("a", "b")), P("a"), None))
    time_major = gr.UnrollOptions(checkpoint=2, time_major=True)
    turned = XS.swapaxes(0, 1), LENGTHS, RESETS.T, CARRY
    run = functools.partial(unroll, gru, options=time_major)
    equal(run, BOTH, drawn(gru), turned, (P(None, "b"), None, P(None, "a"), P("b")))
    equal(functools.partial(unroll, gru), MIXED, drawn(gru), arrays, (P(("a", "b")), P("a"), P("b")))
    lstm = gr.LSTM(H, learn_initial_carry=True, **FLOAT64)
    run = functools.partial(unroll, lstm, options=gr.UnrollOptions("autodiff"))
    equal(run, BOTH, drawn(lstm), arrays, (P("b"), P("b"), P("b")))
    min_gru = gr.MinGRU(H, **FLOAT64)
    run = functools.partial(unroll, min_gru, options=gr.UnrollOptions("parallel"))
    equal(run, BOTH, drawn(min_gru), arrays, (P("a"), None, P("a")))
    # Parameters divided over another axis, and over the batch's own, are gathered, and their gradients divided again.
    block = gr.BlockGRU(H, heads=2, **FLOAT64)

    def place(a: Any) -> Any:
        return jax.device_put(a, NamedSharding(BOTH, P("b") if a.ndim == 1 else P("a", "b") if a.ndim == 2 else P("b")))

    equal(functools.partial(unroll, block), BOTH, drawn(block), arrays, (P("a"), None, None), place)


def check_batch_axes() -> None:
    cell = gr.VanillaRNN(H, **FLOAT64)
    xs = XS.reshape(2, 2, T, I)

    def run(params: Any, xs: Any) -> Any:
        return gr.trace(cell, params, xs), jax.vmap(lambda xs: gr.unroll(cell, params, xs))(xs)

    equal(run, BOTH, drawn(cell), (xs,), (P("a", "b"),))


def check_layers() -> None:
    """Checks a stack with all kinds of noise, embedding, highway connections, two directions and readout."""
    noise = gr.Noise(0.2, state_dropout=0.3, zoneout=0.2, drop_connect=0.1)
    plain = gr.VanillaRNN(H, **FLOAT64)
    stack = gr.Stack((plain, plain), dropout=0.2, connections="highway", noise=noise)
    run = functools.partial(stack.apply, key=jax.random.key(1))
    equal(lambda params, xs: run(params, xs), BOTH, drawn(stack), (XS,), (P(("a", "b")),))

    both_ways = gr.Bidirectional(gr.MinGRU(H, **FLOAT64), plain)
    table, readout = Embedding(7, I, param_dtype="float64"), Readout(3, "mean", param_dtype="float64")
    params = {
        "E": table.init(jax.random.key(0)),
        "layer": drawn(both_ways),
        "R": readout.init(jax.random.key(1), 2 * H),
    }

    def whole(params: Any, real: Any, tokens: Any) -> Any:
        mask = real > 0
        carry, ys = both_ways.apply(params["layer"], table.apply(params["E"], tokens), mask=mask)
        return readout.apply(params["R"], both_ways.hidden(carry), ys, mask)

    tokens, real = RNG.integers(0, 7, (B, T)), np.where(RESETS, -1.0, 1.0)
    equal(whole, BOTH, params, (real, tokens), (P("a"), P("a")))


def check_encoder_decoder() -> None:
    """Checks encoder-decoders with attention, whose memory is sharded by rows, and with dropout."""
    example = {"inputs": jax.ShapeDtypeStruct((T, I), float), "targets": jax.ShapeDtypeStruct((3,), int)}
    spec = Spec(example, 7, "generated", generation=Generation(0, 1, 3))
    targets = RNG.integers(0, 7, (B, 3))
    for attention in ("bahdanau", "luong"):
        model = encoder_decoder(spec, gr.GRU(H), attention=attention, bidirectional=True, layers=2, dropout=0.2)
        shapes, tree = jax.tree.flatten(jax.eval_shape(model.init, jax.random.key(0), example))
        params = jax.tree.unflatten(tree, [RNG.normal(0, 0.5, a.shape) for a in shapes])

        def run(params: Any, xs: Any, lengths: Any, targets: Any, model: Any = model) -> Any:
            batch = {"inputs": xs, "lengths": lengths, "targets": targets, "target_lengths": jnp.array([3, 1, 2, 3])}
            first = model.start(params, {"inputs": xs, "lengths": lengths})
            return model.apply(params, batch, jax.random.key(1)), first, model.attend(params, batch)

        equal(run, BOTH, params, (XS, LENGTHS, targets), (P(("a", "b")), P("a"), None))


def check_adapters() -> None:
    """Checks our `RNN`s with our cells and with Flax's cells, whose initial carry is created unsharded."""
    given: dict[str, Any] = {"seq_lengths": LENGTHS}
    for cell in (linen.SimpleCell(H, **FLOAT64), flax_linen.GRUCell(H, **FLOAT64)):
        layer = linen.RNN(cell, return_carry=True, reverse=True)
        variables = layer.init(jax.random.key(0), XS)
        equal(lambda v, xs, layer=layer: layer.apply(v, xs, **given), BOTH, variables, (XS,), (P("b"),))
    rngs = flax_nnx.Rngs(0)
    for cell in (nnx.GRUCell(I, H, rngs=rngs, **FLOAT64), flax_nnx.GRUCell(I, H, rngs=rngs, **FLOAT64)):
        graph, params, rest = flax_nnx.split(nnx.RNN(cell, return_carry=True, reverse=True), flax_nnx.Param, ...)

        def run(params: Any, xs: Any, graph: Any = graph, rest: Any = rest) -> Any:
            return flax_nnx.merge(graph, params, rest, copy=True)(xs, **given)

        equal(run, BOTH, params, (XS,), (P("a"),))


check_cells()
check_batch_axes()
check_layers()
check_encoder_decoder()
check_adapters()
print("equal")
