"""Measures update times: `seconds` determines numbers of updates, and `match="time"` determines hidden sizes.

Both are measured once and written to the run's config, so that the run can be repeated without measuring.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np

from gru_research.config import CellConfig, ExperimentConfig, UserError
from gru_research.data import DataDirs
from gru_research.plural import several

from . import processes
from .batch_maker import BatchMaker, Sets, make_batch_maker
from .build import size_unit
from .loop import start
from .loop_state import start_sums
from .plan import CellPlan, Plan, make_plan
from .program_cache import lower_training
from .seeds import SeedAxis, make_seed_axis
from .selection import Schedule
from .sizes import nearest_size
from .state import TrainState
from .step import Sums

MEASURED_SECONDS = 3.0
"""The time for which a cell's updates are timed, without compilation and the first call, in seconds."""
TIMED_CALLS = 10
"""The approximate number of calls in that time."""
SIZE_STEP = 4
"""Hidden sizes matched by time are multiples of this: finer differences are below the noise."""


def needs_measurement(config: ExperimentConfig) -> bool:
    """Whether the config has hidden sizes or numbers of updates that must be measured."""
    selected = [cell for cell in config.cells if cell.label in config.selected_labels]
    return config.match == "time" or (config.seconds > 0 and any(cell.updates is None for cell in selected))


def resolve_measured(
    config: ExperimentConfig, dirs: DataDirs, sets: Sets, say: Callable[[str], None] = lambda line: None
) -> ExperimentConfig:
    """Measures hidden sizes and numbers of updates, and returns the config with them filled in.

    Raises:
      UserError: `seconds` are too few for tuning and one update.
    """
    if config.match == "time":
        config = _with_sizes(config, dirs, sets, say)
    if not config.seconds:
        return config
    plan = make_plan(config, dirs)
    for cell in plan.cells:
        if next(c for c in config.cells if c.label == cell.label).updates is None:
            seconds = seconds_per_update(plan, cell, sets)
            updates = affordable_updates(config, cell.label, seconds)
            say(f"{cell.label}: {1e3 * seconds:.3g} ms an update and seed, {updates:,} updates in {config.seconds:g} s")
            config = _changed(config, cell.label, updates=updates)
    return config


