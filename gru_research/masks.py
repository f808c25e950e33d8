"""Masks over time from the lengths of rows."""

import jax.numpy as jnp

from gru_research.types import Array, ArrayLike


def length_mask(lengths: ArrayLike, time: int, axis: int = -1) -> Array:
    """Returns `[..., T]`, True at the first `lengths [...]` steps of each row; `axis` is the time axis, 0 or -1."""
    lengths = jnp.expand_dims(lengths, axis)
    rows = range(lengths.ndim - 1) if axis else range(1, lengths.ndim)
    return jnp.expand_dims(jnp.arange(time), tuple(rows)) < lengths  # lengths' own type may be too small for T
