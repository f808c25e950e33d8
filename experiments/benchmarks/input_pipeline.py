"""Compares the time to make a batch with the time of a training step, for the data of shipped configs."""

import runpy
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import rich.console

from experiments.cli.launcher import use_cores
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.tables import Column, tabulate, terminal
from gru_research.tasks import Generated
from gru_research.training import Plan, SeedAxis, make_plan, make_seed_axis
from gru_research.training.batch_maker import BatchMaker, make_batch_maker
from gru_research.training.loop import start
from gru_research.training.loop_state import start_sums
from gru_research.training.seeds import OWN, OWN_BATCHES, SHARED
from gru_research.training.selection import Schedule
from gru_research.training.step import data_stream, generated_batch, run_updates

CONFIGS = (("configs/adding.py", ""), ("configs/smnist.py", "rows"))


def run(rounds: int, dirs: DataDirs) -> int:
    """Prints the table for two seeds side by side."""
    use_cores(2)
    columns = [
        Column("config", lambda name, size, input_ms, train_ms: name, "left"),
        Column("batch", lambda name, size, input_ms, train_ms: str(size)),
        Column("input, ms/batch", lambda name, size, input_ms, train_ms: f"{input_ms:.3f}"),
        Column("input, examples/s", lambda name, size, input_ms, train_ms: f"{1e3 * size / input_ms:,.0f}"),
        Column("training, ms/batch", lambda name, size, input_ms, train_ms: f"{train_ms:.2f}"),
        Column("ratio", lambda name, size, input_ms, train_ms: f"{train_ms / input_ms:.0f}"),
    ]
    rows = []
    for path, variant in CONFIGS:
        values = runpy.run_path(path)["get_config"](*filter(None, [variant])).to_dict()
        plan = make_plan(experiment(values | {"seeds": 2, "only": values["reference"]}))
        name = path + (f":{variant}" if variant else "")
        rows.append((name, plan.config.batch_size, *measure_input(plan, dirs, rounds)))
    table = tabulate(columns, rows, "Input against training (GRU, 2 seeds side by side, medians)")
    rich.console.Console().print(terminal.grid(table, title_justify="center"))
    print("ratio: the time of a training step over the time to make its batch; it should be at least 20.")
    return 0


def measure_input(plan: Plan, dirs: DataDirs, rounds: int) -> tuple[float, float]:
    """Returns milliseconds per batch and seed: of making a batch, and of a training step on a batch made before."""
    (cell,) = plan.cells
    axis = make_seed_axis(plan.seeds, cell.scalars)
    sets = plan.task.data.load(dirs)
    schedule = Schedule("measuring", cell.updates, cell.eval_every, "last", 0)
    maker = make_batch_maker(plan, sets, axis, schedule)
    optimizer, state = start(plan, cell, axis, schedule)
    steps = maker.steps
    batches, until = maker(0, steps), np.int32(steps)
    sums = start_sums(axis)
    # Nothing is donated, so that every round starts from the same state and sums.
    train = partial(run_updates, cell.model, optimizer, plan.task, plan.config.batch_size, axis.mesh_axis)
    program = axis.shard_over_seeds(train, OWN, OWN, OWN_BATCHES, SHARED).lower(state, sums, batches, until).compile()
    data = plan.task.data
    make = _generator(plan, data, axis, steps) if isinstance(data, Generated) else partial(_read, maker)
    times: dict[str, list[float]] = {"input": [], "train": []}
    for i in range(rounds + 1):  # the first round warms up
        for name, run in (
            ("input", lambda i=i: make(i * steps)),
            ("train", lambda: program(state, sums, batches, until)),
        ):
            times[name].append(_seconds(run))
    per_batch = 1e3 / (steps * len(plan.seeds))
    return statistics.median(times["input"][1:]) * per_batch, statistics.median(times["train"][1:]) * per_batch


def _read(maker: BatchMaker, start: int) -> Any:
    return maker(start, start + maker.steps)


def _generator(plan: Plan, data: Generated, axis: SeedAxis, steps: int) -> Callable[[int], Any]:
    """Returns a program that makes `steps` batches of every seed and sums them, so that XLA removes nothing."""

    def generate(seed: jax.Array, start: jax.Array) -> jax.Array:
        def add(step: jax.Array, total: jax.Array) -> jax.Array:
            batch = generated_batch(data, data_stream(seed), step, plan.config.batch_size)
            return total + sum(a.sum() for a in batch.values())

        return jax.lax.fori_loop(start, start + steps, add, jnp.zeros(()))

    seeds = axis.put(np.asarray(axis.fill(axis.seeds, axis.seeds[0]), np.uint32))
    program = axis.shard_over_seeds(generate, OWN, SHARED).lower(seeds, np.int32(0)).compile()
    return lambda start: program(seeds, np.int32(start))


def _seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - started
