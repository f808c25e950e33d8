"""The engine's two calls as JAX primitives: their types, and how they are lowered."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import mlir

from gru_research.types import Array

from .layer import KINDS, Layer, backward_shapes, forward_shapes, split_backward
from .xla_fallback import xla_backward, xla_forward

forward_p = Primitive("gru_research_forward")
"""From operands to the parts of the final carry, with `ys` the outputs, and with `record` what backward needs."""
forward_p.multiple_results = True
backward_p = Primitive("gru_research_backward")
"""From operands, outputs, record, and the cotangents of the final carry and with `d_ys` of the outputs, to the
cotangents of the inputs (with `d_x`), the carry, the parameters, and with resets the carry that they go to."""
backward_p.multiple_results = True


def _like(aval: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    """Types of results: inside `shard_map` they vary over the mesh as the operand does."""
    if aval.sharding.mesh.empty:
        return [ShapedArray(shape, jnp.dtype("float32")) for shape in shapes]
    spec = lambda shape: jax.sharding.PartitionSpec(*[None] * len(shape))  # noqa: E731
    return [
        aval.update(shape=shape, dtype=jnp.dtype("float32"), sharding=aval.sharding.update(spec=spec(shape)))
        for shape in shapes
    ]


@forward_p.def_abstract_eval
def _(*operands: Any, layer: Layer, ys: bool, record: bool) -> list[Any]:
    return _like(operands[0], forward_shapes(layer, ys, record, *operands[:2]))


@backward_p.def_abstract_eval
def _(*operands: Any, layer: Layer, d_ys: bool, d_x: bool) -> list[Any]:
    return _like(operands[0], backward_shapes(layer, d_x, operands))


def _in_xla(ctx: Any) -> bool:
    """Whether a call has to be XLA's own operations: in an export, or where XLA divides it among devices."""
    module = ctx.module_context
    if module.lowering_parameters.for_export:
        return True
    axes = module.axis_context
    manual = getattr(axes, "manual_axes", None)
    if manual is not None:
        return manual != frozenset(axes.mesh.axis_names)
    return (getattr(axes, "num_devices", 1) or 1) > 1


def _attributes(layer: Layer) -> dict[str, Any]:
    # With several CPU devices, each has its share of the cores: one.
    threads = 1 if jax.local_device_count("cpu") > 1 else 0
    return {
        "kind": np.int32(KINDS.index(layer.kind)),
        "threads": np.int32(threads),
        "batch_major": layer.batch_major,
        "reverse": layer.reverse,
        "real": layer.real,
        "fresh": layer.resets,
    }


def _forward_in_xla(*operands: Array, layer: Layer, ys: bool, record: bool) -> list[Array]:
    outs = xla_forward(layer, ys, operands)
    shapes = forward_shapes(layer, ys, record, *operands[:2])
    # Nothing is kept: `_backward_in_xla` runs forward again.
    return [*outs, *(jnp.zeros_like(outs[0], shape=shape) for shape in shapes[len(outs) :])]


def _backward_in_xla(*operands: Array, layer: Layer, d_ys: bool, d_x: bool) -> list[Array]:
    del d_ys
    return xla_backward(layer, d_x, *split_backward(layer, operands))


def _lower_forward(ctx: Any, *operands: Any, layer: Layer, ys: bool, record: bool) -> Any:
    if _in_xla(ctx):
        return _forward_xla_rule(ctx, *operands, layer=layer, ys=ys, record=record)
    attributes = _attributes(layer) | {"ys": ys, "record": record}
    return jax.ffi.ffi_lowering("gru_research_forward")(ctx, *operands, **attributes)


def _lower_backward(ctx: Any, *operands: Any, layer: Layer, d_ys: bool, d_x: bool) -> Any:
    if _in_xla(ctx):
        return _backward_xla_rule(ctx, *operands, layer=layer, d_ys=d_ys, d_x=d_x)
    attributes = _attributes(layer) | {"d_ys": d_ys, "d_x": d_x}
    return jax.ffi.ffi_lowering("gru_research_backward")(ctx, *operands, **attributes)


IN_XLA = {forward_p: _forward_in_xla, backward_p: _backward_in_xla}
"""What each call computes as a function of its operands and parameters in JAX's own operations."""
_forward_xla_rule = mlir.lower_fun(_forward_in_xla, multiple_results=True)
_backward_xla_rule = mlir.lower_fun(_backward_in_xla, multiple_results=True)
mlir.register_lowering(forward_p, _forward_xla_rule)
mlir.register_lowering(backward_p, _backward_xla_rule)
mlir.register_lowering(forward_p, _lower_forward, platform="cpu")
mlir.register_lowering(backward_p, _lower_backward, platform="cpu")
# Outside of `jit` a call is compiled, once for each shape.
forward_p.def_impl(lambda *operands, **how: _compiled(forward_p, tuple(how.items()))(*operands))
backward_p.def_impl(lambda *operands, **how: _compiled(backward_p, tuple(how.items()))(*operands))


@functools.cache
def _compiled(primitive: Primitive, how: tuple[tuple[str, Any], ...]) -> Any:
    return jax.jit(lambda *operands: primitive.bind(*operands, **dict(how)))
