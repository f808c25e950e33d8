"""From a config to what its cells will take: which measurements are needed, and what is made of them."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from experiments.cli import studies
from gru_research.config import ExperimentConfig, UserError
from gru_research.data import DataDirs
from gru_research.plural import several
from gru_research.runs.comparison import load_sets
from gru_research.training import CellPlan, Plan
from gru_research.training.cost import Case, Found, Measured, Memory, compile_cell, measure, train_share
from gru_research.training.forecast import Cost, Interval, Rates, at_length, fullest, phase
from gru_research.training.loop import Sets
from gru_research.training.own import task_function
from gru_research.training.plan import make_task
from gru_research.training.tuning import shares_programs, training_schedule, tuning_schedule

LEAST_LENGTH = 16
"""Lengths are extrapolated from the config's own and its quarters: shorter ones say nothing of the time of a step."""
CHECKED = 10
"""`--check` trains so many times the updates that were measured."""

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the command asks for: seconds a measurement, lengths and numbers of seeds beside the config's, a check."""

    seconds: float
    lengths: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    check: bool = False


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What one cell takes in one setting.

    Attributes:
      setting: "as configured", "length 200", "10 seeds".
      basis: of the time of an update: "measured", "interpolated", "extrapolated", or "as with other seeds", where
        another number of seeds was measured with as many on a device; memory is always XLA's plan.
      update: seconds of an update for each seed; compile_seconds: of training's programs and evaluation's.
      cost: the wall time of tuning, training and test together.
      memory: of the training or the tuning, whichever takes more; needed: of the device, or of the machine.
    """

    cell: str
    setting: str
    basis: str
    units: int
    parameters: int
    seeds: int
    update: Interval
    compile_seconds: float
    cost: Cost
    total: Interval
    memory: Memory
    needed: int


@dataclasses.dataclass(frozen=True)
class LengthCheck:
    """The line through shorter lengths against a length that was measured and isn't in it: seconds of an update."""

    cell: str
    fitted: tuple[int, ...]
    length: int
    predicted: Interval
    found: Interval

    @property
    def error(self) -> float:
        return self.found.middle / self.predicted.middle - 1


@dataclasses.dataclass(frozen=True)
class RunCheck:
    """A share of the training, predicted and found. `needed` and `found.memory` are bytes."""

    cell: str
    predicted: Cost
    needed: int
    found: Found


@dataclasses.dataclass(frozen=True)
class CellForecasts:
    """All that was found out about a cell."""

    forecasts: tuple[Forecast, ...]
    length_check: LengthCheck | None
    run_check: RunCheck | None


def task_length(config: ExperimentConfig) -> Any:
    """The value of `task.length`; None where the task has no such field."""
    field = inspect.signature(task_function(config.task)).parameters.get("length")
    return None if field is None else config.task.options.get("length", field.default)


