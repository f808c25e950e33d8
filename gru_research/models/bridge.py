"""The first carry of a decoder from the last carries of an encoder with two directions."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells.base import product, promote_rank
from gru_research.cells.dtypes import promoted
from gru_research.cells.initializers import GlorotUniform
from gru_research.layers import Bidirectional
from gru_research.types import Array, Carry, PRNGKey

KERNEL_INIT = GlorotUniform()


def init_bridge(key: PRNGKey, encoder: Sequence[Any], carries: Sequence[Carry]) -> list[list[dict[str, Array]]]:
    """For each part of each layer's carry `W (2 H, H)` and `b (H,)`; nothing for a layer of one direction.

    Args:
      encoder: the encoder's layers.
      carries: one of each of the decoder's layers, without a batch axis; only shapes and types are read.
    """
    bridge: list[list[dict[str, Array]]] = []
    for layer, carry in zip(encoder, carries, strict=True):
        sizes = [a.shape[-1] for a in jax.tree.leaves(carry) if jnp.issubdtype(a.dtype, jnp.inexact)]
        sizes = sizes if isinstance(layer, Bidirectional) else []
        keys = jax.random.split(jax.random.fold_in(key, len(bridge)), len(sizes))
        kernels = [KERNEL_INIT(k, (2 * size, size), jnp.float32) for k, size in zip(keys, sizes, strict=True)]
        bridge.append([{"W": kernel, "b": jnp.zeros(kernel.shape[-1], jnp.float32)} for kernel in kernels])
    return bridge


def bridged(layer: Any, params: Any, carry: Carry) -> Carry:
    """The decoder's first carry from the encoder's last, of one layer; whole numbers are the forward direction's."""
    if not isinstance(layer, Bidirectional):
        return carry
    maps = iter(params)

    def join(forward: Array, backward: Array) -> Array:
        if not jnp.issubdtype(forward.dtype, jnp.inexact):
            return forward
        own = next(maps)
        both = jnp.concatenate([forward, backward], -1)
        return (product(both, own["W"], promoted(both, own["W"])) + promote_rank(own["b"], both)).astype(forward.dtype)

    return jax.tree.map(join, *carry)
