"""`unroll` and `trace`: a cell over time."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.cells import base, dtypes
from gru_research.cells.arguments import check_sequence, operations_are_checked
from gru_research.cells.checks import boolean
from gru_research.cells.containers import plain
from gru_research.cells.overrides import check_step
from gru_research.cells.shape_checks import as_type, check_cell, check_parameters, describe
from gru_research.types import Array, ArrayLike, Carry, Params

from .auto_options import choose
from .gradient_sums import CastBack, widen_constants
from .masks import check_lengths, check_stream, real_steps, reset_steps, without_padding
from .native import native, why_not
from .options import UnrollOptions, check_options
from .parallel import parallel
from .scan import Run, fill, in_chunks, scan, zero_unless
from .sharding import Rows, divided_rows
from .vjp import forward_mode_refused, vjp


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
      params: its parameters, in any mapping; their gradient comes in the same kind of mapping.
      xs: inputs; any number of batch axes before the time axis, none included.
      initial_carry: the carry before the first step; None: `cell.initial_carry(params, batch)`.
      lengths: `[...]`, whole numbers from 0 to T: the first `lengths` steps of a row are real. None: all are.
      mask: `[..., T]`, boolean: True at a real step; with `lengths`, a step is real where both say so. At an
        unreal step the carry passes unchanged, the output is 0, and the input affects nothing, gradients included,
        even if it is NaN.
      resets: `[..., T]`, boolean: True where a new segment starts, in input order. There the carry
        becomes `cell.initial_carry(params, batch)`, at unreal steps too.
      reverse: from each row's last real step to its first; outputs stay in input order.
      options: how the loop runs.

    Returns:
      The carry after the last step (for a row without a real step, the initial one), and the outputs, None with
      `options.outputs="none"`.

    Raises:
      ValueError: a shape or type that doesn't fit, or outside `jit` a length out of range; the message names the
        argument. Parameters must be those of `cell.init`: one that is missing, unused or of another shape is named,
        with both shapes and the cell.
      TypeError: `cell` isn't one or lacks a method; `xs` aren't real numbers; `params` are no mapping.
      TypeError: forward mode (`jax.jvp`) of the hand-written gradient; the message names the option. Inside
        `jit` JAX raises it, and says only that a custom_vjp function has no forward mode.
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
    check_cell(cell)
    reverse = boolean("reverse", reverse)
    params = plain(params)
    check_step(cell)
    xs = check_sequence(xs, cell)
    check_options(options)
    mask, resets = (check_stream(*stream, xs.shape[:-1]) for stream in (("mask", mask), ("resets", resets)))
    check_parameters(cell, params, xs.shape)
    rows = _divided(xs, params, initial_carry, lengths, mask, resets, options)
    if rows is not None:
        return _by_device(rows, cell, params, xs, initial_carry, lengths, mask, resets, reverse, options, with_gates)
    if operations_are_checked():
        xs = without_padding(xs, lengths, mask, options.time_major)
    to_time_major = functools.partial(_move_time, time_major=options.time_major, inside=True)
    xs_T = to_time_major(xs, features=1)
    time, batch = xs_T.shape[0], xs_T.shape[1:-1]
    real_T = real_steps(lengths, None if mask is None else to_time_major(mask, features=0), batch, time)
    reset_before_T = reset_steps(None if resets is None else to_time_major(resets, features=0), reverse)
    reset_carry = dtypes.cast_carry(cell, params, cell.initial_carry(params, batch))
    carry = reset_carry if initial_carry is None else _like(reset_carry, initial_carry)
    if real_T is not None or reset_before_T is not None:
        _check_rows(cell, reset_carry, batch)
    chosen = choose(cell, xs_T, options, with_gates, why_not(cell, params, xs_T, carry))
    params, reset_carry, cast_back = widen_constants(params, reset_carry)
    if jax.sharding.get_abstract_mesh().manual_axes:  # inside shard_map
        params, reset_carry, carry, xs_T = _vary_alike((params, reset_carry, carry, xs_T), (real_T, reset_before_T))
    if real_T is not None and chosen.backend != "native":  # it reads no input of an unreal step
        # Before any arithmetic: 0 * NaN is NaN in the gradient of a product.
        xs_T = jnp.where(real_T[..., None], xs_T, 0)
    if chosen.backend == "native":
        run = native(cell, params, reset_carry, chosen, reverse)
    elif chosen.backend == "vjp":
        run = vjp(cell, params, reset_carry, chosen, reverse, cast_back)
    elif chosen.backend == "parallel":
        run = parallel(cell, params, reset_carry, chosen, reverse, options.backend == "parallel", cast_back)
    else:
        run = _autodiff(cell, params, reset_carry, chosen, reverse, with_gates, cast_back)
    steps = xs_T, real_T, reset_before_T
    if options.checkpoint and not isinstance(time, int):
        steps = fill(steps, options.checkpoint)
    final, kept = in_chunks(run, carry, steps, options.checkpoint, reverse, checkpoint=True)
    if steps[0] is not xs_T:
        kept = jax.tree.map(lambda a: a[:time], kept)
    ys_T, gates_T = kept if chosen.backend == "autodiff" else (kept, {})
    from_time_major = functools.partial(_move_time, time_major=options.time_major, inside=False, features=1)
    ys = None if ys_T is None else from_time_major(ys_T)
    return final, ys, jax.tree.map(from_time_major, gates_T)


def _divided(
    xs: Array, params: Params, carry: Carry, lengths: Any, mask: Any, resets: Any, options: UnrollOptions
) -> Rows | None:
    """Returns how the types of the arguments divide the batch over devices; None where they don't."""
    before = int(options.time_major)
    arrays = [(xs, before), (carry, 0), (lengths, 0), (mask, before), (resets, before)]
    return divided_rows(arrays, xs.ndim - 2, others=params)


