"""Predicts the time and memory of each cell of a config: chooses the measurements and makes forecasts from them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from gru_research.config import ExperimentConfig
from gru_research.plural import several
from gru_research.runs import study
from gru_research.training import CellPlan, Plan
from gru_research.training.batch_maker import Sets
from gru_research.training.tuning import shares_programs, training_schedule, tuning_schedule

from .forecast import Cost, Rates, busiest, phase_cost
from .intervals import Interval, total
from .measurement import Memory, Timing, TrialRun, compile_cell, measure, train_briefly

CHECKED = 10
"""`--check` trains this multiple of the timed updates."""

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class PlanRequest:
    """A request for a plan.

    Attributes:
      seconds: how long the updates of each measurement are timed.
      seeds: further numbers of seeds to plan for.
      check: whether to train briefly and compare the result with its forecast.
    """

    seconds: float
    seeds: tuple[int, ...] = ()
    check: bool = False


@dataclasses.dataclass(frozen=True)
class Forecast:
    """The predicted time and memory of one cell in one setting.

    Attributes:
      setting: "as configured" or, for example, "10 seeds".
      basis: the source of the time of an update: "measured", "interpolated", "extrapolated", or "as with other seeds",
        measured with another number of seeds that fills a device equally. Memory is always XLA's plan.
      update: seconds of one update of one seed.
      compile_seconds: compilation of the training and evaluation programs.
      cost: the wall time of tuning, training and test together.
      memory: the memory of training or of tuning, whichever is larger.
      needed: bytes of the device's memory, or of the machine's.
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
class RunCheck:
    """The forecast of a brief training and its measurement. `needed` and `found.memory` are bytes."""

    cell: str
    predicted: Cost
    needed: int
    found: TrialRun


@dataclasses.dataclass(frozen=True)
class CellForecasts:
    """All forecasts of a cell, and their check where one was requested."""

    forecasts: tuple[Forecast, ...]
    run_check: RunCheck | None


@dataclasses.dataclass(frozen=True)
class ConfigForecast:
    """The forecasts of one config. `startup` is the time in seconds from the process's start until all was loaded."""

    plan: Plan
    startup: float | None
    cells: tuple[CellForecasts, ...]

    @property
    def settings(self) -> dict[str, list[Forecast]]:
        """Returns the forecasts of all cells by setting."""
        made: dict[str, list[Forecast]] = {}
        for cell in self.cells:
            for forecast in cell.forecasts:
                made.setdefault(forecast.setting, []).append(forecast)
        return made

    def as_json(self) -> dict[str, Any]:
        return {
            "task": self.plan.task.name,
            "length": self.plan.task.length,
            "startup": self.startup,
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
            "totals": {
                name: dataclasses.asdict(total(f.total for f in forecasts)) for name, forecasts in self.settings.items()
            },
        }


def horizon_configs(config: ExperimentConfig) -> list[ExperimentConfig]:
    """Returns a config for each value of the config's horizon, or only the config where it has none.

    Raises:
      UserError: the horizon's field doesn't exist, or a value is wrong.
    """
    if config.horizon is None:
        return [config]
    runs = study.horizon(config, "plan")
    return [made for name in runs.names if (made := runs.config(name, {})) is not None]


def forecast_cell(plan: Plan, cell: CellPlan, sets: Sets, request: PlanRequest, say: Say) -> CellForecasts:
    """Measures a cell and predicts its time and memory in every setting of the request.

    Raises:
      UserError: no seed's loss is finite.
    """
    planner = _Planner(plan, cell, sets, request.seconds, say)
    seeds, tuned = plan.config.seeds, plan.config.tune.draws * plan.config.tune.seeds
    members = [seeds, *planner.second_point({tuned, *request.seeds} - {0})]
    timings, run_check = [], None
    if request.check:  # first, as every further compilation adds to the process's memory
        timings = planner.timings(members[:1])
        run_check = planner.check(timings[0])
    if run_check is None or len(members) > 1:
        timings = planner.timings(members)
    own, devices = timings[0], seed_devices(plan)
    growth = {busiest(timing.members, devices): timing.rates for timing in timings}
    tuning = planner.with_members(own, growth, tuned) if tuned else None
    made = [planner.forecast("as configured", "measured", seeds, (own.rates, own.memory), tuning)]
    for count in request.seeds:
        at = busiest(count, devices)
        basis = "interpolated" if min(growth) < at < max(growth) else "extrapolated"
        if at in growth:
            basis = "measured" if count == seeds else "as with other seeds"
        made.append(
            planner.forecast(several(count, "seed"), basis, count, planner.with_members(own, growth, count), tuning)
        )
    return CellForecasts(tuple(made), run_check)


