"""Every cell's gradient lowers for accelerators that tests don't run on, without calls of the CPU engine."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import gru_research as gr
from gru_research.cells import CELLS

B, T, H, FEATURES = 2, 20, 4, 3
PLATFORMS = ("tpu", "cuda", "rocm")
OPTIONS = {"block_gru": {"heads": 2}}


@pytest.mark.parametrize("backend", ["auto", "autodiff"])
@pytest.mark.parametrize("name", CELLS)
def test_gradients_lower(name: str, backend: Any) -> None:
    cell = CELLS[name](H, **OPTIONS.get(name, {}))
    params = cell.init(jax.random.key(0), FEATURES)

    @jax.jit
    def gradients(params: Any, xs: jax.Array, lengths: jax.Array) -> Any:
        def loss(params: Any, xs: jax.Array) -> jax.Array:
            _, ys = gr.unroll(cell, params, xs, lengths=lengths, options=gr.UnrollOptions(backend=backend))
            return jnp.sum(ys**2)

        return jax.grad(loss, argnums=(0, 1))(params, xs)

    for platform in PLATFORMS:
        written = jax.export.export(gradients, platforms=[platform])(
            params, jnp.ones((B, T, FEATURES)), jnp.full(B, T - 1)
        )
        program = written.mlir_module()
        assert written.platforms == (platform,) and "stablehlo.dot_general" in program and "ffi" not in program
