"""The training loop of one cell, all members side by side: read it top to bottom."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import ShuffledBatches, chunk
from gru_research.stats import rank_worst
from gru_research.tasks import Generated, Stored, Task

from .optimizer import make_optimizer
from .plan import CellPlan, Plan
from .seeds import SeedAxis
from .selection import Evaluation, Schedule, Selection
from .state import Optimizer, TrainState, init_state
from .step import Sums, evaluate, run_updates

UPDATES_PER_CALL = 50
"""At most so many updates between two looks at the clock, at Ctrl-C and at the progress line."""
BYTES_PER_CALL = 256 * 2**20
"""At most so many bytes of stored batches travel to the devices at once."""
EVALUATION_BATCH = 500
EVALUATION_NUMBERS = 2**25
"""At most so many numbers of a layer's outputs are there at once in evaluation."""

Sets = Mapping[str, Mapping[str, np.ndarray]]
Record = Callable[..., None]
"""Writes a record: `record(kind, **fields)`."""


class InterruptedRun(Exception):
    """Training was asked to stop, and did so between two calls."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a cell's training stands: what a progress line shows. `members` are the seeds of all draws."""

    cell: str
    phase: str
    step: int
    updates: int
    members: int
    train_seconds: float
    validation_metric: float | None


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What a run tells whom: each record, the progress after each call, and whether to go on."""

    record: Record
    progress: Callable[[Progress], None] = lambda progress: None
    stopping: Callable[[], bool] = lambda: False


@dataclasses.dataclass(frozen=True)
class Trained:
    """What training ended with: the members' states, the parameters that `select` chose, every evaluation, and the
    program that evaluated, for batches of `evaluated_shapes`."""

    state: TrainState
    params: Any
    selected_step: np.ndarray
    evaluations: tuple[Evaluation, ...]
    train_seconds: float
    evaluate: Callable[..., dict[str, Any]]
    evaluated_shapes: Any

    def curve(self, metric: str, member: int) -> list[float | None]:
        """A member's validation metric at every evaluation; None from where it diverged."""
        return [
            None if 0 < e.state["diverged_at"][member] <= e.step else float(e.measured[metric][member])
            for e in self.evaluations
        ]


@dataclasses.dataclass(frozen=True)
class Programs:
    """The compiled programs of a cell's members, and how long compiling them took."""

    train: Callable[..., tuple[TrainState, Sums]]
    evaluate: Callable[..., dict[str, Any]]
    compile_seconds: float


