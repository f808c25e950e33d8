"""Which measurements a plan makes and what becomes of them: with times that are a known function of size."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import jax
import pytest
import rich.console

from gru_research.config import ExperimentConfig, experiment
from gru_research.planning import cells as planning
from gru_research.planning import tables
from gru_research.planning.cells import PlanRequest, advice
from gru_research.planning.forecast import Rates, busiest
from gru_research.planning.intervals import Interval, exactly
from gru_research.planning.measurement import Compiled, Memory, Timing, TrialRun
from gru_research.training import CellPlan, Plan, make_plan

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 40, "validation_size": 1, "test_size": 1},
    "cells": {"gru": {"kind": "gru", "hidden_size": 8}, "lstm": {"kind": "lstm"}},
    "seeds": 3,
    "updates": 250,
    "eval_every": 100,
}
KIB = 1024
SETS: Any = {"validation": {}, "test": {}}
"""Nobody looks at them: cells aren't really run."""


def made(**fields: Any) -> ExperimentConfig:
    return experiment(CONFIG | fields)


def memory(members: int, length: int) -> Memory:
    return Memory(members, KIB * length, 0, 0, devices=1, process=0)


def rates(members: int, length: int) -> Rates:
    """Seconds that grow in a straight line with the length, and with the members of a device."""
    n = busiest(members, jax.device_count())
    return Rates(exactly(n * (2 + length)), exactly(0), exactly(n * length), exactly(7), compiling=length)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Fills with the (cell, members, length) that were run; compiling alone isn't."""
    ran: list[tuple[str, int, int]] = []

    def measure(plan: Plan, cell: CellPlan, sets: Any, members: Sequence[int], seconds: float) -> list[Timing]:
        assert seconds == 0.1 and sets is SETS
        length = plan.task.length
        assert length is not None
        ran.extend((cell.label, count, length) for count in members)
        return [Timing(count, rates(count, length), 10, 5, memory(count, length)) for count in members]

    def compile_cell(plan: Plan, cell: CellPlan, members: int, sets: Any) -> Compiled:
        assert plan.task.length is not None
        own: Any = None
        return Compiled(own, own, own, own, own, plan.task.length, 0.0, memory(members, plan.task.length))

    def train_briefly(plan: Plan, cell: CellPlan, members: int, sets: Any, schedule: Any) -> TrialRun:
        return TrialRun(schedule.updates, 2.0, 1.0, 3 * KIB, 0)

    monkeypatch.setattr(planning, "measure", measure)
    monkeypatch.setattr(planning, "compile_cell", compile_cell)
    monkeypatch.setattr(planning, "train_briefly", train_briefly)
    return ran


def forecasts(config: ExperimentConfig, request: PlanRequest) -> planning.CellForecasts:
    plan = make_plan(config)
    return planning.forecast_cell(plan, plan.cells[0], SETS, request, lambda line: None)


def test_a_cell_alone_is_measured_once(measured: list[tuple[str, int, int]]) -> None:
    found = forecasts(made(), PlanRequest(0.1))
    (one,) = found.forecasts
    n = busiest(3, jax.device_count())
    # 40 s of compilation, 250 updates, evaluations at 0, 100, 200 and 250, and the test.
    assert one.total.middle == 40 + 250 * n * 42 + 4 * n * 40 + 7
    assert one.update == exactly(n * 42 / 3) and one.basis == "measured" and one.needed == 3 + 40 * KIB
    assert measured == [("gru", 3, 40)] and found.run_check is None


@pytest.mark.parametrize(("schedule", "compiling"), [("constant", 0), ("cosine", 40)])
def test_tuning_comes_on_top_with_its_own_members_and_schedule(
    schedule: str, compiling: int, measured: list[tuple[str, int, int]]
) -> None:
    """It is compiled where it can't use the programs of training: here its schedule is shorter."""
    tune = {"draws": 6, "seeds": 2, "updates": 50}
    optimizer = {"schedule": schedule}
    (one,) = forecasts(made(tune=tune, optimizer=optimizer), PlanRequest(0.1)).forecasts
    devices = jax.device_count()
    n, tuned = busiest(3, devices), busiest(12, devices)
    training = 40 + 250 * n * 42 + 4 * n * 40 + 7
    assert one.total.middle == pytest.approx(training + compiling + 50 * tuned * 42 + 2 * tuned * 40)
    assert len(measured) == 2 and one.needed == 12 + 40 * KIB


