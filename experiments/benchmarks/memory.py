"""Memory of one gradient step over a very long sequence, with the loss on the last output and no others stored.

Each number of steps between checkpoints has a process of its own. The compiler's memory plan is known before anything
runs: a step whose plan exceeds the limit isn't run, and one of a tenth of its length is run in its place.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rich.console

from experiments.benchmarks import results, tables
from experiments.benchmarks.cases import OURS, BenchmarkCase, Shape
from experiments.benchmarks.results import MIB, Result
from experiments.benchmarks.status_line import StatusLine
from experiments.benchmarks.worker_process import WorkerFailedError, WorkerProcess

LONG = Shape(8, 100_000, 2, 128)
SHORTER = 10
MODE = "last"
LEGEND = """\
UnrollOptions(outputs="none", checkpoint=N), each in its own process. planned: temporary memory in the
compiler's plan. peak: peak resident memory of the process, libraries and compilation included. before: resident memory
with libraries loaded and inputs made. s: median seconds of the calls after the first."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The flags' values: `checkpoints` in steps (0 for none), `limit` in MiB of resident memory."""

    cells: tuple[str, ...]
    shapes: tuple[Shape, ...]
    checkpoints: tuple[int, ...]
    dtype: str
    limit: int
    rounds: int

    def record(self) -> dict[str, Any]:
        return {"suite": "memory", "dtype": self.dtype, "limit_mib": self.limit, "rounds": self.rounds}


def run(settings: Settings, workdir: Path, header: dict[str, Any], console: rich.console.Console) -> int:
    """Measures, prints the table and writes JSON; returns 1 if a step failed."""
    logs = workdir / "logs"
    logs.mkdir(parents=True)
    cases = [
        BenchmarkCase(f"{OURS}[checkpoint={steps}]", cell=cell, shape=shape, dtype=settings.dtype)
        for cell in settings.cells
        for shape in settings.shapes
        for steps in settings.checkpoints
    ]
    found: list[Result] = []
    with StatusLine(console, len(cases)) as status:
        for case in cases:
            status.begin(f"{case.system} {case.cell} {case.shape}")
            found += measure(case, settings, logs, status.show)
            status.end()
            results.write(workdir / results.FILE_NAME, header | {"settings": settings.record()}, found)
    tables.show(console, tables.memory_table(found))
    for result in found:
        if result.reason:
            console.print(f"{result.case.system} {result.case.shape}: {result.status}: {result.reason}", markup=False)
    for result in found:
        if result.peak_bytes is not None and result.peak_bytes > settings.limit * MIB:
            console.print(
                f"{result.case.system} {result.case.shape}: over the limit of {settings.limit:,} MiB", markup=False
            )
    console.print(" ".join(LEGEND.split()), markup=False, highlight=False)
    console.print(f"written to {workdir}", markup=False, soft_wrap=True)
    return 1 if any(result.status == "failed" for result in found) else 0


def measure(case: BenchmarkCase, settings: Settings, logs: Path, show: Callable[[str], None]) -> Sequence[Result]:
    """Returns the case's result. If its plan exceeds the limit, the result of a tenth of its length follows."""
    name = f"{case.system}-{case.cell}-{str(case.shape).replace(',', 'x')}.txt"
    try:
        with WorkerProcess(case, logs / name) as worker:
            show("compiles")
            compiled = worker.ask(compile=MODE)
            known: dict[str, Any] = {
                "compile_seconds": compiled["seconds"],
                "planned_bytes": compiled["planned_bytes"],
                "engine": compiled["engine"],
                "baseline_bytes": worker.baseline_bytes,
                "about": worker.about,
            }
            if (known["planned_bytes"] or 0) + worker.baseline_bytes <= settings.limit * MIB:
                show("runs")
                worker.ask(check=MODE)
                answer = worker.ask(run=MODE, repetitions=settings.rounds)
                peaks = {field: answer[field] for field in ("peak_bytes", "device_peak_bytes")}
                return [Result(case, MODE, round_seconds=tuple(answer["seconds"]), repetitions=1, **known, **peaks)]
    except WorkerFailedError as e:
        return [Result(case, MODE, e.status, e.reason)]
    refused = Result(case, MODE, "not run", f"its plan exceeds the limit of {settings.limit:,} MiB", **known)
    shape = case.shape
    if shape.time < SHORTER:
        return [refused]
    shorter = dataclasses.replace(shape, time=shape.time // SHORTER)
    return [refused, *measure(dataclasses.replace(case, shape=shorter), settings, logs, show)]