def train_members(
    plan: Plan,
    cell: CellPlan,
    sets: Sets,
    axis: SeedAxis,
    schedule: Schedule,
    hooks: Hooks,
    evaluated: Callable[[Evaluation], None] = lambda evaluation: None,
    compiled: Callable[[float], None] = lambda seconds: None,
) -> Trained:
    """Trains all members of the axis and evaluates them on the way.

    Args:
      evaluated: is told of each evaluation at once, `compiled` of the seconds that compiling took.

    Raises:
      InterruptedRun: `hooks.stopping()` said so.
    """
    task = plan.task
    optimizer, state = start(plan, cell, axis, schedule)
    next_batches = batch_maker(plan, sets, axis, schedule)
    validation = put_evaluation(sets["validation"], task, cell, axis)
    programs = _compile(plan, cell, axis, optimizer, state, next_batches(0), validation[0])
    compiled(programs.compile_seconds)

    selection = Selection(axis, task, schedule)
    evaluations: list[Evaluation] = []
    pending: list[Sums] = []  # since the last evaluation
    step, train_seconds = 0, 0.0
    while True:
        if step % schedule.eval_every == 0 or step == schedule.updates:
            measured = score(programs.evaluate, axis, state, validation)
            evaluations.append(_evaluation(step, axis.gather(_small(state)), measured, pending, train_seconds))
            evaluated(evaluations[-1])
            pending = []
            state = selection.look(state, evaluations[-1])
        median = float(np.median(rank_worst(evaluations[-1].measured[task.metric], task.direction)))
        hooks.progress(
            Progress(cell.label, schedule.phase, step, schedule.updates, len(axis.seeds), train_seconds, median)
        )
        if step == schedule.updates or selection.over:
            break
        if hooks.stopping():
            raise InterruptedRun
        until = min(
            step + next_batches.steps, schedule.updates, (step // schedule.eval_every + 1) * schedule.eval_every
        )
        batches = next_batches(step)
        started = time.perf_counter()
        state, sums = jax.block_until_ready(programs.train(state, batches, jnp.int32(until)))
        train_seconds += time.perf_counter() - started
        pending.append(axis.gather(sums))
        step = until
    return Trained(
        state,
        selection.parameters(state),
        selection.selected_step(state),
        tuple(evaluations),
        train_seconds,
        programs.evaluate,
        shapes(validation[0]),
    )


def start(plan: Plan, cell: CellPlan, axis: SeedAxis, schedule: Schedule) -> tuple[Optimizer, TrainState]:
    """The members' optimiser and their state before the first update."""
    optimizer = partial(make_optimizer, plan.config.optimizer, schedule.updates)
    return optimizer, axis.start(partial(init_state, cell.model, optimizer, plan.task.example))


def _evaluation(
    step: int,
    state: Mapping[str, np.ndarray],
    measured: Mapping[str, np.ndarray],
    pending: Sequence[Sums],
    train_seconds: float,
) -> Evaluation:
    updates, loss, norm = (
        np.sum([np.asarray(part[i], np.float64) for part in pending], axis=0)
        if pending
        else np.zeros(len(state["step"]))
        for i in range(len(Sums._fields))
    )
    with np.errstate(invalid="ignore"):  # 0 / 0 where a member took no update since the last evaluation
        return Evaluation(step, state, measured, updates, loss / updates, norm / updates, train_seconds)


def evaluation_batches(examples: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
    """A set `[N, ...]` as batches `[size, ...]`, all alike so that one program serves the whole set.

    Copies fill up the last one; `weight [size]` is 0 for them and 1 for the others.
    """
    total = len(next(iter(examples.values())))
    missing = -total % size
    weight = np.concatenate([np.ones(total, np.float32), np.zeros(missing, np.float32)])
    filled = {name: np.concatenate([a, a[:missing]]) for name, a in examples.items()} | {"weight": weight}
    return [{name: a[i : i + size] for name, a in filled.items()} for i in range(0, total, size)]


def evaluation_size(examples: Mapping[str, np.ndarray], task: Task, cell: CellPlan) -> int:
    """How many examples of a set are evaluated at once: fewer where sequences are long."""
    total = len(next(iter(examples.values())))
    # The first axis of an example as stored is its time, unless `prepare` makes more steps of it.
    steps = max([task.length or 1, *(max(a.shape[1:2] or (1,)) for a in examples.values())])
    return max(1, min(EVALUATION_BATCH, total, EVALUATION_NUMBERS // (steps * (cell.hidden_size + task.output_size))))


def put_evaluation(
    examples: Mapping[str, np.ndarray], task: Task, cell: CellPlan, axis: SeedAxis
) -> list[dict[str, jax.Array]]:
    """A set as batches on the devices."""
    return [axis.put_shared(b) for b in evaluation_batches(examples, evaluation_size(examples, task, cell))]


def shapes(batch: Mapping[str, Any]) -> dict[str, Any]:
    """What a compiled program fits: shapes and types by name."""
    return {name: (a.shape, a.dtype) for name, a in batch.items()}


def score(
    program: Callable[..., dict[str, Any]],
    axis: SeedAxis,
    state: TrainState,
    batches: Sequence[Mapping[str, jax.Array]],
) -> dict[str, np.ndarray]:
    """For each member the means `[S]` over a set of what the task measures."""
    sums = [program(state, batch) for batch in batches]
    total = {name: np.stack([axis.gather(part[name]) for part in sums]).sum(0, dtype=np.float64) for name in sums[0]}
    weight = total.pop("weight")
    return {name: a / weight for name, a in total.items()}


@dataclasses.dataclass(frozen=True)
class BatchMaker:
    """From a step to the stored batches `[S, K, B, ...]` of the K = `steps` updates from there; nothing for generated
    data."""

    steps: int
    make: Callable[[int], dict[str, jax.Array]]

    def __call__(self, step: int) -> dict[str, jax.Array]:
        return self.make(step)


def batch_maker(plan: Plan, sets: Sets, axis: SeedAxis, schedule: Schedule) -> BatchMaker:
    """The batches of every member's seed."""
    steps = min(UPDATES_PER_CALL, schedule.eval_every, schedule.updates)
    if isinstance(plan.task.data, Generated):
        return BatchMaker(steps, lambda step: {})
    assert isinstance(plan.task.data, Stored)
    sources = [ShuffledBatches(sets["train"], plan.config.batch_size, seed) for seed in axis.padded_seeds]
    one = sum(a[:1].nbytes for a in sets["train"].values()) * plan.config.batch_size * len(sources)
    steps = max(1, min(steps, BYTES_PER_CALL // one))
    return BatchMaker(steps, lambda step: axis.put(chunk(sources, step, steps)))


def _compile(
    plan: Plan, cell: CellPlan, axis: SeedAxis, optimizer: Optimizer, state: TrainState, batches: Any, examples: Any
) -> Programs:
    """Compiles ahead, so that no timing holds compilation."""
    started = time.perf_counter()
    train = compile_training(plan, cell, axis, optimizer, state, batches)
    return Programs(train, compile_evaluation(plan, cell, axis, state, examples), time.perf_counter() - started)


def compile_training(
    plan: Plan, cell: CellPlan, axis: SeedAxis, optimizer: Optimizer, state: TrainState, batches: Any
) -> Callable[..., tuple[TrainState, Sums]]:
    """The program that updates all members up to a step; it takes the state over."""
    train = partial(run_updates, cell.model, optimizer, plan.task, plan.config.batch_size)
    return axis.spread(train, shared=1, donate=(0,)).lower(state, batches, jnp.int32(0)).compile()


def compile_evaluation(plan: Plan, cell: CellPlan, axis: SeedAxis, state: TrainState, examples: Any) -> Any:
    """The program that evaluates all members on one batch."""
    return axis.spread(partial(evaluate, cell.model, plan.task), shared=1).lower(state, examples).compile()


def _small(state: TrainState) -> dict[str, Any]:
    return {"step": state.step, "diverged_at": state.diverged_at, "last_loss": state.last_loss}
