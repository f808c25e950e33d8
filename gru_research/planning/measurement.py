"""Measures time and memory of one cell on this machine: compiles and times its programs, and reads XLA memory plans."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import jax

from gru_research.tasks import Task
from gru_research.training import CellPlan, Plan
from gru_research.training.batch_maker import Sets
from gru_research.training.calibration import TimedCall, Updates, compile_updates, time_updates
from gru_research.training.loop import Hooks, train_members
from gru_research.training.scoring import EvaluationBatch, compile_evaluation, put_evaluation, score, shapes
from gru_research.training.seeds import SEED, make_seed_axis
from gru_research.training.selection import Schedule

from .forecast import Rates
from .intervals import Interval, exactly, interval_of
from .machine import forget_peak, has_own_memory, peak_memory, resident_memory

TURNS = 3
"""The number of parts of a measurement. Each evaluates the validation set once, after a warm-up evaluation."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """Memory in bytes, per device except for `process`.

    Attributes:
      state: the training program's arguments by XLA's plan (parameters, optimiser state, batches), and the batches of
        the next call.
      temporaries: the most memory that a program needs beside its arguments, outputs included.
      sets: the validation or the test set, whichever is larger.
      kept: the parameters with the best validation metric so far.
      devices: the number of devices that hold members.
      process: the memory of the whole process after compilation, before its first update; None where unknown.
    """

    state: int
    temporaries: int
    sets: int
    kept: int
    devices: int
    process: int | None

    @property
    def device(self) -> int:
        return self.state + self.temporaries + self.sets + self.kept

    @property
    def needed(self) -> int:
        """The bytes needed of a device's own memory, or of the machine's where devices share it."""
        return self.device if has_own_memory() else self.device * self.devices + (self.process or 0)


@dataclasses.dataclass(frozen=True)
class Timing:
    """The measurement of one cell with `members` seeds side by side."""

    members: int
    rates: Rates
    timed_updates: int
    timed_calls: int
    memory: Memory


@dataclasses.dataclass(frozen=True)
class TrialRun:
    """The measurement of a short training: its wall time, the time of its updates alone, and its peak memory."""

    updates: int
    seconds: float
    train_seconds: float
    memory: int | None
    diverged: int


@dataclasses.dataclass(frozen=True)
class Compiled:
    """All programs of a cell, and the seconds of their compilation."""

    updates: Updates
    validation: Sequence[EvaluationBatch]
    test: Sequence[EvaluationBatch]
    evaluate: Any
    evaluate_test: Any
    seconds: float
    test_seconds: float
    memory: Memory


def compile_cell(plan: Plan, cell: CellPlan, members: int, sets: Sets) -> Compiled:
    """Compiles the programs that train `members` seeds side by side, without running them."""
    started = time.perf_counter()
    updates = compile_updates(plan, cell, _seeds(plan, members), sets)
    validation, test = (put_evaluation(sets[name], plan.task, cell, updates.axis) for name in ("validation", "test"))
    task, axis, state = plan.task, updates.axis, updates.state
    evaluate = compile_evaluation(task, task.validation_metrics, cell, axis, state, validation[0])
    compiled = time.perf_counter()
    # Of several ways of answering, the last is taken as the one that takes longest.
    tested = dataclasses.replace(task, answer=task.answer_choices[-1]) if task.answer_choices else task
    alike = (
        tested is task
        and shapes(test[0]) == shapes(validation[0])
        and len(task.validation_metrics) == len(task.metrics)
    )
    evaluate_test = evaluate if alike else compile_evaluation(tested, tuple(task.metrics), cell, axis, state, test[0])
    test_seconds = 0.0 if alike else time.perf_counter() - compiled
    memory = _memory(updates, [updates.program, evaluate, evaluate_test], (validation, test))
    return Compiled(
        updates, validation, test, evaluate, evaluate_test, compiled - started, test_seconds, memory
    )  # fmt: skip


def measure(plan: Plan, cell: CellPlan, sets: Sets, members: Sequence[int], seconds: float) -> list[Timing]:
    """Measures a cell with each number of members: compiles it, evaluates it, and times its updates for `seconds`.

    Raises:
      UserError: no seed's loss is finite.
    """
    # The measurements take turns, so that a busy moment of the machine affects all of them equally.
    timers = [_Timer(compile_cell(plan, cell, count, sets), plan.task) for count in members]
    for _ in range(TURNS):
        for timer in timers:
            timer.take_turn(seconds / TURNS)
    return [timer.timing(count) for timer, count in zip(timers, members, strict=True)]


class _Timer:
    """The measurements so far with one number of members."""

    def __init__(self, compiled: Compiled, task: Task):
        self._compiled, self._updates, self._task = compiled, compiled.updates, task
        self._calls: list[TimedCall] = []
        self._evaluated: list[float] = []
        self._evaluate(compiled.evaluate, compiled.validation)  # warm-up: touches memory for the first time
        self._tested = self._evaluate(compiled.evaluate_test, compiled.test, tuple(self._task.metrics))
        self._loading = _loading(compiled.updates)

    def take_turn(self, seconds: float) -> None:
        self._evaluated.append(self._evaluate(self._compiled.evaluate, self._compiled.validation))
        calls, self._updates = time_updates(self._updates, seconds)
        self._calls += calls

    def timing(self, members: int) -> Timing:
        compiled, calls = self._compiled, self._calls
        # Each way of answering is tried on the validation set before the test.
        choices = len(self._task.answer_choices)
        counts = [sum(batch.count for batch in batches) for batches in (compiled.validation, compiled.test)]
        rates = Rates(
            update=interval_of([call.seconds / call.updates * members for call in calls]),
            loading=self._loading,
            evaluation=interval_of(self._evaluated),
            test=exactly(self._tested * (1 + choices * counts[0] / counts[1])),
            compiling=compiled.seconds,
            compiling_test=compiled.test_seconds * (1 + choices),
        )
        return Timing(members, rates, sum(call.updates for call in calls) // members, len(calls), compiled.memory)

    def _evaluate(self, program: Any, batches: Sequence[EvaluationBatch], names: Sequence[str] = ()) -> float:
        """Returns the seconds that measuring the metrics `names` takes; (): those of validation."""
        started = time.perf_counter()
        names = names or self._task.validation_metrics
        score(program, self._updates.axis, self._updates.state, batches, self._task, names)
        return time.perf_counter() - started


def train_briefly(plan: Plan, cell: CellPlan, members: int, sets: Sets, schedule: Schedule) -> TrialRun:
    """Trains by `schedule` as a comparison does, and measures it. Writes no records."""
    forget_peak()
    axis = make_seed_axis(_seeds(plan, members), cell.scalars, plan.config.data_parallel)
    started = time.perf_counter()
    trained = train_members(plan, cell, sets, axis, schedule, Hooks(record=lambda kind, **fields: None))
    seconds = time.perf_counter() - started
    diverged = int((trained.evaluations[-1].state["diverged_at"] > 0).sum())
    return TrialRun(schedule.updates, seconds, trained.train_seconds, peak_memory(), diverged)


def _seeds(plan: Plan, members: int) -> range:
    return range(plan.config.first_seed, plan.config.first_seed + members)


def _loading(updates: Updates) -> Interval:
    """Times loading the stored batches of one update to the devices, while nothing else runs."""
    batches, taken = updates.batches, []
    if not batches.layout:
        return exactly(0.0)
    for start in range(0, 4 * batches.steps, batches.steps):
        started = time.perf_counter()
        jax.block_until_ready(batches(start, start + batches.steps))
        taken.append((time.perf_counter() - started) / batches.steps)
    return interval_of(taken[1:])  # the first also draws an epoch's order and touches new memory


def _memory(updates: Updates, programs: Sequence[Any], sets: Sequence[Sequence[Any]]) -> Memory:
    """Adds up XLA's memory plans of the programs, which run one after the other."""
    plans = [program.memory_analysis() for program in programs]
    devices = updates.axis.mesh.size
    parameters = sum(a.nbytes for a in jax.tree.leaves(updates.state.params)) // updates.axis.mesh.shape[SEED]
    ahead = sum(math.prod(a.shape) * a.dtype.itemsize for a in updates.batches.layout.values()) // devices
    return Memory(
        state=plans[0].argument_size_in_bytes + ahead,
        temporaries=max(
            p.temp_size_in_bytes + p.output_size_in_bytes - p.alias_size_in_bytes + p.generated_code_size_in_bytes
            for p in plans
        ),
        sets=max(sum(a.nbytes for batch in batches for a in jax.tree.leaves(batch[:2])) for batches in sets)
        // updates.axis.parts,
        kept=parameters,
        devices=devices,
        process=resident_memory(),
    )
