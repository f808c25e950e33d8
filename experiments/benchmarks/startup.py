"""Times the start of a process: the seconds until `--help` ends, or until the first update is done."""

import dataclasses
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import rich.console

from gru_research.config import UserError
from gru_research.tables import Column, tabulate, terminal

ROOT = Path(__file__).parents[2]
FIRST_UPDATE = r"\[ *\d+%\] \S+ 1/1 "
"""The progress line after the only update of a cell."""
UPDATE = ("--config=configs/adding.py", "--config.updates=1", "--config.eval_every=1", "--config.only=gru")


@dataclasses.dataclass(frozen=True)
class StartupCommand:
    """A command, and the pattern of the output line at which timing stops; None: at its end."""

    arguments: tuple[str, ...]
    until: str | None = None


COMMANDS = {
    "import gru_research": StartupCommand(("-c", "import gru_research")),
    "compare --help": StartupCommand(("-m", "experiments.compare", "--help")),
    "compare, first update": StartupCommand(("-m", "experiments.compare", *UPDATE), FIRST_UPDATE),
}
COMPILING = "compare, first update"


@dataclasses.dataclass(frozen=True)
class StartupTime:
    """Seconds of wall time, and of CPU time on all cores."""

    wall: float
    cpu: float


def run(rounds: int) -> int:
    """Times each command `rounds` times and prints the minimum."""
    with tempfile.TemporaryDirectory() as folder:
        cache = {
            "JAX_COMPILATION_CACHE_DIR": f"{folder}/cache",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        compiled = measure(COMMANDS[COMPILING], Path(folder) / "first", cache)  # fills the cache, and the disk's
        least = {}
        for name, start in COMMANDS.items():
            taken = [measure(start, Path(folder) / f"{name} {i}", cache) for i in range(rounds)]
            least[name] = StartupTime(min(t.wall for t in taken), min(t.cpu for t in taken))
    columns = [
        Column("", lambda name, taken: name, "left"),
        Column("wall", lambda name, taken: f"{taken.wall:.2f}"),
        Column("cpu", lambda name, taken: f"{taken.cpu:.2f}"),
    ]
    times = {**least, "the same, compiling, once": compiled}
    table = tabulate(columns, times.items(), f"Start-up, seconds, the minimum of {rounds}")
    rich.console.Console().print(terminal.grid(table, title_justify="center"))
    print("compare takes its programs from jax's compilation cache, except in the last line.")
    return 0


def measure(start: StartupCommand, workdir: Path, environment: Mapping[str, str]) -> StartupTime:
    """Runs a command until its line appears, or to its end. Raises UserError if it fails or ends before the line."""
    arguments = [*start.arguments, *([f"--workdir={workdir}"] if start.until else [])]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT, env=os.environ | dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        lines = iter(process.stdout)
        seen = any(start.until and re.match(start.until, line) for line in lines)
        if seen:
            process.kill()  # the rest isn't start-up
        else:
            process.wait()
        wall = time.perf_counter() - started
        status, errors = process.wait(), process.stderr.read()
    if not seen and (start.until or status):
        raise UserError(f"{' '.join(arguments)} ended with {status}: {errors}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return StartupTime(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
