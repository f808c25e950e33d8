"""Finds the operation with the first result that isn't finite: repeats the update at which a seed diverged, operation
by operation."""

import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.data import chunk
from gru_research.tasks import Generated

from .batch_maker import Sets, make_buckets, make_source
from .optimizer import Optimizer
from .plan import CellPlan, Plan
from .state import TrainState
from .step import data_stream, generated_batch, update

PACKAGE = Path(__file__).parents[1]


def first_not_finite(function: Callable[[], Any]) -> str | None:
    """Returns the first operation in `function()` whose result has an inf or nan, and its line of code; None without.

    Runs without compilation, so that each operation is checked; loops of `lax` become Python loops. An operation of a
    backward pass is reported with the line that was differentiated.
    """
    try:
        with jax.disable_jit(), jax.debug_nans(True), jax.debug_infs(True):
            jax.block_until_ready(function())
    except FloatingPointError as e:
        said = re.match(r"invalid value \((\w+)\) encountered in ([^\s.]+)", str(e))
        what = f"{said[1]} from {said[2]}" if said else str(e).partition("\n")[0]
        return f"{what}, {_where(e)}"
    return None


def _where(error: BaseException) -> str:
    """Returns the innermost line of code outside jax."""
    jax_s_own = str(Path(jax.__file__).parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(jax_s_own)]
    frame = frames[-1]
    path = Path(frame.filename)
    name = path.relative_to(PACKAGE.parent) if path.is_relative_to(PACKAGE) else path
    return f"{name}:{frame.lineno}, {frame.name}: {frame.line}"


def find_cause(plan: Plan, cell: CellPlan, sets: Sets, state: TrainState) -> str | None:
    """Applies `first_not_finite` to the update at which a seed diverged.

    `state` is the diverged seed's state after training, which is from before that update. Returns None where the
    repeated update is finite: compiled programs round differently, and the devices that a batch is divided over draw
    their own noise.
    """
    state = jax.tree.map(jnp.asarray, state)
    optimizer = Optimizer(plan.config.optimizer, cell.updates)
    batch = _batch(plan, sets, state)
    return first_not_finite(lambda: update(cell.model, optimizer, plan.task, state, batch))


def _batch(plan: Plan, sets: Sets, state: TrainState) -> Mapping[str, Any]:
    data, size, step = plan.task.data, plan.config.batch_size, int(state.step)
    if isinstance(data, Generated):
        return generated_batch(data, data_stream(state.seed), state.step, size)
    buckets = make_buckets(plan, sets)
    batch = chunk([make_source(plan, sets, int(state.seed), buckets)], step, 1)
    one = {name: jnp.asarray(a[0, 0]) for name, a in batch.items()}
    return one if buckets is None else buckets.cut(one, int(buckets.of_batch(one)))
