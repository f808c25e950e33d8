"""Measures speed and memory of our layers and of other libraries', on an otherwise idle machine.

    python -m experiments.benchmark --suite=input [--manual_dir=DIR]
    python -m experiments.benchmark --suite=cpu [--cells=gru] [--shapes="0;3;8,50,4,16"] [--systems=ours,linen,torch]
    python -m experiments.benchmark --suite=gpu
    python -m experiments.benchmark --suite=vmap [--sets=4]
    python -m experiments.benchmark --suite=contention
    python -m experiments.benchmark --suite=memory
    python -m experiments.benchmark --suite=startup [--rounds=5]

`input`: the time to make a batch against the time of a training step, for the data of shipped configs.
`cpu`, `gpu`: GRU, LSTM and vanilla RNN layers, forward and training, against flax (linen, nnx), haiku, equinox, keras
and torch, where installed. Each system has its own process, and they take turns. Then our layers at several lengths.
Options of ours can be compared within a run: --systems=ours,ours[backend=autodiff,unroll=2],linen. Without --systems,
`ours` has the default options (on a CPU the native engine, if it is there) and `ours[backend=vjp]` runs by XLA.
`vmap`: several parameter sets side by side against one. `contention`: with a busy process on every core. Both measure
only our layers, on a CPU.
`memory`: a gradient step over 100,000 steps, with and without checkpointing.
`startup`: from the start of a process to `--help` and to the first update, without compilation.
All suites but `input` and `startup` write benchmark.json to --workdir; `cpu` and `gpu` also write figures. --exclusive
discards and repeats rounds in which other processes used the cores, up to 20 times each; a line below the tables counts
them. With --keep_memory each system's process keeps the memory that it frees (by glibc's settings), so that large
arrays cause no page faults for new memory.
"""

import datetime
import os
import shlex
from pathlib import Path

import rich.console
from absl import flags

from experiments.benchmarks import cases, cpu_usage, memory, speed, startup, vmap_contention, worker_process
from experiments.benchmarks.round_robin import Settings, TimingSettings
from experiments.cli.launcher import command, launch
from gru_research.config import UserError
from gru_research.runs.directory import make_new

SUITES = ["input", "cpu", "gpu", "memory", "startup", "vmap", "contention"]
SUITE = flags.DEFINE_enum("suite", "input", SUITES, "what to measure.")
ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "how many rounds each system is timed; in each round the systems take turns.", lower_bound=1
)
SYSTEMS = flags.DEFINE_string(
    "systems", "", "which to measure; ours[option=value] sets UnrollOptions; default: "
    + ",".join((cases.OURS, cases.OURS_BY_XLA, *cases.PEERS))
    + "; --suite=gpu leaves out the second; vmap and contention have the first two alone."
)  # fmt: skip
CELLS = flags.DEFINE_string(
    "cells", "", f"some of {','.join(cases.CELLS)}; default: all of them, with --suite=memory, vmap and contention gru."
)
SHAPES = flags.DEFINE_string(
    "shapes", "", 'as "B,T,D,H;B,T,D,H", where a number alone is one of '
    + "; ".join(f"{i}: {shape}" for i, shape in enumerate(cases.SHAPES))
    + f"; default: these, with --suite=memory {memory.LONG}."
)  # fmt: skip
LENGTHS = flags.DEFINE_string(
    "lengths", None, "cpu, gpu: lengths over which ours is measured; default: "
    + ",".join(map(str, cases.LENGTHS)) + ", none where --shapes is given."
)  # fmt: skip
BUDGET = flags.DEFINE_float(
    "budget", 3.0, "cpu, gpu: seconds of timing per system, for forward and for training each.", lower_bound=0.0
)
EXCLUSIVE = flags.DEFINE_bool(
    "exclusive", False, "discard and repeat rounds in which other processes used the cores: cpu, vmap, contention."
)
KEEP_MEMORY = flags.DEFINE_bool(
    "keep_memory", False, "start every system with "
    + " ".join(f"{name}={value}" for name, value in worker_process.KEEP_MEMORY.items())
    + ": freed memory isn't given back to the system. Linux with glibc."
)  # fmt: skip
SETS = flags.DEFINE_integer("sets", 4, "vmap: how many parameter sets run side by side.", lower_bound=2)
THREADS = flags.DEFINE_integer("threads", 0, "number of cores, shared by all systems; 0: all.", lower_bound=0)
DTYPE = flags.DEFINE_enum("dtype", "float32", cases.DTYPES, "the layers' compute dtype; parameters are float32.")
CHECKPOINTS = flags.DEFINE_string("checkpoints", "0,100,316,1000", "memory: steps between checkpoints, 0 for none.")
LIMIT = flags.DEFINE_integer("limit", 2048, "memory: MiB of resident memory that a step may take.", lower_bound=1)
WORKDIR = flags.DEFINE_string("workdir", "", "where results are written; default: a new directory under runs/.")
DATA_DIR = flags.DEFINE_string("data_dir", "", "where prepared data sets lie; default: TFDS's, ~/tensorflow_datasets.")
MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", "", "folder with a data set's raw files, for machines without a network."
)