def spread_out(config: ExperimentConfig, asked: Asked) -> list[tuple[ExperimentConfig, Asked]]:
    """The configs to measure. A horizon over lengths is measured at its lower middle one; over another field at each
    of its values.

    Raises:
      UserError: lengths for a task without one, or from one that is too short.
    """
    sweep = config.horizon
    runs = [(config, asked)]
    if sweep is not None and sweep.field == "task.length":
        middle = next((v for v in sweep.values[(len(sweep.values) - 1) // 2 :] if v >= LEAST_LENGTH), sweep.values[-1])
        task = dataclasses.replace(config.task, options={**config.task.options, "length": middle})
        lengths = tuple(sorted({*sweep.values, *asked.lengths}))
        runs = [(dataclasses.replace(config, task=task, horizon=None), dataclasses.replace(asked, lengths=lengths))]
    elif sweep is not None:
        study = studies.horizon(config, "plan")
        made = [study.config(name, {}) for name in study.names]
        runs = [(each, asked) for each in made if each is not None]
    for each, wanted in runs:
        length = task_length(each)
        if wanted.lengths and length is None:
            raise UserError(
                f"--lengths={_listed(wanted.lengths)} needs a task with a length: {each.task.name} has none"
            )
        if wanted.lengths and isinstance(length, int) and length < LEAST_LENGTH:
            raise UserError(
                f"config.task.length={length!r} must be at least {LEAST_LENGTH} for other lengths to be "
                f"predicted from its quarters"
            )
    return runs


def forecast_cell(plan: Plan, cell: CellPlan, sets: Sets, dirs: DataDirs, asked: Asked, say: Say) -> CellForecasts:
    """Measures a cell and predicts what it takes in every setting that is asked for.

    Raises:
      UserError: no seed's loss is finite, or a length that the task doesn't take.
    """
    planner = _Planner(plan, cell, dirs, asked.seconds, say)
    seeds, tuned = plan.config.seeds, plan.config.tune.draws * plan.config.tune.seeds
    cases = [Case(plan, sets, seeds), *planner.others(sets, {tuned, *asked.seeds} - {0}, asked.lengths)]
    found, run_check = [], None
    if asked.check:  # first, as every further compilation leaves something in the process's memory
        found = planner.measured(cases[:1])
        run_check = _check_run(plan, cell, sets, found[0], say)
    if run_check is None or len(cases) > 1:
        found = planner.measured(cases)
    own, devices = found[0], seed_devices(plan)
    growth = {fullest(m.members, devices): m.rates for case, m in zip(cases, found, strict=True) if case.plan is plan}
    points = {task_length(c.plan.config): m.rates for c, m in zip(cases, found, strict=True) if c.members == seeds}
    tuning, tuning_memory = planner.with_members(sets, own, growth, tuned) if tuned else (None, None)
    made = [planner.forecast("as configured", "measured", seeds, own.rates, own.memory, tuning, tuning_memory)]
    for count in asked.seeds:
        rates, memory = planner.with_members(sets, own, growth, count)
        basis = planner.basis(fullest(count, devices), growth)
        if basis == "measured" and count != seeds:
            basis = "as with other seeds"  # as many on the fullest device as in a measurement
        made.append(planner.forecast(several(count, "seed"), basis, count, rates, memory, tuning, tuning_memory))
    length_check = None
    if asked.lengths:
        rows, length_check = _at_lengths(planner, points, own, tuning, max(seeds, tuned), asked.lengths)
        made += rows
    return CellForecasts(tuple(made), length_check, run_check)


@dataclasses.dataclass(frozen=True)
class _Planner:
    """What all measurements of a cell share."""

    plan: Plan
    cell: CellPlan
    dirs: DataDirs
    seconds: float
    say: Say

    def others(self, sets: Sets, counts: set[int], lengths: tuple[int, ...]) -> list[Case]:
        """What has to be measured beside the config itself: one more number of members where a count asks for it; for
        lengths the quarters of the config's own, and a length to check their line at."""
        devices, seeds = seed_devices(self.plan), self.plan.config.seeds
        here = fullest(seeds, devices)
        cases = []
        if any(fullest(count, devices) != here for count in counts):
            cases.append(Case(self.plan, sets, devices if here > 1 else 2 * devices))
        if lengths:
            base = task_length(self.plan.config)
            checked = 3 * base // 2 if max(lengths) > base else 5 * base // 8
            wanted = (base // 4, base // 2, 3 * base // 4, checked)
            cases += [Case(*at_other_length(self, length), seeds) for length in wanted]
        return cases

    def measured(self, cases: Sequence[Case]) -> list[Measured]:
        made = measure(self.cell, cases, self.seconds)
        for case, found in zip(cases, made, strict=True):
            update = found.rates.update.times(1e3 / case.members)
            self.say(
                f"{self.cell.label}, {case.members} side by side, length {case.plan.task.length}: {update.middle:.3g} "
                f"ms an update and seed [{update.low:.3g}, {update.high:.3g}] over {found.timed_updates} updates in "
                f"{found.timed_calls} calls; compiled in {found.rates.compiling:.1f} s"
            )
        return made

    def with_members(
        self, sets: Sets, own: Measured, growth: Mapping[int, Rates], members: int
    ) -> tuple[Rates, Memory]:
        """So many members side by side: compiled for its memory, but not run."""
        if members == own.members:
            return own.rates, own.memory
        compiled = compile_cell(self.plan, self.cell, members, sets)
        rates = own.rates.with_members(growth, fullest(members, seed_devices(self.plan)), members / own.members)
        rates = dataclasses.replace(rates, compiling=compiled.seconds, compiling_test=compiled.test_seconds)
        return rates, compiled.memory

    def basis(self, at: int, points: Mapping[int, Any]) -> str:
        if at in points:
            return "measured"
        return "interpolated" if min(points) < at < max(points) else "extrapolated"

    def forecast(
        self, setting: str, basis: str, seeds: int, rates: Rates, memory: Memory,
        tuning: Rates | None = None, tuning_memory: Memory | None = None,
    ) -> Forecast:  # fmt: skip
        cell, cost = self.cell, phase(rates, training_schedule(self.plan, self.cell), tested=True)
        if tuning is not None:
            if shares_programs(self.plan, cell):
                tuning = dataclasses.replace(tuning, compiling=0.0)
            cost += phase(tuning, tuning_schedule(self.plan, cell), tested=False)
        most = tuning_memory if tuning_memory and tuning_memory.needed > memory.needed else memory
        return Forecast(
            cell.label, setting, basis, cell.hidden_size, cell.parameters, seeds, rates.update.times(1 / seeds),
            rates.compiling, cost, cost.total, most, most.needed,
        )  # fmt: skip


def seed_devices(plan: Plan) -> int:
    """Over how many devices seeds are spread; each of these is several where batches are divided."""
    return max(1, jax.device_count() // plan.config.data_parallel)


def _at_lengths(
    planner: _Planner,
    points: dict[int, Rates],
    own: Measured,
    tuning: Rates | None,
    members: int,
    lengths: tuple[int, ...],
) -> tuple[list[Forecast], LengthCheck]:
    """Other lengths: times from a line through all points but the last, which checks it; memory from compilation."""
    checked, found = points.popitem()
    check = LengthCheck(
        planner.cell.label, tuple(sorted(points)), checked, at_length(points, checked, 0.0).update, found.update
    )
    rows = []
    for length in lengths:
        plan, sets = at_other_length(planner, length)
        compiled = compile_cell(plan, planner.cell, members, sets)
        rates = points.get(length)
        if rates is None:
            rates = at_length(points, length, compiled.seconds)
            rates = dataclasses.replace(
                rates,
                update=rates.update.widened(abs(check.error)),
                evaluation=rates.evaluation.widened(abs(check.error)),
            )
        tuned = rates.like(own.rates, tuning) if tuning is not None else None
        rows.append(
            planner.forecast(
                f"length {length}", planner.basis(length, points), own.members, rates, compiled.memory, tuned
            )
        )
    return rows, check


def at_other_length(planner: _Planner, length: int) -> tuple[Plan, Sets]:
    """The plan and its data at another length; the models stay as they are."""
    config = planner.plan.config
    task = dataclasses.replace(config.task, options={**config.task.options, "length": length})
    config = dataclasses.replace(config, task=task)
    plan = dataclasses.replace(planner.plan, config=config, task=make_task(task, planner.dirs))
    return plan, load_sets(plan, planner.dirs)


def _check_run(plan: Plan, cell: CellPlan, sets: Sets, own: Measured, say: Say) -> RunCheck:
    """Really trains `CHECKED` times what was measured, but no more than the cell's updates."""
    updates = min(cell.updates, CHECKED * own.timed_updates)
    schedule = dataclasses.replace(training_schedule(plan, cell), updates=updates, patience=0)
    say(f"{cell.label}: training {updates:,} of its {cell.updates:,} updates as a check")
    found = train_share(plan, cell, own.members, sets, schedule)
    return RunCheck(cell.label, phase(own.rates, schedule, tested=False), own.memory.needed, found)


def advice(forecast: Forecast, limit: int, batch_size: int, per_device: int, batched: bool) -> str:
    """What to change where `forecast` needs more memory than there is. Temporaries grow with the batch."""
    memory = forecast.memory
    spare = limit - (forecast.needed - memory.temporaries * (1 if batched else memory.devices))
    share = spare / (memory.temporaries * (1 if batched else memory.devices)) if memory.temporaries else 0.0
    smaller = int(batch_size * share)
    ways = [f"config.batch_size={smaller} or less"] if smaller >= 1 else []
    if batched and per_device > 1:
        ways.append(f"fewer than {per_device} seeds side by side")
    elif not batched and memory.devices > 1:
        ways.append(f"fewer than {memory.devices} seeds side by side (config.seeds, or fewer cores)")
    ways.append("shorter sequences; in code of your own UnrollOptions(checkpoint=n), n about the root of the length")
    return f"{forecast.cell}, {forecast.setting}: " + ", or ".join(ways)


def _listed(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
