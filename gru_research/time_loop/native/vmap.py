"""The engine's calls under `vmap`.

With the same parameters for all, their rows become rows of one call. With parameters of their own, and for gradients,
they become layers of one call, which the engine runs side by side.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from gru_research.types import Array

from .layer import Layer
from .primitives import backward_p, forward_p


def with_size(rule: Any) -> Any:
    def batch(operands: Any, axes: Any, **how: Any) -> Any:
        size = next(a.shape[x] for a, x in zip(operands, axes, strict=True) if x is not None)
        return rule(size, operands, axes, **how)

    return batch


def _merge_layers(size: int, operands: Any, axes: Any, shared: Any) -> list[Array]:
    """Merges the `vmap` axes of operands with the axis of layers; shared operands keep 1 there."""

    def merge(a: Array, axis: Any, shareable: bool) -> Array:
        if axis is None:
            if shareable and a.shape[0] == 1:
                return a
            a, axis = jnp.broadcast_to(a, (size, *a.shape)), 0
        a = jnp.moveaxis(a, axis, 0)
        if shareable and a.shape[1] == 1 and layers > 1:
            a = jnp.broadcast_to(a, (size, layers, *a.shape[2:]))
        return a.reshape(a.shape[0] * a.shape[1], *a.shape[2:])

    carry, axis = operands[1], axes[1]
    layers = carry.shape[0] if axis is None else np.delete(carry.shape, axis)[0]
    return [merge(a, axis, s) for a, axis, s in zip(operands, axes, shared, strict=True)]


def _shareable(layer: Layer, count: int) -> list[bool]:
    """Which operands may have 1 in the axis of layers, one for all: inputs, masks, resets."""
    streams = 1 + layer.parts + len(layer.names)
    return [i == 0 or (streams <= i < streams + layer.real + layer.resets) for i in range(count)]


def _split_layers(size: int, outs: Any) -> tuple[list[Array], list[int]]:
    return [a.reshape(size, a.shape[0] // size, *a.shape[1:]) for a in outs], [0] * len(outs)


def forward_vmap(size: Any, operands: Any, axes: Any, *, layer: Layer, ys: bool, record: bool) -> Any:
    first_param = 1 + layer.parts
    params = axes[first_param : first_param + len(layer.names)]
    if record or any(axis is not None for axis in params):
        merged = _merge_layers(size, operands, axes, _shareable(layer, len(operands)))
        return _split_layers(size, forward_p.bind(*merged, layer=layer, ys=ys, record=record))
    # The same parameters for all: their rows are rows of one call.
    rows_axis = 1 if layer.batch_major else 2
    streams = first_param + len(layer.names)
    places = [rows_axis, *[1] * layer.parts, *[None] * len(layer.names)]
    places += [2] * (layer.real + layer.resets) + [1] * (len(operands) - streams - layer.real - layer.resets)

    def fold(a: Array, axis: Any, place: int | None) -> Array:
        if place is None:
            return a
        a = jnp.broadcast_to(a, (size, *a.shape)) if axis is None else jnp.moveaxis(a, axis, 0)
        a = jnp.moveaxis(a, 0, place)
        return a.reshape(*a.shape[:place], a.shape[place] * a.shape[place + 1], *a.shape[place + 2 :])

    outs = forward_p.bind(
        *(fold(a, axis, place) for a, axis, place in zip(operands, axes, places, strict=True)),
        layer=layer,
        ys=ys,
        record=False,
    )
    found, at = [], []
    for i, a in enumerate(outs):
        place = 1 if i < layer.parts else rows_axis
        found.append(a.reshape(*a.shape[:place], size, a.shape[place] // size, *a.shape[place + 1 :]))
        at.append(place)
    return found, at


def backward_vmap(size: Any, operands: Any, axes: Any, *, layer: Layer, d_ys: bool, d_x: bool) -> Any:
    merged = _merge_layers(size, operands, axes, _shareable(layer, len(operands)))
    return _split_layers(size, backward_p.bind(*merged, layer=layer, d_ys=d_ys, d_x=d_x))