def main() -> int:
    if SUITE.value == "input":
        # Imported here: the data pipeline takes seconds to import, and only this suite needs it.
        from experiments.benchmarks import input_pipeline
        from gru_research.data import DataDirs

        return input_pipeline.run(ROUNDS.value, DataDirs(DATA_DIR.value, MANUAL_DIR.value))
    if SUITE.value == "startup":
        return startup.run(ROUNDS.value)
    if EXCLUSIVE.value:
        cpu_usage.check()
    if KEEP_MEMORY.value:
        os.environ.update(worker_process.KEEP_MEMORY)  # for the workers, which read it when they start
    settings = memory_settings() if SUITE.value == "memory" else timing_settings()
    cores = share_cores(THREADS.value)
    workdir = new_workdir(WORKDIR.value, SUITE.value)
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    header = {"command": command(), "cores": cores, "keep_memory": KEEP_MEMORY.value}
    header["time"] = {"started": started}
    console = rich.console.Console()
    print(f"command: {shlex.join(command())}\n{cores} cores; writing to {workdir}", flush=True)
    if isinstance(settings, memory.Settings):
        return memory.run(settings, workdir, header, console)
    suite = speed if settings.suite in ("cpu", "gpu") else vmap_contention
    return suite.run(settings, workdir, header, console)


def timing_settings() -> Settings:
    """Checks and returns the settings of the suites that time layers. Raises UserError."""
    own = SUITE.value in ("vmap", "contention")  # which measure no peers
    by_xla = () if SUITE.value == "gpu" else (cases.OURS_BY_XLA,)
    systems = cases.parse_systems(SYSTEMS.value or ",".join((cases.OURS, *by_xla, *(() if own else cases.PEERS))))
    if own and not all(map(cases.is_ours, systems)):
        raise UserError(f"--systems={SYSTEMS.value!r}: --suite={SUITE.value} measures {cases.OURS} alone")
    return Settings(
        SUITE.value,
        systems,
        cases.parse_names("--cells", CELLS.value or ("gru" if own else ",".join(cases.CELLS)), cases.CELLS),
        cases.parse_shapes(SHAPES.value) if SHAPES.value else cases.SHAPES,
        DTYPE.value,
        TimingSettings(ROUNDS.value, BUDGET.value, EXCLUSIVE.value),
        () if own else _lengths(),
        SETS.value,
    )


def _lengths() -> tuple[int, ...]:
    default = "" if SHAPES.value else ",".join(map(str, cases.LENGTHS))
    lengths = cases.whole_numbers("--lengths", default if LENGTHS.value is None else LENGTHS.value)
    if 0 in lengths:
        raise UserError(f"--lengths={LENGTHS.value!r} must be at least 1")
    return tuple(lengths)


def memory_settings() -> memory.Settings:
    """Checks and returns the settings of --suite=memory. Raises UserError."""
    checkpoints = cases.whole_numbers("--checkpoints", CHECKPOINTS.value)
    if not checkpoints:
        raise UserError("--checkpoints names none: numbers of steps, separated by commas, 0 for none")
    return memory.Settings(
        cases.parse_names("--cells", CELLS.value or "gru", cases.CELLS),
        cases.parse_shapes(SHAPES.value) if SHAPES.value else (memory.LONG,),
        tuple(dict.fromkeys(checkpoints)),
        DTYPE.value,
        LIMIT.value,
        ROUNDS.value,
    )


def share_cores(threads: int) -> int:
    """Restricts this process and its children to the first `threads` cores, or all if 0. Returns their number."""
    if not hasattr(os, "sched_setaffinity"):
        if threads:
            raise UserError(f"--threads={threads}: this system can't choose cores")
        return os.cpu_count() or 1
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise UserError(f"--threads={threads}: there are {len(cores)} cores")
    chosen = cores[:threads] if threads else cores
    os.sched_setaffinity(0, chosen)
    return len(chosen)


def new_workdir(named: str, suite: str) -> Path:
    """Makes the directory for the results. Raises UserError if it holds anything."""
    path = Path(named or f"runs/benchmark-{suite}-{datetime.datetime.now():%Y%m%d-%H%M%S}")
    make_new(path)
    return path


if __name__ == "__main__":
    launch(main)
