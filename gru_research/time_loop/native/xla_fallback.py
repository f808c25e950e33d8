"""The engine's calls by XLA's time loop: for exports, other platforms, automatic sharding, and the derivatives of
gradients."""

from typing import Any

import jax
import jax.numpy as jnp

from gru_research.time_loop.gradient_sums import widen_constants
from gru_research.time_loop.options import UnrollOptions
from gru_research.time_loop.vjp import vjp
from gru_research.types import Array

from .layer import Layer, differentiable


def xla_forward(layer: Layer, ys: bool, operands: Any) -> list[Array]:
    """The final carry's parts and with `ys` the outputs, by XLA's time loop; operands with a leading axis of layers."""
    options = UnrollOptions(outputs="all" if ys else "none", time_major=not layer.batch_major, save="gates", chunk=0)
    layers = operands[1].shape[0]
    operands = [a if a.shape[0] == layers else jnp.broadcast_to(a, (layers, *a.shape[1:])) for a in operands]

    def one(operands: Any) -> list[Array]:
        params, reset_carry, carry, xs, real, reset_before = layer.arguments(operands)
        xs_T = jnp.moveaxis(xs, 1, 0) if layer.batch_major else xs
        if real is not None:
            xs_T = jnp.where(real[..., None], xs_T, 0)
        params, reset_carry, cast_back = widen_constants(params, reset_carry)  # all in float32 already
        final, ys_T = vjp(layer.cell, params, reset_carry, options, layer.reverse, cast_back)(
            carry, (xs_T, real, reset_before)
        )
        if ys_T is not None and layer.batch_major:
            ys_T = jnp.moveaxis(ys_T, 0, 1)
        return [*jax.tree.leaves(final), *([] if ys_T is None else [ys_T])]

    if layers == 1:
        return [a[None] for a in one([a[0] for a in operands])]
    return jax.vmap(one)(operands)


def xla_backward(layer: Layer, d_x: bool, operands: Any, d_outs: list[Array]) -> list[Array]:
    """The cotangents of operands that `backward_p` gives, where `d_outs` are those of `xla_forward`'s results."""
    places = differentiable(layer, len(operands), d_x)
    layers = operands[1].shape[0]
    operands = [a if a.shape[0] == layers else jnp.broadcast_to(a, (layers, *a.shape[1:])) for a in operands]

    def forward(*chosen: Array) -> list[Array]:
        everything = list(operands)
        for place, a in zip(places, chosen, strict=True):
            everything[place] = a
        return xla_forward(layer, len(d_outs) > layer.parts, everything)

    return list(jax.vjp(forward, *(operands[place] for place in places))[1](d_outs))
