"""Derivatives of the engine's calls, of any order.

The custom_vjp `_layer` differentiates a forward call: its backward pass is a backward call. The custom_vjp `_gradient`
differentiates a backward call: its backward pass is JAX's derivative of XLA's time loop.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.interpreters import ad

from gru_research.types import Array

from .layer import Layer, differentiable, split_backward
from .primitives import backward_p, forward_p
from .xla_fallback import xla_backward


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _layer(layer: Layer, ys: bool, record: bool, d_x: bool, *operands: Array) -> list[Array]:
    del d_x
    return forward_p.bind(*operands, layer=layer, ys=ys, record=record)


def _layer_forward(layer: Layer, ys: bool, record: bool, d_x: bool, *operands: Any) -> tuple[list[Array], Any]:
    del d_x
    values = [a.value for a in operands]
    outs = forward_p.bind(*values, layer=layer, ys=True, record=True)
    kept = outs[layer.parts :]
    wanted = [*outs[: layer.parts], *(kept[:1] if ys else []), *(kept[1:] if record else [])]
    return wanted, (values, kept)


def _layer_backward(layer: Layer, ys: bool, record: bool, d_x: bool, saved: Any, d_outs: Any) -> tuple[Any, ...]:
    del record  # of which nothing depends that isn't differentiated by way of the operands
    operands, kept = saved
    # Nothing may depend on the final carry: then its cotangent is a symbol.
    finals = zip(d_outs[: layer.parts], operands[1:], strict=False)
    given = [jnp.zeros_like(a) if isinstance(d, SymbolicZero) else d for d, a in finals]
    d_ys = [] if not ys or isinstance(d_outs[layer.parts], SymbolicZero) else [d_outs[layer.parts]]
    found = backward_p.bind(*operands, *kept, *given, *d_ys, layer=layer, d_ys=bool(d_ys), d_x=d_x)
    cotangents: list[Any] = [None] * len(operands)
    for place, d in zip(differentiable(layer, len(operands), d_x), found, strict=True):
        a = operands[place]
        cotangents[place] = d if d.shape == a.shape else d.sum(0, keepdims=True)
    return tuple(cotangents)


_layer.defvjp(_layer_forward, _layer_backward, symbolic_zeros=True)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _gradient(layer: Layer, d_ys: bool, d_x: bool, *operands: Array) -> list[Array]:
    return backward_p.bind(*operands, layer=layer, d_ys=d_ys, d_x=d_x)


def _gradient_forward(layer: Layer, d_ys: bool, d_x: bool, *operands: Array) -> tuple[list[Array], Any]:
    return _gradient(layer, d_ys, d_x, *operands), operands


def _gradient_backward(layer: Layer, d_ys: bool, d_x: bool, operands: Any, cotangents: Any) -> tuple[Any, ...]:
    """As if the gradient had been computed from forward's operands alone; outputs and record are functions of them."""
    del d_ys
    of_forward, d_outs = split_backward(layer, operands)
    floats = [i for i, a in enumerate(of_forward) if jnp.issubdtype(a.dtype, jnp.floating)]

    def gradient(chosen: list[Array], d_outs: list[Array]) -> list[Array]:
        everything = list(of_forward)
        for place, a in zip(floats, chosen, strict=True):
            everything[place] = a
        return xla_backward(layer, d_x, everything, d_outs)

    back = jax.vjp(gradient, [of_forward[i] for i in floats], d_outs)[1]
    d_chosen, d_d_outs = back(list(cotangents))
    found: list[Any] = [None] * len(operands)
    for place, d in zip(floats, d_chosen, strict=True):
        found[place] = d
    found[len(operands) - len(d_outs) :] = d_d_outs
    return tuple(found)


_gradient.defvjp(_gradient_forward, _gradient_backward)


def _tangents(primals: Any, tangents: Any) -> list[Any]:
    def full(a: Any, t: Any) -> Any:
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return np.zeros(a.shape, jax.dtypes.float0)
        return ad.instantiate_zeros(t)

    return [full(a, t) for a, t in zip(primals, tangents, strict=True)]


def forward_jvp(primals: Any, tangents: Any, *, layer: Layer, ys: bool, record: bool) -> Any:
    d_x = not isinstance(tangents[0], ad.Zero)
    call = functools.partial(_layer, layer, ys, record, d_x)
    return jax.jvp(call, tuple(primals), tuple(_tangents(primals, tangents)))


def backward_jvp(primals: Any, tangents: Any, *, layer: Layer, d_ys: bool, d_x: bool) -> Any:
    call = functools.partial(_gradient, layer, d_ys, d_x)
    return jax.jvp(call, tuple(primals), tuple(_tangents(primals, tangents)))