def affordable_updates(config: ExperimentConfig, label: str, seconds: float) -> int:
    """Returns how many updates of `seconds` per seed fit in `config.seconds`, rounded down to three digits."""
    tune = config.tune
    tuned = tune.draws * tune.seeds
    if tune.updates:
        updates = (config.seconds - tuned * tune.updates * seconds) / (config.seeds * seconds)
    else:
        updates = config.seconds / ((config.seeds + tuned) * seconds)
    if updates < 1:
        raise UserError(
            f"config.seconds={config.seconds!r} must be more: {label} takes {seconds:.3g} s an update and seed, for "
            f"{several(config.seeds, 'seed')}" + (f" and {tuned} of tuning" if tuned else "")
        )
    digits = 10 ** max(0, math.floor(math.log10(updates)) - 2)
    return int(updates // digits * digits)


def seconds_per_update(plan: Plan, cell: CellPlan, sets: Sets) -> float:
    """Measures the wall time of compiled training per update and seed, with all seeds side by side.

    Raises:
      UserError: no seed's loss is finite.
    """
    timed, _ = time_updates(compile_updates(plan, cell, plan.seeds, sets), MEASURED_SECONDS)
    # The fastest call is the least disturbed by other work on the machine.
    return min(call.seconds / call.updates for call in timed)


@dataclasses.dataclass(frozen=True)
class TimedCall:
    """One call of the training program: its wall time, and its updates, summed over all members."""

    seconds: float
    updates: int


@dataclasses.dataclass(frozen=True)
class Updates:
    """A cell's compiled updates, ready to be timed; `step` of them are done."""

    label: str
    axis: SeedAxis
    state: TrainState
    sums: Sums
    batches: BatchMaker
    program: Callable[..., tuple[TrainState, Sums]]
    step: int = 0


def compile_updates(plan: Plan, cell: CellPlan, seeds: Sequence[int], sets: Sets) -> Updates:
    """Compiles the updates of all `seeds` side by side, with a learning rate of 0."""
    # A diverged seed makes no updates and takes no time, so the parameters must not change.
    axis = make_seed_axis(seeds, {**cell.scalars, "learning_rate": 0.0}, plan.config.data_parallel)
    schedule = Schedule("measuring", 2**30, 2**30, "last", 0)
    optimizer, state = start(plan, cell, axis, schedule)
    batches = make_batch_maker(plan, sets, axis, schedule)
    sums = start_sums(axis)
    program = lower_training(plan, cell, axis, optimizer, state, sums, batches).compile()
    return Updates(cell.label, axis, state, sums, batches, program)


def time_updates(compiled: Updates, seconds: float) -> tuple[list[TimedCall], Updates]:
    """Times calls for `seconds` in total, after a first one. Returns them and the updates to time next. Donates
    `compiled`.

    Raises:
      UserError: no seed's loss is finite.
    """
    state, sums, maker = compiled.state, compiled.sums, compiled.batches
    total = int(compiled.axis.gather(sums.updates).sum())
    step, calls = compiled.step, 1
    timed: list[TimedCall] = []
    while sum(call.seconds for call in timed) < seconds:
        until = step + min(calls, maker.steps)
        batches = maker(step, until)
        before = time.perf_counter()
        state, sums = jax.block_until_ready(compiled.program(state, sums, batches, np.int32(until)))
        taken = processes.seconds_of_first(time.perf_counter() - before)
        before_call, total = total, int(compiled.axis.gather(sums.updates).sum())
        made = total - before_call
        if not made:
            raise UserError(f"config.cells.{compiled.label}: an update can't be timed, as no seed's loss is finite")
        long_enough = taken > seconds / TIMED_CALLS or until - step == maker.steps
        if step and long_enough:  # the first call touches memory for the first time
            timed.append(TimedCall(taken, made))
        elif not long_enough:
            calls *= 2
        step = until
    return timed, dataclasses.replace(compiled, state=state, sums=sums, step=step)


def _with_sizes(config: ExperimentConfig, dirs: DataDirs, sets: Sets, say: Callable[[str], None]) -> ExperimentConfig:
    """Gives each cell the hidden size whose update takes about as long as the reference's."""
    reference = next(cell for cell in config.cells if cell.label == config.reference)

    def seconds(label: str, size: int) -> float:
        sized = _complete(_changed(config, label, hidden_size=size), size)
        plan = make_plan(dataclasses.replace(sized, match="none", reference=label, only=label), dirs)
        return seconds_per_update(plan, plan.cells[0], sets)

    assert reference.hidden_size
    wanted = seconds(reference.label, reference.hidden_size)
    say(f"{reference.label}: {reference.hidden_size} units, {1e3 * wanted:.3g} ms an update and seed")
    for cell in config.cells:
        if cell.label != reference.label and cell.label in config.selected_labels:
            size, found = nearest_in_time(lambda n, cell=cell: seconds(cell.label, n), wanted, _step(cell))
            say(f"{cell.label}: {size} units, {1e3 * found:.3g} ms an update and seed")
            config = _changed(config, cell.label, hidden_size=size)
    return dataclasses.replace(_complete(config, reference.hidden_size), match="none")


def nearest_in_time(seconds: Callable[[int], float], wanted: float, step: int) -> tuple[int, float]:
    """Returns the multiple of `step` whose measured time is nearest to `wanted`, and that time.

    Bisects as if time grew with the size, and measures each size once. Where noise or caches break this, the result is
    still the best of the measured sizes.
    """
    measured: dict[int, float] = {}

    def at(units: int) -> float:
        return measured.setdefault(units, measured.get(units) or seconds(units * step))

    nearest_size(at, wanted, high=8)
    best = min(measured, key=lambda units: abs(math.log(measured[units] / wanted)))
    return best * step, measured[best]


def _step(cell: CellConfig) -> int:
    return math.lcm(SIZE_STEP, size_unit(cell))


def _complete(config: ExperimentConfig, size: int) -> ExperimentConfig:
    """Sets missing hidden sizes to `size`, rounded up: cells outside this comparison need a size too."""
    cells = tuple(
        dataclasses.replace(c, hidden_size=c.hidden_size or -(-size // _step(c)) * _step(c)) for c in config.cells
    )
    return dataclasses.replace(config, cells=cells)


def _changed(config: ExperimentConfig, label: str, **fields: int) -> ExperimentConfig:
    cells = tuple(dataclasses.replace(cell, **fields) if cell.label == label else cell for cell in config.cells)
    return dataclasses.replace(config, cells=cells)
