"""Speed of the layers against the peers', forward and training, over shapes; and of ours over lengths."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich.console

from experiments.benchmarks import results, tables
from experiments.benchmarks.jobs import MACHINE, MODES, Job, Shape, is_ours, split_system, sweep_shape
from experiments.benchmarks.layers import WAYS
from experiments.benchmarks.progress import Progress
from experiments.benchmarks.results import Result
from experiments.benchmarks.turns import Machine, Timing, measure
from experiments.benchmarks.workers import Worker, WorkerFailedError
from gru_research.config import UserError

TIMED = MODES[:2]
LEGEND = """\
ms: the median over rounds of each round's median call. spread: the rounds' range over their median. ratio: to the
fastest peer's time; below 1 is faster; mean: the geometric mean over shapes. share: of the rate of large matrix
products in the same rounds, counting the layer's matrix products alone: forward 2 B T G H (D + H), training 2 B T G H
(2 D + 3 H), G gates. Training: the mean of the squares of all outputs and its gradient by the parameters, not by the
input. peak: resident memory of the system's process, its libraries and compilation included."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the flags ask for."""

    platform: str
    systems: tuple[str, ...]
    cells: tuple[str, ...]
    shapes: tuple[Shape, ...]
    lengths: tuple[int, ...]
    dtype: str
    layout: str
    timing: Timing

    def jobs(self, systems: Sequence[str], cell: str, shape: Shape) -> list[Job]:
        """Those that take turns: each system in each of its ways."""
        return [
            Job(system, way, cell, shape, self.dtype, self.layout, self.platform)
            for system in systems
            for way in WAYS.get((split_system(system)[0], cell), ("",))
        ]

    def record(self) -> dict[str, Any]:
        return {
            "suite": self.platform,
            "dtype": self.dtype,
            "layout": self.layout,
            **self.timing.record(),
        }


def run(settings: Settings, workdir: Path, header: dict[str, Any], console: rich.console.Console) -> int:
    """Measures, prints a table a shape, writes JSON after each and figures at the end; 1 where ours failed."""
    logs = workdir / "logs"
    logs.mkdir(parents=True)
    own = [system for system in settings.systems if is_ours(system)]
    shaped = [(cell, shape) for cell in settings.cells for shape in settings.shapes]
    swept = [(cell, sweep_shape(length)) for cell in settings.cells for length in settings.lengths] if own else []
    compared: list[Result] = []
    lengths: list[Result] = []
    machine_job = Job(MACHINE, dtype=settings.dtype, platform=settings.platform)
    with contextlib.ExitStack() as stack:
        worker = _start_machine(stack, machine_job, logs)
        with Progress(console, len(shaped) + len(swept)) as progress:
            machine = Machine(worker, settings.platform, settings.dtype, settings.timing.exclusive)

            def save() -> None:
                facts = {"env": worker.about["environment"], "machine": machine.record(), "settings": settings.record()}
                results.write(workdir / results.FILE_NAME, header | facts, [*compared, *lengths])

            for kept, pairs, systems in ((compared, shaped, settings.systems), (lengths, swept, own)):
                for cell, shape in pairs:
                    progress.begin(f"{cell} {shape}")
                    jobs = settings.jobs(systems, cell, shape)
                    found = measure(jobs, TIMED, settings.timing, machine, logs, progress.say)
                    progress.end()
                    kept += found
                    save()
                    if kept is compared:
                        console.print(tables.shape_table(found))
                        for line in tables.notes(found):
                            console.print(line, markup=False)
                        console.print()
            rates = machine.record()["gflops_per_second"]
    _conclude(compared, lengths, workdir, console)
    console.print("matrix products: " + ", ".join(f"{name} {rate:,.1f} GFLOP/s" for name, rate in rates.items()))
    console.print(" ".join(LEGEND.split()), markup=False, highlight=False)
    console.print(f"written to {workdir}", markup=False, soft_wrap=True)
    failed = [result for result in (*compared, *lengths) if is_ours(result.job.system) and result.status == "failed"]
    return 1 if failed else 0


def _start_machine(stack: contextlib.ExitStack, job: Job, logs: Path) -> Worker:
    """The worker for the machine's rate. Raises UserError where a GPU is asked for and jax finds none."""
    try:
        return stack.enter_context(Worker(job, logs / "machine.txt"))
    except WorkerFailedError as e:
        if job.platform == "gpu":
            raise UserError(
                "--suite=gpu finds no GPU that jax can use; the extra cuda12 or cuda13 brings jax's part, and "
                f"{logs / 'machine.txt'} has what it said ({e})"
            ) from e
        raise


def _conclude(
    compared: Sequence[Result], lengths: Sequence[Result], workdir: Path, console: rich.console.Console
) -> None:
    """The tables over all shapes, and the figures; matplotlib is loaded only now."""
    from experiments.benchmarks import figures

    summary = tables.summary_table(compared)
    if summary is not None:
        console.print(summary)
    if lengths:
        console.print(tables.length_table(lengths))
    figures.write(compared, lengths, workdir / "figures")