def _by_device(
    rows: Rows,
    cell: Any,
    params: Params,
    xs: Array,
    initial_carry: Carry | None,
    lengths: ArrayLike | None,
    mask: ArrayLike | None,
    resets: ArrayLike | None,
    reverse: bool,
    options: UnrollOptions,
    with_gates: bool,
) -> tuple[Carry, Array | None, dict[str, Array]]:
    """`_run` on each device for its own rows, after the checks that need whole arguments."""
    time_first = int(options.time_major)
    batch, time = xs.shape[time_first : xs.ndim - 2 + time_first], xs.shape[0 if time_first else -2]
    if lengths is not None:
        lengths = check_lengths(lengths, batch, time)
    reset_carry = jax.eval_shape(lambda p: cell.initial_carry(p, batch), params)
    _check_rows(cell, reset_carry, batch)
    if initial_carry is not None:
        _check_carry(initial_carry, reset_carry)
    streams = jax.tree.map(jnp.asarray, {"mask": mask, "resets": resets})
    with forward_mode_refused():
        return _on_mesh(cell, reverse, options, with_gates, rows, params, xs, initial_carry, lengths, streams)


# Compiled: outside jit each operation of a mapped function would be compiled on its own.
@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _on_mesh(
    cell: Any,
    reverse: bool,
    options: UnrollOptions,
    with_gates: bool,
    rows: Rows,
    params: Params,
    xs: Array,
    carry: Carry | None,
    lengths: Array | None,
    streams: dict[str, Any],
) -> tuple[Carry, Array | None, dict[str, Array]]:
    def run(params: Params, xs: Array, carry: Carry | None, lengths: Array | None, streams: dict[str, Any]) -> Any:
        mask, resets = streams["mask"], streams["resets"]
        return _run(cell, params, xs, carry, lengths, mask, resets, reverse, options, with_gates)

    time_first = int(options.time_major)
    by_row = getattr(cell, "parameters_by_row", ())
    parameters_before: Any = None
    if by_row:
        parameters_before = {name: 0 if name in by_row else None for name in params}
        params = {name: rows.place(a) if name in by_row else rows.whole(a) for name, a in params.items()}
    else:
        params = rows.whole(params)
    xs, streams = rows.place((xs, streams), time_first)
    carry, lengths = rows.place((carry, lengths))
    mapped = rows.map(run, (parameters_before, time_first, 0, 0, time_first), (0, time_first, time_first))
    return mapped(params, xs, carry, lengths, streams)


def _autodiff(
    cell: Any,
    params: Params,
    reset_carry: Carry,
    options: UnrollOptions,
    reverse: bool,
    with_gates: bool,
    cast_back: CastBack,
) -> Run:
    """A run that returns `(y, gates)` of each step, 0 at unreal ones; None and {} where they aren't wanted."""

    def step(params: Params, carry: Carry, p: Any) -> tuple[Carry, Any]:
        g = cell.gates(params, carry, p)
        carry, y = cell.combine(carry, g)
        return carry, (y if options.outputs == "all" else None, g if with_gates else {})

    def keep(real: Array | None, carry: Carry, more: Any) -> Any:
        return zero_unless(real, more)

    return scan(cell, params, reset_carry, options, reverse, step, keep, cast_back)


def _move_time(a: Array, *, time_major: bool, inside: bool, features: int) -> Array:
    """Moves the time axis of `a` to the front (`inside`), or from there to the caller's place."""
    if time_major:
        return a
    outside_axis = a.ndim - 1 - features
    if outside_axis < 0:
        return a
    return jnp.moveaxis(a, outside_axis, 0) if inside else jnp.moveaxis(a, 0, outside_axis)


def _like(reset_carry: Carry, carry: Carry) -> Carry:
    """Casts `carry` to the types of `reset_carry`; raises ValueError where its structure or shapes differ."""
    _check_carry(carry, reset_carry)
    return jax.tree.map(lambda a, like: as_type("initial_carry", a, like.dtype), carry, reset_carry)


def _check_carry(carry: Carry, reset_carry: Carry) -> None:
    def shapes(tree: Carry) -> Any:
        return jax.tree.map(np.shape, tree)

    if jax.tree.structure(carry) != jax.tree.structure(reset_carry) or shapes(carry) != shapes(reset_carry):
        raise ValueError(f"initial_carry has the shapes {shapes(carry)}; here it must have {shapes(reset_carry)}")


def _check_rows(cell: Any, reset_carry: Carry, batch: tuple[int, ...]) -> None:
    """Raises ValueError where a leaf of the carry has no batch axes: then steps of a single row can't be skipped."""
    for a in jax.tree.leaves(reset_carry):
        if a.shape[: len(batch)] != batch:
            raise ValueError(
                f"the carry of {describe(cell)} has a part of shape {a.shape}; lengths, mask, resets and a division "
                f"over devices act on rows, so that each part must begin with the batch, {batch}"
            )


def _vary_alike(tree: Any, others: Any) -> Any:
    """Adds a zero made from the tree and `others`, so that all leaves vary over the same mesh axes.

    Otherwise a scan over sharded inputs from a carry of plain zeros is a type error, and the gradient of a
    replicated parameter isn't summed over the mesh.
    """
    zero = sum(jnp.zeros_like(a, shape=(), dtype=jnp.float32) for a in jax.tree.leaves((tree, others)))
    return jax.tree.map(lambda a: a + jnp.asarray(zero, a.dtype), tree)
