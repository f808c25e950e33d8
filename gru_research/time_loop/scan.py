"""The time loop forward: `lax.scan` over steps, and a variant that writes outputs in place, without a gradient."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.cells import dtypes
from gru_research.cells.wide_params import remember_casts
from gru_research.types import Array, Carry, Params

from . import auto_options
from .gradient_sums import CastBack
from .options import UnrollOptions

Steps = tuple[Array, Array | None, Array | None]
"""Over time, time first: inputs `[T, *batch, I]`, and `real` and `reset_before [T, *batch]` or None."""
Run = Callable[[Carry, Steps], tuple[Carry, Any]]
"""From a carry and steps to the carry after them, and what `keep` gives for each step."""
Keep = Callable[[Array | None, Carry, Any], Any]


def scan(
    cell: Any,
    params: Params,
    reset_carry: Carry,
    options: UnrollOptions,
    reverse: bool,
    step: Any,
    keep: Keep,
    cast_back: CastBack | None = None,
) -> Run:
    """A run of `step(params, carry, p) -> (carry, more)` over time.

    `keep(real, carry, more)` is the result of each step. A reset sets the carry to `reset_carry`. Each step reads
    `params` and `reset_carry` through `cast_back`, where it isn't None.
    """

    def run(carry: Carry, steps: Steps) -> tuple[Carry, Any]:
        inputs_T, advance = _advance(cell, params, reset_carry, options, step, steps, cast_back)

        def body(carry: Carry, inputs: Steps) -> tuple[Carry, Any]:
            new, more = advance(carry, inputs)
            return new, keep(inputs[1], new, more)

        return lax.scan(body, carry, inputs_T, reverse=reverse, unroll=options.unroll)

    return run


def in_place(cell: Any, params: Params, reset_carry: Carry, options: UnrollOptions, reverse: bool, step: Any) -> Run:
    """A run of `step(params, carry, p) -> (carry, y)` that writes each output into the final array.

    The array is `[T, *batch, H]` with `options.time_major`, else `[*batch, T, H]`, which spares a transpose at the end.
    Inputs are projected chunk by chunk. Not for differentiation: JAX would keep all outputs at every step.
    """

    def run(carry: Carry, steps: Steps) -> tuple[Carry, Array]:
        time = steps[0].shape[0]
        h = cell.hidden(carry)
        axis = 0 if options.time_major else h.ndim - 1
        shape = (*h.shape[:axis], time, *h.shape[axis:])
        # zeros_like: in `shard_map` they vary over the mesh as h does.
        ys = jnp.zeros_like(h, shape=shape, dtype=dtypes.compute_dtype(cell, params, steps[0]))
        if auto_options.below(time, 1, otherwise=False):
            return carry, ys

        def chunk(state: Any, part: Any) -> tuple[Any, None]:
            t_T, steps = part
            inputs_T, advance = _advance(cell, params, reset_carry, options, step, steps, None)

            def body(state: Any, part: Any) -> tuple[Any, None]:
                (carry, ys), (t, inputs) = state, part
                carry, y = advance(carry, inputs)
                y = zero_unless(inputs[1], y)
                return (carry, lax.dynamic_update_index_in_dim(ys, y, t, axis, allow_negative_indices=False)), None

            return lax.scan(body, state, (t_T, inputs_T), reverse=reverse, unroll=options.unroll)

        return in_chunks(chunk, (carry, ys), (jnp.arange(time), steps), options.chunk or 0, reverse)[0]

    return run


def _advance(
    cell: Any,
    params: Params,
    reset_carry: Carry,
    options: UnrollOptions,
    step: Any,
    steps: Steps,
    cast_back: CastBack | None,
) -> tuple[Any, Callable[[Carry, Any], tuple[Carry, Any]]]:
    """Returns what to scan over for `steps`, and the function of one step: `(carry, inputs) -> (carry, more)`."""
    xs_T, real_T, reset_before_T = steps
    hoist = auto_options.hoist(cell, xs_T) if options.hoist is None else options.hoist

    def advance(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
        x, real, reset_before = inputs
        own, start = cast_back(params, reset_carry) if cast_back else (params, reset_carry)
        if reset_before is not None:
            carry = select(reset_before, start, carry)
        with remember_casts(own, params):
            new, more = step(own, carry, x if hoist else cell.project(own, x))
        new = dtypes.in_types_of(carry, new)
        return new if real is None else select(real, new, carry), more

    if not hoist:
        return steps, advance
    own, _ = cast_back(params, reset_carry) if cast_back else (params, reset_carry)
    with remember_casts(own, params):
        return (cell.project(own, xs_T), real_T, reset_before_T), advance


def in_chunks(
    run: Run, carry: Carry, steps: Any, size: int, reverse: bool, checkpoint: bool = False
) -> tuple[Carry, Any]:
    """Calls `run` on chunks of `size` steps; 0: once, on all.

    With `checkpoint` only the carries between chunks are kept for the gradient. The last steps that don't fill a chunk
    are a shorter one.
    """
    time = jax.tree.leaves(steps)[0].shape[0]
    if not size or auto_options.below(time, size + 1, otherwise=False):
        return run(carry, steps)
    chunks, left = split(steps, size, reverse)
    inner = jax.checkpoint(run, prevent_cse=False) if checkpoint else run
    carry, kept = lax.scan(inner, carry, chunks, reverse=reverse)
    if left is None:
        return carry, join(kept, None, reverse)
    carry, kept_left = (jax.checkpoint(run) if checkpoint else run)(carry, left)
    return carry, join(kept, kept_left, reverse)


def split(tree: Any, size: int, reverse: bool) -> tuple[Any, Any]:
    """Divides arrays `[T, ...]` into chunks `[T // size, size, ...]`, and the steps that don't fill one, or None.

    The latter are processed last: they are at the end, or with `reverse` at the beginning.
    """
    time = jax.tree.leaves(tree)[0].shape[0]
    rest = time % size
    whole, left = (slice(rest, None), slice(0, rest)) if reverse else (slice(0, time - rest), slice(time - rest, None))
    chunks = jax.tree.map(lambda a: a[whole].reshape(time // size, size, *a.shape[1:]), tree)
    return chunks, jax.tree.map(lambda a: a[left], tree) if rest else None


def fill(steps: Steps, size: int) -> Steps:
    """Pads `steps` with unreal ones to whole chunks of `size`.

    For a symbolic number of steps, whose remainder is unknown.
    """
    xs_T, real_T, reset_before_T = steps
    time = xs_T.shape[0]
    missing = (time + size - 1) // size * size - time
    if real_T is None:
        real_T = jnp.broadcast_to(True, xs_T.shape[:-1])

    def filled(a: Array) -> Array:
        return jnp.concatenate([a, jnp.zeros_like(a, shape=(missing, *a.shape[1:]))])

    return jax.tree.map(filled, (xs_T, real_T, reset_before_T))


def join(chunks: Any, left: Any, reverse: bool) -> Any:
    """The inverse of `split`."""
    whole = jax.tree.map(lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), chunks)
    if left is None:
        return whole
    first, second = (left, whole) if reverse else (whole, left)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)


def select(condition: Array, a: Carry, b: Carry) -> Carry:
    """`a` where `condition [*batch]` holds, else `b`: trees of `[*batch, ...]`, as a carry is."""

    return jax.tree.map(lambda x, y: jnp.where(_expand(condition, x), x, y), a, b)


def zero_unless(real: Array | None, tree: Any) -> Any:
    """The tree of `[..., H]` where `real [...]` holds, else 0; all of it where `real` is None."""
    return tree if real is None else jax.tree.map(lambda a: jnp.where(_expand(real, a), a, jnp.zeros_like(a)), tree)


def _expand(rows: Array, a: Array) -> Array:
    """Adds trailing axes to `rows [*batch]` up to the rank of `a [*batch, ...]`."""
    return jnp.expand_dims(rows, tuple(range(rows.ndim, a.ndim)))
