"""The training loop of one cell, with all members side by side."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from gru_research import records
from gru_research.stats import rank_worst
from gru_research.tasks import Task

from . import processes
from .batch_maker import Sets, make_batch_maker
from .checkpoint import Checkpoints, Snapshot
from .loop_state import LoopState, from_arrays, start_sums, to_arrays
from .optimizer import Optimizer
from .plan import CellPlan, Plan
from .prefetch import Prefetch
from .program_cache import ProgramCache
from .scoring import put_evaluation, score
from .seeds import SeedAxis
from .selection import Evaluation, Schedule, Selection
from .state import TrainState, init_state

SECONDS_PER_CALL = 1.0
"""The approximate longest time of a call, so that a stop request doesn't wait long when updates are slow."""

Record = Callable[[records.Record], None]


class InterruptedRun(Exception):
    """Training stopped between two calls, on request."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """The progress of a cell's training, for the progress line. `members` counts the seeds of all draws; seconds are as
    in `LoopState`."""

    cell: str
    phase: str
    step: int
    updates: int
    members: int
    train_seconds: float
    evaluation_seconds: float
    validation_metric: float | None


@dataclasses.dataclass(frozen=True)
class Hooks:
    """Callbacks of a run: for each record, for the progress after each call, for stopping, and for messages."""

    record: Record
    progress: Callable[[Progress], None] = lambda progress: None
    stopping: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda line: None


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """The result of training.

    Attributes:
      state: the members' states.
      params: the parameters that `select` chose, at `selected_step`.
      best_params: the parameters with the best validation metric.
      evaluations: all evaluations.
      train_seconds: the time of compiled training, as in `LoopState`.
    """

    state: TrainState
    params: Any
    best_params: Any
    selected_step: np.ndarray
    evaluations: tuple[Evaluation, ...]
    train_seconds: float

    def curve(self, metric: str, member: int) -> list[float | None]:
        """Returns a member's validation metric at every evaluation; None after it diverged."""
        return [
            None if 0 < e.state["diverged_at"][member] <= e.step else float(e.measured[metric][member])
            for e in self.evaluations
        ]


def train_members(
    plan: Plan,
    cell: CellPlan,
    sets: Sets,
    axis: SeedAxis,
    schedule: Schedule,
    hooks: Hooks,
    programs: ProgramCache | None = None,
    checkpoints: Checkpoints | None = None,
    snapshot: Snapshot | None = None,
    evaluated: Callable[[Evaluation, TrainState], None] = lambda evaluation, state: None,
) -> TrainingResult:
    """Trains all members of the axis and evaluates them during training.

    Args:
      programs: the cell's cache of compiled programs.
      checkpoints: writes snapshots; `snapshot` is the one from which training resumes.
      evaluated: called after each evaluation with the state that was evaluated.

    Raises:
      InterruptedRun: `hooks.stopping()` returned True; a snapshot was taken.
    """
    task = plan.task
    optimizer, state = start(plan, cell, axis, schedule)
    batch_maker = make_batch_maker(plan, sets, axis, schedule)
    validation = put_evaluation(sets["validation"], task, cell, axis)
    at = LoopState(0, state, start_sums(axis), [], 0.0)
    programs = programs or ProgramCache(plan, cell)
    train = programs.training(axis, optimizer, at.state, at.sums, batch_maker)
    evaluate = programs.evaluation(task, task.validation_metrics, axis, at.state, validation[0])
    selection = Selection(axis, task, schedule)
    if snapshot is not None:
        at = from_arrays(snapshot.arrays, at, selection, axis, snapshot.step)

    # Numbers of updates in the next call and the one after it, whose batches are made during the next call. They start
    # at 1, as the time of an update isn't known yet.
    steps = later = 1
    with Prefetch(batch_maker) as batches:
        while True:
            due = at.step % schedule.eval_every == 0 or at.step == schedule.updates
            if due and not (at.evaluations and at.evaluations[-1].step == at.step):
                started = time.perf_counter()
                measured = score(evaluate, axis, at.state, validation, task, task.validation_metrics).metrics
                at.evaluations.append(_evaluation(at, axis, measured))
                evaluated(at.evaluations[-1], at.state)
                at.sums = start_sums(axis)
                at.state = selection.update(at.state, at.evaluations[-1])
                at.evaluation_seconds += time.perf_counter() - started
            hooks.progress(_progress(at, cell, schedule, axis, task))
            if at.step == schedule.updates or selection.exhausted:
                break
            due = checkpoints is not None and checkpoints.due()
            later, due, stopping = processes.agreed(later, due, hooks.stopping())
            if checkpoints is not None and (stopping or due):
                checkpoints.save(at.step, to_arrays(at, selection, axis))
            if stopping:
                raise InterruptedRun
            until = schedule.end_of_call(at.step, steps)
            now = batches.take(at.step, until)
            started = time.perf_counter()
            running = train(at.state, at.sums, now, np.int32(until))  # donates the old state and sums
            if batch_maker.layout and until < schedule.updates:
                batches.begin(until, schedule.end_of_call(until, later))
            at.state, at.sums = jax.block_until_ready(running)
            taken = time.perf_counter() - started
            steps, later = later, max(1, min(batch_maker.steps, int(SECONDS_PER_CALL / taken * (until - at.step))))
            at.train_seconds += taken
            at.step = until
    return TrainingResult(
        at.state,
        selection.parameters(at.state),
        selection.best_params,
        selection.selected_step(at.state),
        tuple(at.evaluations),
        at.train_seconds,
    )


def _progress(at: LoopState, cell: CellPlan, schedule: Schedule, axis: SeedAxis, task: Task) -> Progress:
    median = float(
        np.median(rank_worst(at.evaluations[-1].measured[task.validation_metric], task.validation_direction))
    )
    return Progress(
        cell=cell.label,
        phase=schedule.phase,
        step=at.step,
        updates=schedule.updates,
        members=len(axis.seeds),
        train_seconds=at.train_seconds,
        evaluation_seconds=at.evaluation_seconds,
        validation_metric=median,
    )


def start(plan: Plan, cell: CellPlan, axis: SeedAxis, schedule: Schedule) -> tuple[Optimizer, TrainState]:
    """Returns the members' optimiser and their state before the first update."""
    optimizer = Optimizer(plan.config.optimizer, schedule.updates)
    return optimizer, axis.start(partial(init_state, cell.model, optimizer, plan.task.spec.example))


def _evaluation(at: LoopState, axis: SeedAxis, measured: Mapping[str, np.ndarray]) -> Evaluation:
    state = axis.gather({name: getattr(at.state, name) for name in ("step", "diverged_at", "last_loss")})
    updates, loss, norm, clipped = (a.astype(np.float64) for a in axis.gather(at.sums))
    with np.errstate(invalid="ignore"):  # 0 / 0 where a member took no update since the last evaluation
        loss, norm, clipped = (a / updates for a in (loss, norm, clipped))
        return Evaluation(at.step, state, measured, updates, loss, norm, clipped, at.train_seconds)
