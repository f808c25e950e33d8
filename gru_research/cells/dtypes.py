"""The types of a step: of its products and outputs, of what they are accumulated in, and of the carry."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Array, Carry, DType, Params

CONFIG: Any = jax.config
"""JAX's settings, untyped: type checkers don't know their names."""


def compute_dtype(cell: Any, params: Params, x: Array) -> DType:
    """The type of products, gates and outputs: `cell.dtype`, or the promotion of parameters and input."""
    return cell.dtype or promoted(x, *jax.tree.leaves(params))


def accumulation_dtype(dtype: DType) -> DType:
    """float32, or `dtype` where it is wider."""
    return promoted(dtype, jnp.float32)


def promoted(*values: Any) -> DType:
    """The common type of arrays and types by standard promotion, whatever `jax_numpy_dtype_promotion` says."""
    types = tuple(map(_firm_type, values))
    if None not in types:
        return _common_type(types, CONFIG.jax_enable_x64)
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*values)


# Remembered, as a step outside jit asks for a dozen of them.
@functools.lru_cache(1024)
def _common_type(types: tuple[Any, ...], x64: bool) -> DType:
    del x64  # the result depends on it
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*types)


def _firm_type(value: Any) -> Any:
    """Returns `value` if it is a type, or the type of a JAX array; None for weakly typed values and others."""
    if isinstance(value, np.dtype):
        return value
    dtype = None if isinstance(value, np.ndarray | np.generic) or is_weak(value) else getattr(value, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) else None


def is_weak(value: Any) -> bool:
    """Whether JAX promotes it to the type of the other operand, as it does Python's numbers."""
    return getattr(value, "weak_type", False)


def cast(a: Array, dtype: DType) -> Array:
    """Casts `a` to `dtype`; returns `a` where it has that type, which spares a step outside jit most casts."""
    return a if a.dtype == dtype and not is_weak(a) else a.astype(dtype)


def carry_type(cell: Any, params: Params) -> DType:
    """The type of the carry: `cell.carry_dtype`, or float32 or wider, as wide as `cell.dtype` or, with None, `params`.

    It doesn't depend on the inputs, so that the initial carry, which is made without them, has it already.
    """
    return cell.carry_dtype or (widest_type(params) if cell.dtype is None else accumulation_dtype(cell.dtype))


def widest_type(params: Params) -> DType:
    """float32, or the type of `params` where it is wider."""
    return promoted(jnp.float32, *(a for a in jax.tree.leaves(params) if hasattr(a, "dtype")))


def cast_carry(cell: Any, params: Params, carry: Carry) -> Carry:
    """Casts `carry` to the type that it has between steps; integers, such as a count of steps, keep theirs."""
    wanted = carry_type(cell, params)

    def one(a: Any) -> Array:
        a = a if isinstance(a, jax.Array) else jnp.asarray(a)
        return cast(a, wanted) if jnp.issubdtype(a.dtype, jnp.inexact) else a

    return jax.tree.map(one, carry)


def in_types_of(carry: Carry, new: Carry) -> Carry:
    """Casts each leaf of `new` to the type of that in `carry`: a user's cell may compute in the inputs' wider type."""
    return jax.tree.map(lambda a, b: cast(b, a.dtype), carry, new)
