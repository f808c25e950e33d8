"""`jax.export` with symbolic sizes: one deserialised program gives the function's results at several sizes.

Tolerance 1e-5 in float32, on sums of some tens of values of order 1.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import gru_research as gr

I, H = 3, 4  # noqa: E741
SIZES = ((3, 9), (1, 1))
"""Batch sizes and steps: two full checkpoint chunks and a remainder; one partial chunk."""


def exported_is_direct(cell: Any, shape: str, streams: tuple[str, ...] = (), **options: Any) -> None:
    """Compares results and gradients of the exported `unroll`, over `xs` of the symbolic `shape`, with direct calls."""
    reverse, how = options.pop("reverse", False), gr.UnrollOptions(**options)

    def gradient(params: Any, xs: Any, given: Any) -> Any:
        def loss(params: Any, xs: Any) -> Any:
            results = gr.unroll(cell, params, xs, reverse=reverse, options=how, **given)
            return sum((a**2).sum() for a in jax.tree.leaves(results)), results

        return jax.grad(loss, argnums=(0, 1), has_aux=True)(params, xs)

    def arrays(sizes: Any, make: Any) -> dict[str, Any]:
        types = {"lengths": (sizes[:1], "int32"), "mask": (sizes[:2], "bool"), "resets": (sizes[:2], "bool")}
        return {name: make(*types[name]) for name in streams}

    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=a.shape).astype("float32") for name, a in cell.init(jax.random.key(0), I).items()}
    sizes = export.symbolic_shape(shape)
    typed = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), params)
    program = export.export(jax.jit(gradient))(
        typed, jax.ShapeDtypeStruct((*sizes, I), jnp.float32), arrays(sizes, jax.ShapeDtypeStruct)
    )
    program = export.deserialize(program.serialize())
    for known in SIZES:
        here = tuple(size if isinstance(size, int) else n for size, n in zip(sizes, known, strict=True))
        xs = rng.normal(size=(*here, I)).astype("float32")
        given = arrays(here, lambda shape, dtype: rng.integers(0, 2, shape).astype(dtype))
        found, expected = program.call(params, xs, given), jax.jit(gradient)(params, xs, given)
        jax.tree.map(close, found, expected)


def close(a: Any, b: Any) -> None:
    """Asserts equality within 1e-5 of the scale: the direct call may use the native engine, the export uses XLA."""
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1.0, float(np.abs(b).max(initial=0))))


@pytest.mark.parametrize(
    "cell",
    [
        gr.GRU(H, learn_initial_carry=True),
        gr.LSTM(H),
        gr.VanillaRNN(H),
        gr.MGU(H),
        gr.BlockGRU(H, heads=2),
        gr.MinGRU(H),
        gr.MinLSTM(H),
        gr.LayerNormGRU(H),
        gr.LayerNormLSTM(H),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_every_cell_with_a_symbolic_batch_and_number_of_steps(cell: Any) -> None:
    exported_is_direct(cell, "b, t")


@pytest.mark.parametrize("shape", ["b, 5", "2, t"])
def test_one_symbolic_size(shape: str) -> None:
    exported_is_direct(gr.GRU(H, reset="before"), shape, ("lengths",), chunk=2)


@pytest.mark.parametrize("kind", [gr.VanillaRNN, gr.MinGRU])
def test_checkpoints_masks_and_resets_in_both_directions(kind: Any) -> None:
    for reverse in (False, True):
        exported_is_direct(kind(H), "b, t", ("lengths", "mask", "resets"), checkpoint=4, reverse=reverse)


def test_final_carry_alone_from_a_checkpoint_that_jax_differentiates() -> None:
    exported_is_direct(gr.MGU(H), "b, t", checkpoint=4, outputs="none")


@pytest.mark.parametrize("cell", [gr.GRU(H), gr.MinLSTM(H)], ids=lambda cell: type(cell).__name__)
def test_an_unroll_as_it_is_for_every_platform_can_be_differentiated_after_reading_it_back(cell: Any) -> None:
    """Uses default options. The gradient is taken of the deserialised program, not of the exported function."""
    params = cell.init(jax.random.key(0), I)
    xs = jax.ShapeDtypeStruct((*export.symbolic_shape("b, t"), I), jnp.float32)
    unroll = jax.jit(lambda params, xs: gr.unroll(cell, params, xs))
    written = export.export(unroll, platforms=("cpu", "cuda", "tpu"))(params, xs).serialize(vjp_order=1)
    read = export.deserialize(written)
    assert read.platforms == ("cpu", "cuda", "tpu")

    def gradient(function: Any) -> Any:
        loss = lambda params, xs: sum((a**2).sum() for a in jax.tree.leaves(function(params, xs)))  # noqa: E731
        return jax.grad(loss, argnums=(0, 1))

    for batch, steps in SIZES:
        known = np.random.default_rng(0).normal(size=(batch, steps, I)).astype("float32")
        jax.tree.map(close, read.call(params, known), unroll(params, known))
        jax.tree.map(close, gradient(read.call)(params, known), gradient(unroll)(params, known))
