"""Converts parameters in other containers to dicts: Flax's `FrozenDict` and `nnx.State`, an `OrderedDict`, boxes.

A hand-written gradient returns dicts, and JAX requires that a gradient has its argument's containers. So parameters
become dicts of arrays in differentiable code before it, and the caller gets a gradient in the caller's containers.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np


def plain(params: Any) -> Any:
    """`params` with a dict for every mapping, and the array itself for every box around one array.

    A box is another library's pytree with a single leaf, such as an `nnx.Param` or linen's `Partitioned`.
    """
    if isinstance(params, jax.Array | np.ndarray):
        return params
    if isinstance(params, Mapping):
        return {name: plain(value) for name, value in params.items()}
    if isinstance(params, list | tuple):
        parts = [plain(value) for value in params]
        return parts if isinstance(params, list) else tuple(parts) if type(params) is tuple else type(params)(*parts)
    leaves = jax.tree.leaves(params)
    return leaves[0] if len(leaves) == 1 else params


def in_layers(params: Any) -> list[Any]:
    """The parameters of layers, one entry a layer, from a sequence or from a mapping by number.

    An `nnx.State` of a list has the keys 0, 1, ..., and what Flax reads back from msgpack "0", "1", ...

    Raises ValueError where the keys of a mapping are others.
    """
    if not isinstance(params, Mapping):
        return list(params)
    numbered = {int(key) if isinstance(key, str) and key.isdecimal() else key: part for key, part in params.items()}
    if len(numbered) != len(params) or set(numbered) != set(range(len(params))):
        raise ValueError(
            f"params of layers have the keys {', '.join(map(repr, params))}; "
            "they are a list, or a mapping with the keys 0, 1, ..., one a layer"
        )
    return [numbered[layer] for layer in range(len(numbered))]
