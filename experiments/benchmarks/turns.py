"""Systems that take turns: a process each, one running at a time, the others waiting for their next round."""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks import machine, quiet
from experiments.benchmarks.jobs import Job
from experiments.benchmarks.results import Result, repetitions, round_time
from experiments.benchmarks.workers import Worker, WorkerFailedError

SETTLE_SECONDS = 0.2
"""Between turns: OpenMP's threads go on spinning for a moment, and telling them not to would slow their owner."""
MACHINE_REPETITIONS = 3
MOST_REPEATS = 20
"""Of a turn that others disturbed; then it counts as it is, and is reported."""
PAUSE_SECONDS = 1.0
"""Before a turn is repeated: what disturbed it may be over."""


@dataclasses.dataclass(frozen=True)
class Timing:
    """`rounds` turns for each system, which together take about `budget` seconds, or one call a turn where longer.

    `exclusive`: a turn in which other processes took the cores is thrown away and repeated.
    """

    rounds: int
    budget: float
    exclusive: bool = False

    def record(self) -> dict[str, Any]:
        return {"rounds": self.rounds, "budget_seconds": self.budget, "exclusive": self.exclusive}


@dataclasses.dataclass
class Turns:
    """What a system's turns gave so far: seconds of each that counts, and how many were thrown away or disturbed."""

    exclusive: bool
    seconds: list[float] = dataclasses.field(default_factory=list)
    thrown: int = 0
    disturbed: int = 0

    def take(self, worker: Worker, mode: str, repetitions: int) -> dict[str, Any]:
        """One turn, repeated while others take the cores, but not for ever. Returns the worker's last answer."""
        for repeats in range(MOST_REPEATS + 1):
            time.sleep(SETTLE_SECONDS)
            before = quiet.read([worker.pid]) if self.exclusive else None
            answer = worker.ask(run=mode, repetitions=repetitions)
            if before is None or not quiet.disturbed(before, quiet.read([worker.pid])):
                break
            if repeats == MOST_REPEATS:
                self.disturbed += 1
                break
            self.thrown += 1
            time.sleep(PAUSE_SECONDS)
        self.seconds.append(round_time(answer["seconds"]))
        return answer


class Machine:
    """The worker that measures the machine's own rate, and that rate over the whole run."""

    def __init__(self, worker: Worker, platform: str, dtype: str, exclusive: bool = False):
        self._worker = worker
        self._flops = machine.product_flops(platform)
        self._turns = {mode: Turns(exclusive) for mode in machine.modes(platform, dtype)}
        for mode in self._turns:
            worker.ask(compile=mode)
            worker.ask(check=mode)

    def take_turn(self) -> float:
        """The best library's floating-point operations a second, now."""
        for mode, turns in self._turns.items():
            turns.take(self._worker, mode, MACHINE_REPETITIONS)
        return max(self._flops / turns.seconds[-1] for turns in self._turns.values())

    def record(self) -> dict[str, Any]:
        """Median rates, in GFLOP/s, and what they were measured with."""
        medians = {
            mode: statistics.median(self._flops / seconds for seconds in turns.seconds) / 1e9
            for mode, turns in self._turns.items()
            if turns.seconds
        }
        return {"flops_a_product": self._flops, "gflops_per_second": medians}


def measure(
    jobs: Sequence[Job],
    modes: Sequence[str],
    timing: Timing,
    own_machine: Machine | None,
    logs: Path,
    say: Callable[[str], None],
) -> list[Result]:
    """Every job in every mode; the jobs take turns within a mode. A job that fails is a result with its reason."""
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        workers: dict[Job, Worker] = {}

        def fail(job: Job, left: Sequence[str], error: WorkerFailedError) -> None:
            workers.pop(job, None)
            results.extend(Result(job, mode, error.status, error.reason) for mode in left)

        for job in jobs:
            say(f"{job.system} {job.way} starts")
            try:
                workers[job] = stack.enter_context(Worker(job, logs / _log_name(job)))
            except WorkerFailedError as e:
                fail(job, modes, e)
        for i, mode in enumerate(modes):
            results += _measure_mode(workers, mode, modes[i:], timing, own_machine, say, fail)
    order = {(job, mode): i for i, (job, mode) in enumerate((job, mode) for job in jobs for mode in modes)}
    return sorted(results, key=lambda result: order[result.job, result.mode])


def _measure_mode(
    workers: dict[Job, Worker],
    mode: str,
    left: Sequence[str],
    timing: Timing,
    own_machine: Machine | None,
    say: Callable[[str], None],
    fail: Callable[[Job, Sequence[str], WorkerFailedError], None],
) -> list[Result]:
    """Compiles `mode` for each worker, one after the other, then goes round them."""
    made: dict[Job, dict[str, Any]] = {}
    for job, worker in list(workers.items()):
        say(f"{mode}: {job.system} {job.way} compiles")
        try:
            made[job] = _prepare(worker, mode, timing)
        except WorkerFailedError as e:
            fail(job, left, e)
    times: dict[Job, Turns] = {job: Turns(timing.exclusive) for job in made}
    memory: dict[Job, dict[str, Any]] = {}
    rates = []
    for turn in range(timing.rounds):
        if own_machine:
            rates.append(own_machine.take_turn())
        # Every other round goes backwards, so that none always follows the same one.
        for job in list(times)[:: -1 if turn % 2 else 1]:
            say(f"{mode}: {job.system} {job.way}, round {turn + 1} of {timing.rounds}")
            try:
                answer = times[job].take(workers[job], mode, made[job]["repetitions"])
            except WorkerFailedError as e:
                del times[job]
                fail(job, left, e)
                continue
            memory[job] = {name: answer[name] for name in ("peak_bytes", "device_peak_bytes")}
    rate = statistics.median(rates) if rates else None
    return [
        Result(
            job, mode, round_seconds=tuple(turns.seconds), machine_flops=rate, thrown=turns.thrown,
            disturbed=turns.disturbed, **made[job], **memory[job],
        )
        for job, turns in times.items()
    ]  # fmt: skip


def _prepare(worker: Worker, mode: str, timing: Timing) -> dict[str, Any]:
    """Compiles and checks; the check's call warms up, the calls after it say how many a round can hold."""
    compiled = worker.ask(compile=mode)
    call = worker.ask(check=mode)["seconds"]
    if call < timing.budget / timing.rounds:
        call = min(worker.ask(run=mode, repetitions=3)["seconds"])
    return {
        "compile_seconds": compiled["seconds"],
        "planned_bytes": compiled["planned_bytes"],
        "repetitions": repetitions(call, timing.budget, timing.rounds),
        "engine": compiled["engine"],
        "baseline_bytes": worker.baseline_bytes,
        "about": worker.about,
    }


def _log_name(job: Job) -> str:
    words = (job.system, job.way, job.cell, str(job.shape).replace(",", "x"))
    words += (f"{job.sets} sets" if job.sets > 1 else "", "beside others" if job.spinning else "")
    return "-".join(word for word in words if word).replace("/", "_") + ".txt"
