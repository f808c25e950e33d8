"""Systems that take turns: a process each, one running at a time, the others waiting for their next round."""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks import machine
from experiments.benchmarks.jobs import Job
from experiments.benchmarks.results import Result, repetitions, round_time
from experiments.benchmarks.workers import Worker, WorkerFailedError

SETTLE_SECONDS = 0.2
"""Between turns: OpenMP's threads go on spinning for a moment, and telling them not to would slow their owner."""
MACHINE_REPETITIONS = 3


@dataclasses.dataclass(frozen=True)
class Timing:
    """`rounds` turns for each system, which together take about `budget` seconds, or one call a turn where longer."""

    rounds: int
    budget: float


class Machine:
    """The worker that measures the machine's own rate, and that rate over the whole run."""

    def __init__(self, worker: Worker, platform: str, dtype: str):
        self._worker = worker
        self._flops = machine.product_flops(platform)
        self.rates: dict[str, list[float]] = {mode: [] for mode in machine.modes(platform, dtype)}
        for mode in self.rates:
            worker.ask(compile=mode)
            worker.ask(check=mode)

    def take_turn(self) -> float:
        """The best library's floating-point operations a second, now."""
        for mode, rates in self.rates.items():
            seconds = self._worker.ask(run=mode, repetitions=MACHINE_REPETITIONS)["seconds"]
            rates.append(self._flops / round_time(seconds))
        return max(rates[-1] for rates in self.rates.values())

    def record(self) -> dict[str, Any]:
        """Median rates, in GFLOP/s, and what they were measured with."""
        medians = {mode: statistics.median(rates) / 1e9 for mode, rates in self.rates.items() if rates}
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
    times: dict[Job, list[float]] = {job: [] for job in made}
    memory: dict[Job, dict[str, Any]] = {}
    rates = []
    for turn in range(timing.rounds):
        if own_machine:
            rates.append(own_machine.take_turn())
        # Every other round goes backwards, so that none always follows the same one.
        for job in list(times)[:: -1 if turn % 2 else 1]:
            say(f"{mode}: {job.system} {job.way}, round {turn + 1} of {timing.rounds}")
            time.sleep(SETTLE_SECONDS)
            try:
                answer = workers[job].ask(run=mode, repetitions=made[job]["repetitions"])
            except WorkerFailedError as e:
                del times[job]
                fail(job, left, e)
                continue
            times[job].append(round_time(answer["seconds"]))
            memory[job] = {name: answer[name] for name in ("peak_bytes", "device_peak_bytes")}
    rate = statistics.median(rates) if rates else None
    return [
        Result(job, mode, round_seconds=tuple(seconds), machine_flops=rate, **made[job], **memory[job])
        for job, seconds in times.items()
    ]


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
        "baseline_bytes": worker.baseline_bytes,
        "about": worker.about,
    }


def _log_name(job: Job) -> str:
    words = (job.system, job.way, job.cell, str(job.shape).replace(",", "x"))
    return "-".join(word for word in words if word).replace("/", "_") + ".txt"