def test_other_numbers_of_seeds(measured: list[tuple[str, int, int]]) -> None:
    _, more, one = forecasts(made(), PlanRequest(0.1, seeds=(9, 1))).forecasts
    n = busiest(9, jax.device_count())
    assert more.total.middle == pytest.approx(40 + 250 * n * 42 + 4 * n * 40 + 7)
    assert more.setting == "9 seeds" and more.update.middle == pytest.approx(n * 42 / 9)
    assert one.seeds == 1 and len(measured) == 2


@pytest.mark.parametrize(("updates", "checked"), [(250, 100), (30, 30)])
@pytest.mark.usefixtures("measured")
def test_a_check_trains_ten_times_what_was_measured_at_most(updates: int, checked: int) -> None:
    check = forecasts(made(updates=updates), PlanRequest(0.1, check=True)).run_check
    n = busiest(3, jax.device_count())
    assert check is not None and check.found.updates == checked
    assert check.predicted.total.middle == 40 + checked * n * 42 + 2 * n * 40
    line = tables._check_line(check)
    assert f"check over {checked} updates" in line and "found 2.0 s" in line and "memory predicted 0 MiB" in line


@pytest.mark.parametrize("field", ["batch_size", "task.length"])
def test_a_horizon_is_measured_at_each_value(field: str) -> None:
    configs = planning.horizon_configs(made(horizon={"field": field, "values": (8, 12)}))
    assert [one.batch_size if field == "batch_size" else one.task.options["length"] for one in configs] == [8, 12]
    assert all(one.horizon is None for one in configs)
    assert planning.horizon_configs(made()) == [made()]


def test_advice_names_the_batch_that_fits() -> None:
    shared = Memory(state=10, temporaries=100, sets=0, kept=0, devices=4, process=60)
    one: Any = planning.Forecast(
        "gru", "as configured", "measured", 8, 1, 8, exactly(1), 1.0, planning.Cost(), exactly(1), shared, 500
    )
    # 100 bytes stand whatever the batch is; 200 are left for 400 of temporaries.
    said = advice(one, 300, batch_size=64, per_device=2, batched=False)
    assert said.startswith("gru, as configured: config.batch_size=32 or less, or fewer than 4 seeds side by side")
    alone = dataclasses.replace(one, needed=110)
    said = advice(alone, 60, batch_size=64, per_device=2, batched=True)
    assert "config.batch_size=32 or less, or fewer than 2 seeds" in said and "UnrollOptions(checkpoint=n)" in said
    assert "batch_size" not in advice(one, 90, batch_size=64, per_device=2, batched=False)


@pytest.mark.usefixtures("measured")
def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    config = made(horizon={"field": "task.length", "values": (20, 40, 80)}, patience=3, tune={"draws": 2})
    shown = []
    for plan in map(make_plan, planning.horizon_configs(config)):
        request = PlanRequest(0.1, seeds=(9,))
        cells = [planning.forecast_cell(plan, c, SETS, request, lambda line: None) for c in plan.cells]
        shown.append(planning.ConfigForecast(plan, 5.0, tuple(cells)))
    tables.show(shown, config.horizon, 30 * KIB, rich.console.Console(width=80))
    printed = capsys.readouterr().out
    assert "length 80, time" in printed and "9 seeds: 9 seeds" in printed and "NO" in printed and "yes" in printed
    assert "…" not in printed and "Doesn't fit" in printed and "upper bounds" in printed
    totals = [json.loads(json.dumps(each.as_json()))["totals"] for each in shown]
    assert all(set(of) == {"as configured", "9 seeds"} for of in totals)
    whole = sum(of["as configured"]["middle"] for of in totals)
    assert tables.duration(exactly(whole)).split()[0] in printed


DURATIONS = [
    (exactly(59.0), "59 s"), (Interval(60, 90, 120), "90 [60, 120] s"), (Interval(90, 120, 180), "2 [1.5, 3] min"),
    (exactly(3 * 3600.0), "3 h"), (exactly(2 * 86400.0), "2 d"),
]  # fmt: skip


@pytest.mark.parametrize(("interval", "text"), DURATIONS)
def test_durations(interval: Interval, text: str) -> None:
    assert tables.duration(interval) == text


def test_sizes() -> None:
    assert [tables.size(n * 2**20) for n in (1, 1023, 1536)] == ["1 MiB", "1023 MiB", "1.5 GiB"]
