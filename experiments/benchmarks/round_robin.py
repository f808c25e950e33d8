"""Times systems round-robin: each has a process, one runs at a time, and the others wait for their turn."""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks import cpu_usage, matmul_rate
from experiments.benchmarks.cases import BenchmarkCase, Shape
from experiments.benchmarks.results import Result, repetitions, round_time
from experiments.benchmarks.worker_process import WorkerFailedError, WorkerProcess

SETTLE_SECONDS = 0.2
"""Pause between turns: OpenMP's threads keep spinning for a moment, and forbidding that would slow their owner."""
MACHINE_REPETITIONS = 3
MOST_REPEATS = 20
"""Repeats of a turn that others disturbed; after that it counts, and is reported as disturbed."""
PAUSE_SECONDS = 1.0
"""Pause before a turn is repeated, as the disturbance may be over then."""


@dataclasses.dataclass(frozen=True)
class TimingSettings:
    """Each system has `rounds` turns, which take about `budget` seconds in all, but at least one call each.

    `exclusive`: a turn in which other processes used the cores is discarded and repeated.
    """

    rounds: int
    budget: float
    exclusive: bool = False

    def record(self) -> dict[str, Any]:
        return {"rounds": self.rounds, "budget_seconds": self.budget, "exclusive": self.exclusive}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The flags' values for the suites that time layers: `lengths` for "cpu" and "gpu", `sets` for "vmap"."""

    suite: str
    systems: tuple[str, ...]
    cells: tuple[str, ...]
    shapes: tuple[Shape, ...]
    dtype: str
    timing: TimingSettings
    lengths: tuple[int, ...] = ()
    sets: int = 1

    def case(self, system: str, cell: str, shape: Shape, **fields: Any) -> BenchmarkCase:
        return BenchmarkCase(system, cell=cell, shape=shape, dtype=self.dtype, **fields)

    def record(self) -> dict[str, Any]:
        return {"suite": self.suite, "dtype": self.dtype, "sets": self.sets, **self.timing.record()}


@dataclasses.dataclass
class RoundTimes:
    """A system's turns so far: the seconds of counted turns, and the numbers of discarded and disturbed ones."""

    exclusive: bool
    seconds: list[float] = dataclasses.field(default_factory=list)
    discarded: int = 0
    disturbed: int = 0

    def take(self, worker: WorkerProcess, mode: str, repetitions: int) -> dict[str, Any]:
        """Times a turn, up to MOST_REPEATS times again while others use the cores; returns the worker's last answer."""
        for repeats in range(MOST_REPEATS + 1):
            time.sleep(SETTLE_SECONDS)
            before = cpu_usage.read([worker.pid]) if self.exclusive else None
            answer = worker.ask(run=mode, repetitions=repetitions)
            if before is None or not cpu_usage.disturbed(before, cpu_usage.read([worker.pid])):
                break
            if repeats == MOST_REPEATS:
                self.disturbed += 1
                break
            self.discarded += 1
            time.sleep(PAUSE_SECONDS)
        self.seconds.append(round_time(answer["seconds"]))
        return answer


class MatmulRate:
    """Measures the machine's rate of matrix products throughout the run, by a worker of its own."""

    def __init__(self, worker: WorkerProcess, platform: str, dtype: str, exclusive: bool = False):
        self._worker = worker
        self._flops = matmul_rate.product_flops(platform)
        self._turns = {mode: RoundTimes(exclusive) for mode in matmul_rate.modes(platform, dtype)}
        for mode in self._turns:
            worker.ask(compile=mode)
            worker.ask(check=mode)

    def measure_round(self) -> float:
        """Measures and returns the best library's current floating-point operations per second."""
        for mode, turns in self._turns.items():
            turns.take(self._worker, mode, MACHINE_REPETITIONS)
        return max(self._flops / turns.seconds[-1] for turns in self._turns.values())

    def record(self) -> dict[str, Any]:
        """Returns the median rates in GFLOP/s and the size of the products."""
        medians = {
            mode: statistics.median(self._flops / seconds for seconds in turns.seconds) / 1e9
            for mode, turns in self._turns.items()
            if turns.seconds
        }
        return {"flops_a_product": self._flops, "gflops_per_second": medians}


