"""Times ours under `vmap` over parameter sets, and beside busy processes on all cores."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich.console

from experiments.benchmarks import results, tables
from experiments.benchmarks.busy_processes import BusyProcesses
from experiments.benchmarks.cases import MODES, Shape
from experiments.benchmarks.results import Result
from experiments.benchmarks.round_robin import Settings, measure
from experiments.benchmarks.status_line import StatusLine

TIMED = MODES[:2]
LEGENDS = {
    "vmap": """\
`jax.vmap` over parameter sets, with shared inputs. training: each set's mean square of all outputs and its gradient.
times: the time divided by the time of one set; run one after the other, N sets take N times as long.""",
    "contention": """\
alone: on an otherwise idle machine. beside: with a busy process on each core. ratio: the time beside them over the last
system's; below 1 is faster.""",
}


def run(settings: Settings, workdir: Path, header: dict[str, Any], console: rich.console.Console) -> int:
    """Measures, writes JSON after each shape and prints the table; returns 1 if something failed."""
    logs = workdir / "logs"
    logs.mkdir(parents=True)
    shaped = [(cell, shape) for cell in settings.cells for shape in settings.shapes]
    found: list[Result] = []
    with StatusLine(console, len(shaped)) as status:
        for cell, shape in shaped:
            status.begin(f"{cell} {shape}")
            of_suite = _under_vmap if settings.suite == "vmap" else _beside_others
            found += of_suite(settings, cell, shape, logs, status)
            status.end()
            results.write(workdir / results.FILE_NAME, header | {"settings": settings.record()}, found)
    table = tables.vmap_table(found) if settings.suite == "vmap" else tables.contention_table(found)
    tables.show(console, table)
    for line in tables.notes(found):
        console.print(line, markup=False)
    console.print(" ".join(LEGENDS[settings.suite].split()), markup=False, highlight=False)
    console.print(f"written to {workdir}", markup=False, soft_wrap=True)
    return 1 if any(result.status == "failed" for result in found) else 0


def _under_vmap(settings: Settings, cell: str, shape: Shape, logs: Path, status: StatusLine) -> Sequence[Result]:
    cases = [
        settings.case(system, cell, shape, sets=sets) for sets in (1, settings.sets) for system in settings.systems
    ]
    return measure(cases, TIMED, settings.timing, None, logs, status.show)


def _beside_others(settings: Settings, cell: str, shape: Shape, logs: Path, status: StatusLine) -> Sequence[Result]:
    alone = [settings.case(system, cell, shape) for system in settings.systems]
    found = measure(alone, TIMED, settings.timing, None, logs, status.show)
    timing = dataclasses.replace(settings.timing, exclusive=False)  # other processes are wanted here
    with BusyProcesses() as busy:
        beside = [dataclasses.replace(case, busy_processes=len(busy.processes)) for case in alone]
        return [*found, *measure(beside, TIMED, timing, None, logs, status.show)]
