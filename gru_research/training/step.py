"""One update of one seed, and a loop over updates, inside jit."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from gru_research.data import LengthBuckets
from gru_research.models import Model
from gru_research.tasks import Generated, Task
from gru_research.types import Array, Batch, PRNGKey

from .optimizer import Optimizer
from .state import TrainState, stream


class Sums(NamedTuple):
    """Sums over the finite updates since the last evaluation: the number of updates, training losses, gradient norms
    before clipping, and the number of clipped updates. They are carried from call to call, so that their rounding
    doesn't depend on the boundaries of calls."""

    updates: Array
    loss: Array
    gradient_norm: Array
    clipped: Array


def no_sums() -> Sums:
    """Returns the sums before the first update."""
    return Sums(jnp.zeros((), jnp.int32), jnp.zeros(()), jnp.zeros(()), jnp.zeros((), jnp.int32))


class Buckets(NamedTuple):
    """How batches are cut. `shared` names the axes of devices and of seeds side by side, which cut alike."""

    buckets: LengthBuckets
    shared: tuple[str, ...] = ()


def update(
    model: Model,
    optimizer: Optimizer,
    task: Task,
    state: TrainState,
    batch: Batch,
    mesh_axis: str | None = None,
    cut: Buckets | None = None,
) -> tuple[TrainState, Sums]:
    """Makes one update on one batch. A loss or gradient that isn't finite leaves the parameters unchanged and
    sets `diverged_at`.

    Where the rows of a batch are divided over `mesh_axis`, `batch` is this device's part, and all devices make the
    same update. Each device draws its own noise. With `cut`, the batch is first cut to a bucket's widths.
    """
    key = jax.random.fold_in(stream(state.seed, "noise"), state.step)
    if mesh_axis:
        key = jax.random.fold_in(key, lax.axis_index(mesh_axis))

    def gradient_of(batch: Batch, params: optax.Params) -> tuple[Array, Any]:
        """Returns this part's contribution to the mean over the batch, and its gradient."""
        prepared = task.prepare(batch)

        def loss_of(params: optax.Params) -> Array:
            outputs = model.apply(params, prepared, key)  # pyright: ignore[reportArgumentType]
            values, weights = task.loss(outputs, prepared)
            return jnp.sum(values * weights) / jnp.maximum(_total(weights.sum(), mesh_axis), 1)

        return jax.value_and_grad(loss_of)(params)

    found = gradient_of(batch, state.params) if cut is None else _in_bucket(cut, gradient_of, batch, state.params)
    loss, gradients = _total(found, mesh_axis)
    norm = optax.tree.norm(gradients)
    change, opt_state = optimizer(state.scalars).update(gradients, state.opt_state, state.params)
    good = jnp.isfinite(loss) & jnp.isfinite(norm)
    trained = (optax.apply_updates(state.params, change), opt_state, state.step + 1, loss)
    kept = (state.params, state.opt_state, state.step, state.last_loss)
    params, opt_state, step, last_loss = jax.tree.map(lambda new, old: jnp.where(good, new, old), trained, kept)
    diverged_at = jnp.where(good, 0, state.step + 1)
    new_state = state._replace(
        params=params, opt_state=opt_state, step=step, diverged_at=diverged_at, last_loss=last_loss
    )
    clip = optimizer.clip(state.scalars)
    clipped = jnp.zeros((), jnp.int32) if clip is None else (norm > clip).astype(jnp.int32)
    return new_state, Sums(*(jnp.where(good, a, 0) for a in (jnp.ones((), jnp.int32), loss, norm, clipped)))


def _in_bucket(cut: Buckets, function: Callable[[Batch, Any], Any], batch: Batch, params: Any) -> Any:
    """Returns `function(batch, params)` for the batch cut to its bucket."""
    buckets = cut.buckets
    bucket = jnp.asarray(buckets.of_batch(batch))
    if cut.shared:  # devices that exchange sums, and batched seeds, run one branch
        bucket = lax.pmax(bucket, cut.shared)
    branches = [lambda batch, params, n=n: function(buckets.cut(batch, n), params) for n in range(len(buckets.widths))]
    return lax.switch(bucket, branches, batch, params)


def _total(tree: Any, mesh_axis: str | None) -> Any:
    """Sums over the devices of a mesh axis; the identity without one."""
    return lax.psum(tree, mesh_axis) if mesh_axis else tree


def _part(batch: Batch, mesh_axis: str | None) -> Batch:
    """Returns this device's rows of a whole batch."""
    if mesh_axis is None:
        return batch
    parts, part = lax.axis_size(mesh_axis), lax.axis_index(mesh_axis)
    return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, part * (len(a) // parts), len(a) // parts), batch)


def data_stream(seed: Array) -> PRNGKey:
    """Returns the key of all generated batches of a seed."""
    return stream(seed, "data")


def generated_batch(data: Generated, key: PRNGKey, step: Array, size: int) -> Batch:
    """Returns the whole generated batch for the update after `step`; `key` is a seed's `data_stream`."""
    return data.make(jax.random.fold_in(key, step), size)


def run_updates(
    model: Model,
    optimizer: Optimizer,
    task: Task,
    batch_size: int,
    mesh_axis: str | None,
    cut: Buckets | None,
    state: TrainState,
    sums: Sums,
    batches: Batch,
    until: Array,
) -> tuple[TrainState, Sums]:
    """Updates one seed until `until` updates are done, it diverges, or the stored batches are used up.

    New updates are added to `sums`. `batches [K, B, ...]` holds stored data from the current step on; it is empty for
    generated data, which are made here. Where batches are divided over `mesh_axis`, `batches` holds this device's
    parts, and `batch_size` is the size of a whole batch. A diverged seed or an inactive copy makes no iteration.
    """
    data_key = data_stream(state.seed)
    start = state.step
    stored = len(jax.tree.leaves(batches)[0]) if batches else None

    def more(loop: tuple[TrainState, Sums]) -> Array:
        state, _ = loop
        wanted = state.active & (state.diverged_at == 0) & (state.step < until)
        return wanted if stored is None else wanted & (state.step - start < stored)

    def turn(loop: tuple[TrainState, Sums]) -> tuple[TrainState, Sums]:
        state, sums = loop
        if isinstance(task.data, Generated):
            batch = _part(generated_batch(task.data, data_key, state.step, batch_size), mesh_axis)
        else:
            batch = jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, state.step - start, keepdims=False), batches)
        state, new = update(model, optimizer, task, state, batch, mesh_axis, cut)
        return state, jax.tree.map(jnp.add, sums, new)

    return lax.while_loop(more, turn, (state, sums))
