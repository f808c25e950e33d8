"""`unroll` and `trace`: a cell over time, with `lax.scan`."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells import base
from gru_research.types import Array, ArrayLike, Carry, Params

from .options import UnrollOptions
from .streams import fresh_steps, real_steps


def unroll(
    cell: base.Cell,
    params: Params,
    xs: ArrayLike,
    *,
    initial_carry: Carry | None = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    resets: ArrayLike | None = None,
    reverse: bool = False,
    options: UnrollOptions = UnrollOptions(),
) -> tuple[Carry, Array | None]:
    """Runs `cell` over `xs [..., T, I]` and returns `(final_carry, ys [..., T, H])`.

    Args:
      cell: the maths.
      params: its parameters.
      xs: inputs; any number of batch axes before the time axis, none included.
      initial_carry: the carry before the first step; None: `cell.initial_carry(params, batch)`.
      lengths: `[...]`, whole numbers: the first `lengths` steps of a row are real. None: all are.
      mask: `[..., T]`, boolean: True at a real step; with `lengths`, both must agree. At an unreal
        step the carry passes unchanged, the output is 0, and the input reaches nothing, not even as
        NaN, gradients included.
      resets: `[..., T]`, boolean: True where a new segment starts, in input order. There the carry
        becomes `cell.initial_carry(params, batch)`, at unreal steps too.
      reverse: from each row's last real step to its first; outputs stay in input order.
      options: how the loop runs.

    Returns:
      The carry after the last step that was taken (for a row without a real step, the one it began
      with), and the outputs, None with `options.outputs="none"`.

    Raises:
      ValueError: a shape or type that doesn't fit; the message names the argument.
    """
    carry, ys, _ = _run(cell, params, xs, initial_carry, lengths, mask, resets, reverse, options, False)
    return carry, ys


def trace(
    cell: base.Cell,
    params: Params,
    xs: ArrayLike,
    *,
    initial_carry: Carry | None = None,
    lengths: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    resets: ArrayLike | None = None,
    reverse: bool = False,
    options: UnrollOptions = UnrollOptions(),
) -> tuple[Carry, Array | None, dict[str, Array]]:
    """`unroll` that also returns the gates, a dict of `[..., T, H]`; 0 at unreal steps."""
    return _run(cell, params, xs, initial_carry, lengths, mask, resets, reverse, options, True)


def _run(
    cell: Any,
    params: Params,
    xs: ArrayLike,
    initial_carry: Carry | None,
    lengths: ArrayLike | None,
    mask: ArrayLike | None,
    resets: ArrayLike | None,
    reverse: bool,
    options: UnrollOptions,
    with_gates: bool,
) -> tuple[Carry, Array | None, dict[str, Array]]:
    xs = jnp.asarray(xs)
    if xs.ndim < 2:
        raise ValueError(f"xs has the shape {xs.shape}; it must have a time and a feature axis, [..., T, I]")
    for field, value in (("mask", mask), ("resets", resets)):
        if value is not None and jnp.shape(value) != xs.shape[:-1]:
            raise ValueError(f"{field} has the shape {jnp.shape(value)}; with this input it must be {xs.shape[:-1]}")
    to_time_major = functools.partial(_move_time, time_major=options.time_major, inside=True)
    xs_T = to_time_major(xs, features=1)
    time, batch = xs_T.shape[0], xs_T.shape[1:-1]
    real_T = real_steps(lengths, None if mask is None else to_time_major(mask, features=0), batch, time)
    fresh_T = fresh_steps(None if resets is None else to_time_major(resets, features=0), reverse)
    if real_T is not None:
        # Before any arithmetic: 0 * NaN is NaN in the gradient of a product.
        xs_T = jnp.where(real_T[..., None], xs_T, 0)

    dtype = base.compute_dtype(cell, params, xs_T)
    first = base.cast_carry(cell, cell.initial_carry(params, batch), dtype)
    carry = first if initial_carry is None else base.cast_carry(cell, initial_carry, dtype)
    _check_carry(carry, first)
    carry = _vary_as(carry, (params, xs_T, carry, first, real_T, fresh_T))
    hoist = xs_T.shape[-1] > base.MULTIPLY_ADD_LIMIT if options.hoist is None else options.hoist
    inputs_T = cell.project(params, xs_T) if hoist else xs_T

    def body(carry: Carry, step: tuple[Any, Array | None, Array | None]) -> tuple[Carry, Any]:
        inputs, real, fresh = step
        if fresh is not None:
            carry = _select(fresh, first, carry)
        p = inputs if hoist else cell.project(params, inputs)
        g = cell.gates(params, carry, p)
        new, y = cell.combine(carry, g)
        kept = (y if options.outputs == "all" else None, g if with_gates else {})
        if real is not None:
            new = _select(real, new, carry)
            kept = jax.tree.map(lambda a: jnp.where(real[..., None], a, 0), kept)
        return new, kept

    final, (ys_T, gates_T) = _scan(body, carry, (inputs_T, real_T, fresh_T), time, reverse, options)
    from_time_major = functools.partial(_move_time, time_major=options.time_major, inside=False, features=1)
    ys = None if ys_T is None else from_time_major(ys_T)
    return final, ys, jax.tree.map(from_time_major, gates_T)


def _scan(body: Any, carry: Carry, steps: Any, time: int, reverse: bool, options: UnrollOptions) -> tuple[Carry, Any]:
    """`lax.scan`; with `options.checkpoint` n, in chunks of n steps whose insides are computed again."""
    scan = functools.partial(lax.scan, body, reverse=reverse, unroll=options.unroll)
    size = options.checkpoint
    if not size or size >= time:
        return scan(carry, steps)
    chunks = time // size
    # The steps that don't fill a chunk come last in the order of processing.
    rest = time - chunks * size
    whole = slice(rest, None) if reverse else slice(0, chunks * size)
    tail = slice(0, rest) if reverse else slice(chunks * size, None)
    chunked = jax.tree.map(lambda a: a[whole].reshape(chunks, size, *a.shape[1:]), steps)
    carry, kept = lax.scan(jax.checkpoint(scan, prevent_cse=False), carry, chunked, reverse=reverse)
    kept = jax.tree.map(lambda a: a.reshape(chunks * size, *a.shape[2:]), kept)
    if not rest:
        return carry, kept
    carry, kept_tail = jax.checkpoint(scan)(carry, jax.tree.map(lambda a: a[tail], steps))
    first, second = (kept_tail, kept) if reverse else (kept, kept_tail)
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)


def _move_time(a: ArrayLike, *, time_major: bool, inside: bool, features: int) -> Array:
    """Time to the front of `a` (`inside`) or from there to where the caller has it."""
    a = jnp.asarray(a)
    if time_major:
        return a
    outside_axis = a.ndim - 1 - features
    if outside_axis < 0:
        return a
    return jnp.moveaxis(a, outside_axis, 0) if inside else jnp.moveaxis(a, 0, outside_axis)


def _select(condition: Array, a: Carry, b: Carry) -> Carry:
    return jax.tree.map(lambda x, y: jnp.where(condition[..., None], x, y), a, b)


def _check_carry(carry: Carry, first: Carry) -> None:
    def shapes(tree: Carry) -> Any:
        return jax.tree.map(jnp.shape, tree)

    if jax.tree.structure(carry) != jax.tree.structure(first) or shapes(carry) != shapes(first):
        raise ValueError(f"initial_carry has the shapes {shapes(carry)}; here it must have {shapes(first)}")


def _vary_as(tree: Any, others: Any) -> Any:
    """Inside `shard_map`: the tree plus a zero made from `others`, so that it varies over the mesh axes that they do.

    Otherwise a scan over sharded inputs from a carry of plain zeros is a type error there.
    """
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return tree
    zero = sum(jnp.zeros_like(a, shape=(), dtype=jnp.float32) for a in jax.tree.leaves(others))
    return jax.tree.map(lambda a: a + jnp.asarray(zero, a.dtype), tree)
