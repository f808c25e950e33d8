"""Times our layers against the peers', forward and training, over shapes; and ours over lengths."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich.console

from experiments.benchmarks import results, tables
from experiments.benchmarks.cases import MACHINE, MODES, BenchmarkCase, is_ours, shape_of_length, split_system
from experiments.benchmarks.layers import VARIANTS
from experiments.benchmarks.results import Result
from experiments.benchmarks.round_robin import MatmulRate, Settings, measure
from experiments.benchmarks.status_line import StatusLine
from experiments.benchmarks.worker_process import WorkerFailedError, WorkerProcess
from gru_research.config import UserError

TIMED = MODES[:2]
LEGEND = """\
ms: the median over rounds of each round's median call. spread: the rounds' range over their median. ratio: time over
the fastest peer's; below 1 is faster. mean: the geometric mean over shapes. share: the layer's rate over the rate of
large matrix products in the same rounds; only matrix products count, forward 2 B T G H (D + H), training 2 B T G H
(2 D + 3 H), with G gates. Training: the mean square of all outputs and its gradient with respect to the parameters, not
the input. peak: peak resident memory of the system's process, libraries and compilation included."""


def run(settings: Settings, workdir: Path, header: dict[str, Any], console: rich.console.Console) -> int:
    """Measures; prints a table and writes JSON after each shape, and figures at the end. Returns 1 if ours failed."""
    logs = workdir / "logs"
    logs.mkdir(parents=True)
    own = [system for system in settings.systems if is_ours(system)]
    shaped = [(cell, shape) for cell in settings.cells for shape in settings.shapes]
    swept = [(cell, shape_of_length(length)) for cell in settings.cells for length in settings.lengths] if own else []
    compared: list[Result] = []
    lengths: list[Result] = []
    machine_job = BenchmarkCase(MACHINE, dtype=settings.dtype, platform=settings.suite)
    with contextlib.ExitStack() as stack:
        worker = _start_machine(stack, machine_job, logs)
        with StatusLine(console, len(shaped) + len(swept)) as status:
            machine = MatmulRate(worker, settings.suite, settings.dtype, settings.timing.exclusive)

            def save() -> None:
                facts = {"env": worker.about["environment"], "machine": machine.record(), "settings": settings.record()}
                results.write(workdir / results.FILE_NAME, header | facts, [*compared, *lengths])

            for kept, pairs, systems in ((compared, shaped, settings.systems), (lengths, swept, own)):
                for cell, shape in pairs:
                    status.begin(f"{cell} {shape}")
                    cases = [
                        settings.case(system, cell, shape, variant=variant, platform=settings.suite)
                        for system in systems
                        for variant in VARIANTS.get((split_system(system)[0], cell), ("",))
                    ]
                    found = measure(cases, TIMED, settings.timing, machine, logs, status.show)
                    status.end()
                    kept += found
                    save()
                    if kept is compared:
                        tables.show(console, tables.shape_table(found))
                        for line in tables.notes(found):
                            console.print(line, markup=False)
                        console.print()
            rates = machine.record()["gflops_per_second"]
    _conclude(compared, lengths, workdir, console)
    console.print("matrix products: " + ", ".join(f"{name} {rate:,.1f} GFLOP/s" for name, rate in rates.items()))
    console.print(" ".join(LEGEND.split()), markup=False, highlight=False)
    console.print(f"written to {workdir}", markup=False, soft_wrap=True)
    failed = [result for result in (*compared, *lengths) if is_ours(result.case.system) and result.status == "failed"]
    return 1 if failed else 0


def _start_machine(stack: contextlib.ExitStack, case: BenchmarkCase, logs: Path) -> WorkerProcess:
    """Starts the worker that measures matrix products. Raises UserError if a GPU is asked for and jax finds none."""
    try:
        return stack.enter_context(WorkerProcess(case, logs / "machine.txt"))
    except WorkerFailedError as e:
        if case.platform == "gpu":
            raise UserError(
                "--suite=gpu finds no GPU that jax can use; the extra cuda12 or cuda13 installs jax's part, and "
                f"{logs / 'machine.txt'} has its output ({e})"
            ) from e
        raise


def _conclude(
    compared: Sequence[Result], lengths: Sequence[Result], workdir: Path, console: rich.console.Console
) -> None:
    """Prints the tables over all shapes and draws the figures; matplotlib is imported only now."""
    from experiments.benchmarks import figures

    summary = tables.summary_table(compared)
    if summary is not None:
        tables.show(console, summary)
    if lengths:
        tables.show(console, tables.length_table(lengths))
    figures.write(compared, lengths, workdir / "figures")
