"""Functions for both Flax APIs: a sequence's carry type, the order of outputs, and steps past a row's end."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gru_research.cells import dtypes
from gru_research.cells.wrapper import CellWrapper
from gru_research.time_loop import UnrollOptions, unroll
from gru_research.time_loop.masks import real_steps
from gru_research.time_loop.sharding import divided_rows
from gru_research.types import Array, ArrayLike, Carry, DType, Params


class Layout(NamedTuple):
    """The axes of a sequence: `[*batch, time, *features]` or `[time, *batch, *features]`."""

    batch: tuple[int, ...]
    time: int
    time_axis: int

    @classmethod
    def of(cls, inputs: ArrayLike, feature_axes: int, time_major: bool) -> "Layout":
        """Returns the layout of `inputs`. Raises ValueError if they have no time axis."""
        shape = jnp.shape(inputs)
        if len(shape) <= feature_axes:
            raise ValueError(f"inputs has the shape {shape}; it must have a time axis and {feature_axes} of features")
        time_axis = 0 if time_major else len(shape) - feature_axes - 1
        outer = shape[: len(shape) - feature_axes]
        return cls(outer[:time_axis] + outer[time_axis + 1 :], shape[time_axis], time_axis)

    def step_shape(self, inputs: ArrayLike) -> tuple[int, ...]:
        """Returns the shape of one step of `inputs`."""
        shape = jnp.shape(inputs)
        return shape[: self.time_axis] + shape[self.time_axis + 1 :]

    def place(self, inputs: ArrayLike, carry: Carry) -> Carry:
        """Shards an initial carry like the rows of `inputs`, as the scan of a foreign cell requires."""
        rows = divided_rows([(inputs, self.time_axis == 0)], len(self.batch))
        if rows is None:
            return carry
        by_row = len(self.batch)
        return jax.tree.map(lambda a: rows.place(a) if jnp.shape(a)[:by_row] == self.batch else rows.whole(a), carry)

    def lengths(self, seq_lengths: ArrayLike | None) -> Array | None:
        """Returns `seq_lengths` as integers `[*batch]`, or None. Raises ValueError for another shape or type."""
        if seq_lengths is None:
            return None
        lengths = jnp.asarray(seq_lengths)
        if lengths.shape != self.batch:
            raise ValueError(f"seq_lengths has the shape {lengths.shape}; with this input it must be {self.batch}")
        if not jnp.issubdtype(lengths.dtype, jnp.integer):
            raise ValueError(f"seq_lengths of type {lengths.dtype} must be whole numbers")
        return jnp.clip(lengths.astype(jnp.int32), 0, self.time)

    def real(self, lengths: Array | None) -> Array | None:
        """Returns a mask `[T, *batch]`, True within a row's length; None if `lengths` is None."""
        return real_steps(lengths, None, self.batch, self.time)

    def flip(self, tree: Any, lengths: Array | None) -> Any:
        """Reverses arrays of this layout in time, within each row's length. Padding stays at the end."""
        return jax.tree.map(lambda a: self._flip(a, lengths), tree)

    def _flip(self, a: Array, lengths: Array | None) -> Array:
        if lengths is None:
            return jnp.flip(a, self.time_axis)
        ends = lengths[..., None]
        steps = jnp.expand_dims(jnp.arange(self.time), tuple(range(lengths.ndim)))
        index = jnp.moveaxis(jnp.where(steps < ends, ends - 1 - steps, steps), -1, self.time_axis)
        return jnp.take_along_axis(a, index.reshape(*index.shape, *(1,) * (a.ndim - index.ndim)), self.time_axis)


def step(cell: Any, params: Params, carry: Carry, x: ArrayLike) -> tuple[Carry, Array]:
    """Runs one step of one of our cells: Flax's `cell(carry, x)`."""
    x = jnp.asarray(x)
    for part in jax.tree.leaves(carry):
        if jnp.shape(part)[-1:] != (cell.hidden_size,):
            raise ValueError(f"carry has the shape {jnp.shape(part)}; its last axis must be {cell.hidden_size}")
    return _typed(cell, params, carry, x).step(params, carry, x)


def run(
    cell: Any,
    params: Params,
    inputs: Array,
    carry: Carry,
    seq_lengths: ArrayLike | None,
    *,
    reverse: bool,
    keep_order: bool,
    options: UnrollOptions,
) -> tuple[Carry, Array | None]:
    """Runs one of our cells over `inputs`. Outputs are in processing order unless `keep_order`."""
    layout = Layout.of(inputs, 1, options.time_major)
    lengths = layout.lengths(seq_lengths)
    carry, ys = unroll(
        _typed(cell, params, carry, inputs),
        params,
        inputs,
        initial_carry=carry,
        lengths=lengths,
        reverse=reverse,
        options=options,
    )
    return carry, layout.flip(ys, lengths) if reverse and not keep_order else ys


def advance(real: Array | None, batch: Sequence[int], new: Carry, old: Carry, y: Any) -> tuple[Carry, Any]:
    """Selects a foreign cell's results by row: past a row's end the carry stays `old` and the output is 0.

    A part of the carry without batch axes, such as a counter, is always new.
    """
    if real is None:
        return new, y

    def choose(a: Array, b: Any) -> Array:
        if jnp.shape(a)[: len(batch)] != tuple(batch):
            return a
        return jnp.where(real.reshape(*real.shape, *(1,) * (jnp.ndim(a) - real.ndim)), a, b)

    return jax.tree.map(choose, new, old), jax.tree.map(lambda a: choose(a, 0), y)


def hide_padding(layout: Layout, inputs: Array, real: Array | None) -> Array:
    """Sets `inputs` to 0 at padding, so that NaN there reaches no gradient."""
    if real is None:
        return inputs
    mask = jnp.moveaxis(real, 0, layout.time_axis)
    return jnp.where(mask.reshape(*mask.shape, *(1,) * (inputs.ndim - mask.ndim)), inputs, 0)


def _typed(cell: Any, params: Params, carry: Carry, x: Array) -> Any:
    """Returns `cell` with Flax's carry type: the given carry's type promoted with the computation's.

    So a carry keeps its type over a step, as `lax.scan` requires. It has 16 bits only if the given carry has.
    """
    dtype = dtypes.compute_dtype(cell, params, x)
    return _with_carry_dtype(cell, dtypes.promoted(dtype, *jax.tree.leaves(carry)))


def _with_carry_dtype(cell: Any, dtype: DType) -> Any:
    """Returns a copy of `cell` with this `carry_dtype`. In a wrapper, the inner cell gets it."""
    typed = copy.copy(cell)  # dataclasses.replace would drop methods that were replaced on the instance
    if isinstance(cell, CellWrapper):
        object.__setattr__(typed, "cell", _with_carry_dtype(cell.cell, dtype))
    else:
        object.__setattr__(typed, "carry_dtype", dtype)
    return typed
