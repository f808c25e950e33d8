"""Converts lengths, mask and resets to two boolean streams over time.

`real_T...` is True at real steps. `reset_before_T...` is True where the carry is reset before the step, in the order in
which steps are taken. None means "always" for the first and "never" for the second, and costs nothing.
"""

import jax.core
import jax.numpy as jnp
import numpy as np

from gru_research.cells.arguments import check_inputs
from gru_research.masks import length_mask
from gru_research.types import Array, ArrayLike

from .sharding import alike


def real_steps(lengths: ArrayLike | None, mask: Array | None, batch: tuple[int, ...], time: int) -> Array | None:
    """Returns `real [T, *batch]` from `lengths [*batch]` and `mask [T, *batch]`, combined by and."""
    real = None if lengths is None else _within(lengths, batch, time)
    if mask is not None:
        real = mask if real is None else real & mask
    return real


def _within(lengths: ArrayLike, batch: tuple[int, ...], time: int) -> Array:
    """Returns `[T, *batch]`, True within a row's length."""
    return length_mask(check_lengths(lengths, batch, time), time, axis=0)


def check_lengths(lengths: ArrayLike, batch: tuple[int, ...], time: int, least: int = 0) -> Array:
    """`lengths` as an array; raises ValueError where it isn't `[*batch]` whole numbers, each from `least` to `time` if
    known."""
    lengths = check_inputs("lengths", lengths)
    if lengths.shape != batch:
        raise ValueError(f"lengths has the shape {lengths.shape}; with this input it must be {batch}")
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(f"lengths of type {lengths.dtype} must be whole numbers")
    if not isinstance(lengths, jax.core.Tracer):
        wrong = [n for n in np.asarray(lengths).ravel().tolist() if not least <= n <= time]
        if wrong:
            raise ValueError(f"lengths={wrong[0]} must be from {least} to {time}, the number of steps")
    return lengths


def without_padding(xs: Array, lengths: ArrayLike | None, mask: ArrayLike | None, time_major: bool) -> Array:
    """`xs [..., T, I]`, or with `time_major` `[T, ..., I]`, with 0 at unreal steps.

    Needed where JAX checks the result of every operation (`jax_debug_nans`): NaN must be gone before the first one,
    even a transpose. Elsewhere the time loop replaces padding.
    """
    time_axis = 0 if time_major else xs.ndim - 2
    real = []
    if mask is not None:
        real.append(check_inputs("mask", mask))
    if lengths is not None:
        outer = xs.shape[:time_axis] + xs.shape[time_axis + 1 : -1]
        real.append(jnp.moveaxis(_within(lengths, outer, xs.shape[time_axis]), 0, time_axis))
    for condition in alike([jnp.expand_dims(a, -1) for a in real], xs):
        xs = jnp.where(condition, xs, 0)
    return xs


def reset_steps(resets: Array | None, reverse: bool) -> Array | None:
    """Returns `reset_before [T, *batch]` from `resets [T, *batch]`, True where a segment starts in input order.

    Forward, the carry is reset before the segment's first step. In reverse it is reset between that step and the one
    before it in the input, which belongs to another segment.
    """
    if resets is None:
        return None
    if not reverse:
        return resets
    return jnp.concatenate([resets[1:], jnp.zeros_like(resets[:1])])


def check_stream(field: str, value: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    """`value` as booleans of `shape`, or None; raises ValueError, or TypeError where it holds no numbers at all."""
    if value is None:
        return None
    array = check_inputs(field, value)
    if array.shape != shape:
        raise ValueError(f"{field} has the shape {array.shape}; with this input it must be {shape}")
    if array.dtype != jnp.bool_:
        raise ValueError(f"{field} of type {array.dtype} must be boolean")
    return array