def measure(
    cases: Sequence[BenchmarkCase],
    modes: Sequence[str],
    timing: TimingSettings,
    matmul_rate: MatmulRate | None,
    logs: Path,
    show: Callable[[str], None],
) -> list[Result]:
    """Times every case in every mode; within a mode the cases take turns. A failed case is a result with its reason."""
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        workers: dict[BenchmarkCase, WorkerProcess] = {}

        def fail(case: BenchmarkCase, left: Sequence[str], error: WorkerFailedError) -> None:
            workers.pop(case, None)
            results.extend(Result(case, mode, error.status, error.reason) for mode in left)

        for case in cases:
            show(f"{case.system} {case.variant} starts")
            try:
                workers[case] = stack.enter_context(WorkerProcess(case, logs / _log_name(case)))
            except WorkerFailedError as e:
                fail(case, modes, e)
        for i, mode in enumerate(modes):
            results += _measure_mode(workers, mode, modes[i:], timing, matmul_rate, show, fail)
    order = {(case, mode): i for i, (case, mode) in enumerate((case, mode) for case in cases for mode in modes)}
    return sorted(results, key=lambda result: order[result.case, result.mode])


def _measure_mode(
    workers: dict[BenchmarkCase, WorkerProcess],
    mode: str,
    left: Sequence[str],
    timing: TimingSettings,
    matmul_rate: MatmulRate | None,
    show: Callable[[str], None],
    fail: Callable[[BenchmarkCase, Sequence[str], WorkerFailedError], None],
) -> list[Result]:
    """Compiles `mode` for each worker, one after the other, then times them round-robin."""
    made: dict[BenchmarkCase, dict[str, Any]] = {}
    for case, worker in list(workers.items()):
        show(f"{mode}: {case.system} {case.variant} compiles")
        try:
            made[case] = _prepare(worker, mode, timing)
        except WorkerFailedError as e:
            fail(case, left, e)
    times: dict[BenchmarkCase, RoundTimes] = {case: RoundTimes(timing.exclusive) for case in made}
    memory: dict[BenchmarkCase, dict[str, Any]] = {}
    rates = []
    for turn in range(timing.rounds):
        if matmul_rate:
            rates.append(matmul_rate.measure_round())
        # Every other round is in reverse, so that no system always follows the same one.
        for case in list(times)[:: -1 if turn % 2 else 1]:
            show(f"{mode}: {case.system} {case.variant}, round {turn + 1} of {timing.rounds}")
            try:
                answer = times[case].take(workers[case], mode, made[case]["repetitions"])
            except WorkerFailedError as e:
                del times[case]
                fail(case, left, e)
                continue
            memory[case] = {name: answer[name] for name in ("peak_bytes", "device_peak_bytes")}
    rate = statistics.median(rates) if rates else None
    return [
        Result(
            case, mode, round_seconds=tuple(turns.seconds), machine_flops=rate, discarded=turns.discarded,
            disturbed=turns.disturbed, **made[case], **memory[case],
        )
        for case, turns in times.items()
    ]  # fmt: skip


def _prepare(worker: WorkerProcess, mode: str, timing: TimingSettings) -> dict[str, Any]:
    """Compiles and checks `mode`. The check warms up; the calls after it determine the calls per round."""
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


def _log_name(case: BenchmarkCase) -> str:
    words = (case.system, case.variant, case.cell, str(case.shape).replace(",", "x"))
    words += (f"{case.sets} sets" if case.sets > 1 else "", "beside others" if case.busy_processes else "")
    return "-".join(word for word in words if word).replace("/", "_") + ".txt"