@dataclasses.dataclass(frozen=True)
class _Planner:
    """The state that all measurements of a cell share."""

    plan: Plan
    cell: CellPlan
    sets: Sets
    seconds: float
    say: Say

    def second_point(self, counts: set[int]) -> list[int]:
        """Returns a second number of members to measure, where one of `counts` fills the busiest device differently."""
        devices = seed_devices(self.plan)
        here = busiest(self.plan.config.seeds, devices)
        if all(busiest(count, devices) == here for count in counts):
            return []
        return [devices if here > 1 else 2 * devices]

    def timings(self, members: Sequence[int]) -> list[Timing]:
        made = measure(self.plan, self.cell, self.sets, members, self.seconds)
        for timing in made:
            update = timing.rates.update.times(1e3 / timing.members)
            self.say(
                f"{self.cell.label}, {timing.members} side by side, length {self.plan.task.length}: "
                f"{update.middle:.3g} ms an update and seed [{update.low:.3g}, {update.high:.3g}] over "
                f"{timing.timed_updates} updates in {timing.timed_calls} calls; "
                f"compiled in {timing.rates.compiling:.1f} s"
            )
        return made

    def with_members(self, own: Timing, growth: Mapping[int, Rates], members: int) -> tuple[Rates, Memory]:
        """Predicts the rates of `members` side by side. They are compiled for XLA's memory plan, but not run."""
        if members == own.members:
            return own.rates, own.memory
        compiled = compile_cell(self.plan, self.cell, members, self.sets)
        rates = own.rates.with_members(growth, busiest(members, seed_devices(self.plan)), members / own.members)
        rates = dataclasses.replace(rates, compiling=compiled.seconds, compiling_test=compiled.test_seconds)
        return rates, compiled.memory

    def forecast(
        self,
        setting: str,
        basis: str,
        seeds: int,
        training: tuple[Rates, Memory],
        tuning: tuple[Rates, Memory] | None,
    ) -> Forecast:
        cell, (rates, memory) = self.cell, training
        cost = phase_cost(rates, training_schedule(self.plan, cell), tested=True)
        if tuning is not None:
            tuning_rates, tuning_memory = tuning
            if shares_programs(self.plan, cell):
                tuning_rates = dataclasses.replace(tuning_rates, compiling=0.0)
            cost += phase_cost(tuning_rates, tuning_schedule(self.plan, cell), tested=False)
            memory = max(memory, tuning_memory, key=lambda m: m.needed)
        return Forecast(
            cell.label, setting, basis, cell.hidden_size, cell.parameters, seeds, rates.update.times(1 / seeds),
            rates.compiling, cost, cost.total, memory, memory.needed,
        )  # fmt: skip

    def check(self, own: Timing) -> RunCheck:
        """Trains for `CHECKED` times the timed updates, but at most for the cell's own number."""
        cell, updates = self.cell, min(self.cell.updates, CHECKED * own.timed_updates)
        schedule = dataclasses.replace(training_schedule(self.plan, cell), updates=updates, patience=0)
        self.say(f"{cell.label}: training {updates:,} of its {cell.updates:,} updates as a check")
        found = train_briefly(self.plan, cell, own.members, self.sets, schedule)
        return RunCheck(cell.label, phase_cost(own.rates, schedule, tested=False), own.memory.needed, found)


def seed_devices(plan: Plan) -> int:
    """Returns the number of devices, or of device groups that share a batch, over which seeds are sharded."""
    return max(1, jax.device_count() // plan.config.data_parallel)


def advice(forecast: Forecast, limit: int, batch_size: int, per_device: int, batched: bool) -> str:
    """Says what to change where `forecast` needs more than `limit` bytes. Temporaries grow with the batch."""
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
