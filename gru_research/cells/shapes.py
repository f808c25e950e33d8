"""The shapes and types of a cell's parameters and carry.

`jax.eval_shape` of `init` and `initial_carry` gives them, once for each cell and input size, for users' cells too.
Where a cell has no `init`, or one with other arguments, they are unknown.
"""

import dataclasses
import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp

REMEMBERED = 1024
"""The number of pairs of cell and input size whose shapes are cached."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A leaf of the carry: its shape behind the batch axes, whether it has those, and its type."""

    tail: tuple[int, ...]
    batched: bool
    dtype: Any

    @property
    def is_float(self) -> bool:
        return jnp.issubdtype(self.dtype, jnp.inexact)


@dataclasses.dataclass(frozen=True)
class Shapes:
    """The shapes of a cell for one input size; None where they are unknown.

    Attributes:
      params: the parameters, leaves `jax.ShapeDtypeStruct`.
      carry: the tree of the carry, leaves `Part`.
      is_complex: whether some parameter is complex, or `dtype`.
    """

    params: Any
    carry: Any
    is_complex: bool


@functools.cache
def is_real(dtype: Any) -> bool:
    """Whether `dtype` is real or boolean."""
    return any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))


@functools.cache
def is_complex(dtype: Any) -> bool:
    """Whether `dtype` is complex."""
    return jnp.issubdtype(dtype, jnp.complexfloating)


def shapes(cell: Any, input_size: int) -> Shapes:
    """Returns the shapes of the parameters and carry of `cell` for inputs of `input_size` features."""
    own = getattr(cell, "__dict__", {})
    if "init" in own or "initial_carry" in own:  # replaced on the instance, which equals another without
        return _shapes(cell, input_size)
    try:
        return _remembered(cell, input_size)
    except TypeError:  # it has no hash
        return _shapes(cell, input_size)


def _shapes(cell: Any, input_size: int) -> Shapes:
    params = carry = None
    if _takes(getattr(cell, "init", None), 2):
        params = _evaluated(lambda: cell.init(jax.random.key(0), input_size))
    if params is not None:
        none, three = (_evaluated(lambda p, n=n: cell.initial_carry(p, n), params) for n in ((), (3,)))
        carry = _parts(none, three)
    dtypes = [a.dtype for a in jax.tree.leaves(params)] + ([] if cell.dtype is None else [jnp.dtype(cell.dtype)])
    return Shapes(params, carry, any(is_complex(dtype) for dtype in dtypes))


_remembered = functools.lru_cache(REMEMBERED)(_shapes)


def _evaluated(function: Any, *arguments: Any) -> Any:
    """The shapes of what `function` returns; None where it can't be traced, which is no reason to refuse a cell."""
    try:
        with jax.enable_x64(True):  # float64 without a warning where x64 is off
            return jax.eval_shape(function, *arguments)
    except Exception:  # the caller of `function` will meet it
        return None


def _parts(none: Any, three: Any) -> Any:
    """The carry's parts, from its shapes without a batch axis and with one of 3; None where these don't agree."""
    if none is None or three is None or jax.tree.structure(none) != jax.tree.structure(three):
        return None
    leaves, tree = jax.tree.flatten(none)
    parts = []
    for a, b in zip(leaves, jax.tree.leaves(three), strict=True):
        if b.shape not in ((3, *a.shape), a.shape):
            return None
        parts.append(Part(a.shape, b.shape != a.shape, a.dtype))
    return jax.tree.unflatten(tree, parts)


def _takes(method: Any, arguments: int) -> bool:
    """Whether `method` can be called with this number of arguments."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True
