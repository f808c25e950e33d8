"""Validators of single arguments: an input, the sizes of batch axes, a key. A mistake is one line that names it."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from gru_research.types import Array, PRNGKey

from .checks import shown
from .shapes import is_complex, is_real, shapes


def check_inputs(field: str, value: Any, cell: Any = None) -> Array:
    """`value` as an array of real numbers; raises TypeError where it holds anything else.

    A `cell` that computes with complex numbers takes those too.
    """
    if isinstance(value, Mapping):
        raise TypeError(f"{field} is a {type(value).__name__}: the arguments are (cell, params, {field})")
    try:
        array = value if isinstance(value, jax.Array) else _array(_plain(value))
    except (TypeError, ValueError) as e:
        raise TypeError(f"{field}={shown(value)} isn't an array of real numbers") from e
    if is_real(array.dtype) or (is_complex(array.dtype) and _takes_complex(cell, array)):
        return array
    raise TypeError(f"{field} of type {array.dtype} must be an array of real numbers")


def check_sequence(xs: Any, cell: Any = None) -> Array:
    """`check_inputs` of `xs [..., T, I]`; raises ValueError where it lacks a time or a feature axis."""
    xs = check_inputs("xs", xs, cell)
    if xs.ndim < 2:
        raise ValueError(f"xs has the shape {xs.shape}; it must have a time and a feature axis, [..., T, I]")
    return xs


def check_batch(batch: Any) -> tuple[int, ...]:
    """`batch` as a tuple of sizes; raises TypeError where it is none, ValueError where a size is below 0."""
    sizes = tuple(batch) if isinstance(batch, Sequence | np.ndarray) and not isinstance(batch, str) else None
    if sizes is None or not all(_is_size(size) for size in sizes):
        hint = f", as ({batch},)" if _is_size(batch) else ""
        raise TypeError(f"batch={shown(batch)} must be the sizes of the batch axes{hint}")
    if any(isinstance(size, int | np.integer) and size < 0 for size in sizes):
        raise ValueError(f"batch={shown(batch)} must be the sizes of the batch axes, each 0 or more")
    return tuple(int(size) if isinstance(size, np.integer) else size for size in sizes)


def split(key: PRNGKey, parts: int | tuple[int, ...] = 2, field: str = "key") -> PRNGKey:
    """`jax.random.split(key, parts)`; raises TypeError where `key` isn't one key."""
    return jax.random.split(check_key(key, field), parts)


def check_key(key: PRNGKey, field: str = "key") -> PRNGKey:
    """`key`; raises TypeError where it isn't one key of `jax.random`."""
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        one = shape == ()
    else:  # of jax.random.PRNGKey
        one = dtype == np.uint32 and shape is not None and len(shape) == 1 and shape[0] in (2, 4)
    if not one:
        of_shape = f" of shape {shape}" if shape else ""
        raise TypeError(f"{field}={shown(key)}{of_shape} must be one key, as jax.random.key(0)")
    return key


def operations_are_checked() -> bool:
    """Whether JAX looks for NaN or infinity in the result of every operation outside `jit` (`jax_debug_nans`)."""
    return any(getattr(jax.config, name) for name in ("jax_debug_nans", "jax_debug_infs"))


def _array(value: Any) -> Array:
    if not operations_are_checked():
        return jnp.asarray(value)
    # The caller's array isn't the result of an operation: its padding may hold NaN.
    with jax.debug_nans(False), jax.debug_infs(False):
        return jnp.asarray(value)


def _plain(value: Any) -> Any:
    """`value` for `jnp.asarray`, which takes None for an array of NaN and warns of strings."""
    dtype = value.dtype if isinstance(value, np.ndarray | np.generic) else None
    holds_numbers = dtype is None or is_real(dtype) or is_complex(dtype)
    if value is None or isinstance(value, str | bytes) or not holds_numbers:
        raise TypeError(f"{type(value).__name__} isn't an array")
    return value


def _takes_complex(cell: Any, x: Array) -> bool:
    return cell is not None and x.ndim > 0 and shapes(cell, x.shape[-1]).is_complex


def _is_size(size: Any) -> bool:
    return (isinstance(size, int | np.integer) and not isinstance(size, bool)) or export.is_symbolic_dim(size)
