"""Compares the native engine, on a batch sharded over Explicit axes or in `jax.shard_map`, with one device.

`test_sharding.py` runs it with four devices, in float32. Tolerance: 1e-5 of each array's largest entry, as parameter
gradients sum over rows in another order.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import gru_research as gr

I, H, B, T = 3, 5, 8, 9  # noqa: E741
RNG = np.random.default_rng(0)
XS = jnp.asarray(RNG.normal(size=(B, T, I)), jnp.float32)
LENGTHS = jnp.array([0, 9, 4, 2, 9, 1, 7, 9])
MASK, RESETS = jnp.asarray(RNG.random((B, T)) < 0.7), jnp.asarray(RNG.random((B, T)) < 0.3)
NATIVE = gr.UnrollOptions(backend="native")
MESH = jax.make_mesh((2, 2), ("a", "b"))  # axes are Explicit by default
CALLS = ("gru_research_forward", "gru_research_backward")


def close(found: Any, expected: Any) -> None:
    def check(a: Any, b: Any) -> None:
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, float(np.abs(b).max())))

    jax.tree.map(check, found, expected)


def check(cell: Any, **other: Any) -> None:
    params = cell.init(jax.random.key(0), I)
    arrays = XS, LENGTHS, MASK, RESETS

    def run(params: Any, xs: Any, lengths: Any, mask: Any, resets: Any) -> Any:
        return gr.unroll(cell, params, xs, lengths=lengths, mask=mask, resets=resets, options=NATIVE, **other)

    def mapped(params: Any, *arrays: Any) -> Any:
        rows = P(("a", "b"))
        return jax.shard_map(run, mesh=MESH, in_specs=(P(), *[rows] * len(arrays)), out_specs=(rows, rows))(
            params, *arrays
        )

    def gradient(run: Any) -> Any:
        def loss(params: Any, xs: Any, *streams: Any) -> Any:
            results = run(params, xs, *streams)
            return sum(jnp.sin(a).sum() for a in jax.tree.leaves(results)), results

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))

    expected = gradient(run)(params, *arrays)
    for places in ((P(("a", "b")), P("a"), None, P("b")), (P("a"), None, P("a"), P("a"))):
        placed = [a if p is None else jax.device_put(a, NamedSharding(MESH, p)) for a, p in zip(arrays, places)]  # noqa: B905
        with jax.set_mesh(MESH):
            compiled = gradient(run).lower(params, *placed).compile()
            # XLA divides what is left of a mesh of which rows take a part, so the calls are its operations there.
            by_all = places[0] == P(("a", "b"))
            assert [call in compiled.as_text() for call in CALLS] == [by_all, by_all]
            close(compiled(params, *placed), expected)
    with jax.set_mesh(MESH):
        arrays = [jax.device_put(a, NamedSharding(MESH, P(("a", "b")))) for a in arrays]
        compiled = gradient(mapped).lower(params, *arrays).compile()
        assert all(call in compiled.as_text() for call in CALLS)
        close(gradient(mapped)(params, *arrays), expected)


assert len(jax.devices()) == 4
check(gr.GRU(H, learn_initial_carry=True))
check(gr.GRU(H, reset="before"), reverse=True)
check(gr.LSTM(H, peepholes=True), reverse=True)
check(gr.VanillaRNN(H))
print("equal")
