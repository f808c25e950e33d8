"""What one cell costs on this machine: its programs are compiled and timed, and XLA says what memory they take."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

import jax

from gru_research.tasks import Task

from .forecast import Interval, Rates, exactly, spread
from .loop import Hooks, Sets, train_members
from .machine import forget_peak, has_own_memory, peak_memory, resident_memory
from .pace import TimedCall, Updates, compile_updates, time_updates
from .plan import CellPlan, Plan
from .scoring import EvaluationBatch, compile_evaluation, put_evaluation, score, shapes
from .seeds import SEED, make_seed_axis
from .selection import Schedule

TURNS = 3
"""A measurement is made in so many parts; the validation set is evaluated once in each, after a first time."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes, for each device unless said otherwise.

    Attributes:
      state: arguments that stay: parameters, optimiser and batches that travel, as XLA plans them, and the batches of
        the next call beside.
      temporaries: the most that a program needs beside its arguments, outputs included.
      sets: the validation or the test set, whichever is larger.
      kept: the parameters with the best validation metric so far.
      devices: how many hold members.
      process: of the whole process, compiled but before its first update; None where the system doesn't tell.
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
        """Of a device's own memory, or of the machine's where devices share it."""
        return self.device if has_own_memory() else self.device * self.devices + (self.process or 0)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One cell with so many members side by side: what it took, and how much of it was timed."""

    members: int
    rates: Rates
    timed_updates: int
    timed_calls: int
    memory: Memory


@dataclasses.dataclass(frozen=True)
class Found:
    """A training that really ran: its wall time in all, that of the updates alone, and the peak of memory."""

    updates: int
    seconds: float
    train_seconds: float
    memory: int | None
    diverged: int


@dataclasses.dataclass(frozen=True)
class Compiled:
    """All programs of a cell, and how long compiling them took."""

    updates: Updates
    validation: Sequence[EvaluationBatch]
    test: Sequence[EvaluationBatch]
    evaluate: Any
    evaluate_test: Any
    seconds: float
    test_seconds: float
    memory: Memory


def compile_cell(plan: Plan, cell: CellPlan, members: int, sets: Sets) -> Compiled:
    """Compiles what training `members` seeds side by side needs; nothing is updated."""
    started = time.perf_counter()
    updates = compile_updates(plan, cell, _seeds(plan, members), sets)
    validation, test = (put_evaluation(sets[name], plan.task, cell, updates.axis) for name in ("validation", "test"))
    evaluate = compile_evaluation(plan, cell, updates.axis, updates.state, validation[0])
    compiled = time.perf_counter()
    alike = shapes(test[0]) == shapes(validation[0])
    evaluate_test = evaluate if alike else compile_evaluation(plan, cell, updates.axis, updates.state, test[0])
    test_seconds = 0.0 if alike else time.perf_counter() - compiled
    memory = _memory(updates, [updates.program, evaluate, evaluate_test], (validation, test))
    return Compiled(
        updates, validation, test, evaluate, evaluate_test, compiled - started, test_seconds, memory
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """A plan with its data, and how many members to measure side by side."""

    plan: Plan
    sets: Sets
    members: int


def measure(cell: CellPlan, cases: Sequence[Case], seconds: float) -> list[Measured]:
    """Compiles a cell for each case, then evaluates it and times its updates for `seconds`, the cases taking turns.

    Raises:
      UserError: no seed's loss is finite.
    """
    # In turns, so that a machine that is busier for a while is so for all cases, and not for the longer sequences.
    compiled = [compile_cell(case.plan, cell, case.members, case.sets) for case in cases]
    timings = [_Timing(each, case.plan.task) for each, case in zip(compiled, cases, strict=True)]
    for _ in range(TURNS):
        for timing in timings:
            timing.take_turn(seconds / TURNS)
    return [timing.measured(case.members) for timing, case in zip(timings, cases, strict=True)]


class _Timing:
    """One case's measurements so far."""

    def __init__(self, compiled: Compiled, task: Task):
        self._compiled, self._updates, self._task = compiled, compiled.updates, task
        self._calls: list[TimedCall] = []
        self._evaluated: list[float] = []
        self._evaluate(compiled.evaluate, compiled.validation)  # the first pages memory in
        self._tested = self._evaluate(compiled.evaluate_test, compiled.test)
        self._loading = _loading(compiled.updates)

    def take_turn(self, seconds: float) -> None:
        self._evaluated.append(self._evaluate(self._compiled.evaluate, self._compiled.validation))
        calls, self._updates = time_updates(self._updates, seconds)
        self._calls += calls

    def measured(self, members: int) -> Measured:
        compiled, calls = self._compiled, self._calls
        rates = Rates(
            update=spread([call.seconds / call.updates * members for call in calls]),
            loading=self._loading,
            evaluation=spread(self._evaluated),
            test=exactly(self._tested),
            compiling=compiled.seconds,
            compiling_test=compiled.test_seconds,
        )
        return Measured(members, rates, sum(call.updates for call in calls) // members, len(calls), compiled.memory)

    def _evaluate(self, program: Any, batches: Sequence[EvaluationBatch]) -> float:
        started = time.perf_counter()
        score(program, self._updates.axis, self._updates.state, batches, self._task)
        return time.perf_counter() - started


def train_share(plan: Plan, cell: CellPlan, members: int, sets: Sets, schedule: Schedule) -> Found:
    """Trains as a comparison does, by this schedule, and says what it took; nothing is recorded."""
    forget_peak()
    axis = make_seed_axis(_seeds(plan, members), cell.scalars, plan.config.data_parallel)
    started = time.perf_counter()
    trained = train_members(plan, cell, sets, axis, schedule, Hooks(record=lambda kind, **fields: None))
    seconds = time.perf_counter() - started
    diverged = int((trained.evaluations[-1].state["diverged_at"] > 0).sum())
    return Found(schedule.updates, seconds, trained.train_seconds, peak_memory(), diverged)


def _seeds(plan: Plan, members: int) -> range:
    return range(plan.config.first_seed, plan.config.first_seed + members)


def _loading(updates: Updates) -> Interval:
    """For each update the seconds of bringing stored batches to the devices, while nothing else runs."""
    batches, taken = updates.batches, []
    if not batches.layout:
        return exactly(0.0)
    for start in range(0, 4 * batches.steps, batches.steps):
        started = time.perf_counter()
        jax.block_until_ready(batches(start, start + batches.steps))
        taken.append((time.perf_counter() - started) / batches.steps)
    return spread(taken[1:])  # the first draws the order of an epoch, and pages memory in


def _memory(updates: Updates, programs: Sequence[Any], sets: Sequence[Sequence[Any]]) -> Memory:
    """From XLA's plans of the programs, which run one after the other."""
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
