"""The plain time loop: `lax.scan` over steps, differentiated by JAX; and loops over chunks of steps."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gru_research.types import Array, Carry, Params

from . import choices
from .options import UnrollOptions

Steps = tuple[Array, Array | None, Array | None]
"""Over time, time first: inputs `[T, *batch, I]`, and `real` and `fresh [T, *batch]` or None."""
Run = Callable[[Carry, Steps], tuple[Carry, Any]]
"""From a carry and some steps to the carry after them and what is kept of each."""
Keep = Callable[[Array | None, Carry, Any], Any]


def scan(cell: Any, params: Params, first: Carry, options: UnrollOptions, reverse: bool, step: Any, keep: Keep) -> Run:
    """A run of `step(params, carry, p) -> (carry, more)` over time.

    `keep(real, carry, more)` is what is kept of each step; `first` is the carry that a reset goes to.
    """

    def run(carry: Carry, steps: Steps) -> tuple[Carry, Any]:
        xs_T, real_T, fresh_T = steps
        hoist = choices.hoist(cell, xs_T) if options.hoist is None else options.hoist
        inputs_T = cell.project(params, xs_T) if hoist else xs_T

        def body(carry: Carry, inputs: Any) -> tuple[Carry, Any]:
            x, real, fresh = inputs
            if fresh is not None:
                carry = select(fresh, first, carry)
            new, more = step(params, carry, x if hoist else cell.project(params, x))
            if real is not None:
                new = select(real, new, carry)
            return new, keep(real, new, more)

        return lax.scan(body, carry, (inputs_T, real_T, fresh_T), reverse=reverse, unroll=options.unroll)

    return run


def in_place(
    run: Run, carry: Carry, steps: Steps, size: int, reverse: bool, axis: int, like: Array
) -> tuple[Carry, Array]:
    """`run` over chunks of `size` steps, its outputs with time at `axis`: each chunk's are put where they belong.

    That spares moving time when all outputs are there. `like`: an array of the outputs' type, without time, that in
    `shard_map` varies over the mesh as they do. Not for differentiation, which would keep all outputs of every chunk.
    """

    def chunk(state: tuple[Carry, Array], part: Any) -> tuple[Any, None]:
        (carry, ys), (t, steps) = state, part
        carry, y = run(carry, steps)
        at = [0] * ys.ndim
        at[axis] = t[0]
        return (carry, lax.dynamic_update_slice(ys, jnp.moveaxis(y, 0, axis), at)), None

    time = steps[0].shape[0]
    if not size or size >= time:
        carry, ys = run(carry, steps)
        return carry, jnp.moveaxis(ys, 0, axis)
    ys = jnp.zeros_like(like, shape=(*like.shape[:axis], time, *like.shape[axis:]))
    return in_chunks(chunk, (carry, ys), (jnp.arange(time), steps), size, reverse)[0]


def in_chunks(
    run: Run, carry: Carry, steps: Any, size: int, reverse: bool, checkpoint: bool = False
) -> tuple[Carry, Any]:
    """`run` over chunks of `size` steps; 0: in one go.

    With `checkpoint` only the carries between them are kept for the gradient. Steps that don't fill a chunk
    are a chunk of their own, the last in the order of processing.
    """
    time = jax.tree.leaves(steps)[0].shape[0]
    if not size or size >= time:
        return run(carry, steps)
    chunks, left = split(steps, size, reverse)
    inner = jax.checkpoint(run, prevent_cse=False) if checkpoint else run
    carry, kept = lax.scan(inner, carry, chunks, reverse=reverse)
    if left is None:
        return carry, join(kept, None, reverse)
    carry, kept_left = (jax.checkpoint(run) if checkpoint else run)(carry, left)
    return carry, join(kept, kept_left, reverse)


def split(tree: Any, size: int, reverse: bool) -> tuple[Any, Any]:
    """Arrays `[T, ...]` as chunks `[T // size, size, ...]`, and the steps that don't fill one, or None.

    Those come last in the order of processing: at the end, or with `reverse` at the beginning.
    """
    time = jax.tree.leaves(tree)[0].shape[0]
    rest = time % size
    whole, left = (slice(rest, None), slice(0, rest)) if reverse else (slice(0, time - rest), slice(time - rest, None))
    chunks = jax.tree.map(lambda a: a[whole].reshape(time // size, size, *a.shape[1:]), tree)
    return chunks, jax.tree.map(lambda a: a[left], tree) if rest else None


def join(chunks: Any, left: Any, reverse: bool) -> Any:
    """The opposite of `split`."""
    whole = jax.tree.map(lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), chunks)
    if left is None:
        return whole
    first, second = (left, whole) if reverse else (whole, left)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)


def select(condition: Array, a: Carry, b: Carry) -> Carry:
    """`a` where `condition [*batch]` holds, else `b`: trees of `[*batch, H]`."""
    return jax.tree.map(lambda x, y: jnp.where(condition[..., None], x, y), a, b)


def zero_unless(real: Array | None, tree: Any) -> Any:
    """The tree of `[..., H]` where `real [...]` holds, else 0; all of it where `real` is None."""
    return tree if real is None else jax.tree.map(lambda a: jnp.where(real[..., None], a, jnp.zeros_like(a)), tree)
