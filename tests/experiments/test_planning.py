"""Which measurements a plan makes and what becomes of them: with times that are a known function of size."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import jax
import pytest
import rich.console

from experiments import plan_tables, planning
from experiments.planning import Asked, advice
from gru_research.config import ExperimentConfig, UserError, experiment
from gru_research.data import DataDirs
from gru_research.training import CellPlan, Plan, make_plan
from gru_research.training.cost import Case, Compiled, Found, Measured, Memory
from gru_research.training.forecast import Interval, Rates, exactly, fullest
from tests.faults import fault, seen

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
    n = fullest(members, jax.device_count())
    return Rates(exactly(n * (2 + length)), exactly(0), exactly(n * length), exactly(7), compiling=length)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Fills with the (cell, members, length) that were run; compiling alone isn't."""
    ran: list[tuple[str, int, int]] = []

    def measure(cell: CellPlan, cases: Sequence[Case], seconds: float) -> list[Measured]:
        assert seconds == 0.1
        made = []
        for case in cases:
            length = case.plan.task.length
            assert case.sets is SETS and length is not None
            ran.append((cell.label, case.members, length))
            made.append(Measured(case.members, rates(case.members, length), 10, 5, memory(case.members, length)))
        return made

    def compile_cell(plan: Plan, cell: CellPlan, members: int, sets: Any) -> Compiled:
        assert plan.task.length is not None
        own: Any = None
        return Compiled(own, own, own, own, own, plan.task.length, 0.0, memory(members, plan.task.length))

    def train_share(plan: Plan, cell: CellPlan, members: int, sets: Any, schedule: Any) -> Found:
        return Found(schedule.updates, 2.0, 1.0, 3 * KIB, 0)

    monkeypatch.setattr(planning, "load_sets", lambda plan, dirs: SETS)
    monkeypatch.setattr(planning, "measure", measure)
    monkeypatch.setattr(planning, "compile_cell", compile_cell)
    monkeypatch.setattr(planning, "train_share", train_share)
    return ran


def forecasts(config: ExperimentConfig, asked: Asked) -> planning.CellForecasts:
    plan = make_plan(config)
    return planning.forecast_cell(plan, plan.cells[0], SETS, DataDirs(), asked, lambda line: None)


def test_a_cell_alone_is_measured_once(measured: list[tuple[str, int, int]]) -> None:
    found = forecasts(made(), Asked(0.1))
    (one,) = found.forecasts
    n = fullest(3, jax.device_count())
    # 40 s of compilation, 250 updates, evaluations at 0, 100, 200 and 250, and the test.
    assert one.total.middle == 40 + 250 * n * 42 + 4 * n * 40 + 7
    assert one.update == exactly(n * 42 / 3) and one.basis == "measured" and one.needed == 3 + 40 * KIB
    assert measured == [("gru", 3, 40)] and found.length_check is None and found.run_check is None


@pytest.mark.parametrize(("schedule", "compiling"), [("constant", 0), ("cosine", 40)])
def test_tuning_comes_on_top_with_its_own_members_and_schedule(
    schedule: str, compiling: int, measured: list[tuple[str, int, int]]
) -> None:
    """It is compiled where it can't use the programs of training: here its schedule is shorter."""
    tune = {"draws": 6, "seeds": 2, "updates": 50}
    optimizer = {"schedule": schedule}
    (one,) = forecasts(made(tune=tune, optimizer=optimizer), Asked(0.1)).forecasts
    devices = jax.device_count()
    n, tuned = fullest(3, devices), fullest(12, devices)
    training = 40 + 250 * n * 42 + 4 * n * 40 + 7
    assert one.total.middle == pytest.approx(training + compiling + 50 * tuned * 42 + 2 * tuned * 40)
    assert len(measured) == 2 and one.needed == 12 + 40 * KIB


def test_other_numbers_of_seeds(measured: list[tuple[str, int, int]]) -> None:
    _, more, one = forecasts(made(), Asked(0.1, seeds=(9, 1))).forecasts
    n = fullest(9, jax.device_count())
    assert more.total.middle == pytest.approx(40 + 250 * n * 42 + 4 * n * 40 + 7)
    assert more.setting == "9 seeds" and more.update.middle == pytest.approx(n * 42 / 9)
    assert one.seeds == 1 and len(measured) == 2


def test_other_lengths_are_predicted_and_checked(measured: list[tuple[str, int, int]]) -> None:
    found = forecasts(made(), Asked(0.1, lengths=(20, 1000)))
    _, shorter, longer = found.forecasts
    n = fullest(3, jax.device_count())
    assert [length for _, _, length in measured] == [40, 10, 20, 30, 60]  # and never 1,000
    assert (shorter.basis, longer.basis) == ("measured", "extrapolated")
    assert longer.total.middle == pytest.approx(1000 + 250 * n * 1002 + 4 * n * 1000 + 7)
    assert longer.needed == 3 + 1000 * KIB and longer.setting == "length 1000"
    check = found.length_check
    assert check is not None and check.fitted == (10, 20, 30, 40) and check.length == 60
    assert check.error == pytest.approx(0, abs=1e-9)


def test_an_error_that_the_check_found_widens_the_predictions(
    measured: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = rates

    def bent(members: int, length: int) -> Rates:
        found = straight(members, length)
        return dataclasses.replace(found, update=found.update.times(1.5 if length > 40 else 1.0))

    monkeypatch.setitem(globals(), "rates", bent)
    found = forecasts(made(), Asked(0.1, lengths=(100,)))
    assert found.length_check is not None and found.length_check.error == pytest.approx(0.5)
    update = found.forecasts[1].update
    assert (update.low, update.high) == pytest.approx((update.middle / 2, update.middle * 1.5))


@pytest.mark.parametrize(("updates", "checked"), [(250, 100), (30, 30)])
@pytest.mark.usefixtures("measured")
def test_a_check_trains_ten_times_what_was_measured_at_most(updates: int, checked: int) -> None:
    check = forecasts(made(updates=updates), Asked(0.1, check=True)).run_check
    n = fullest(3, jax.device_count())
    assert check is not None and check.found.updates == checked
    assert check.predicted.total.middle == 40 + checked * n * 42 + 2 * n * 40
    line = plan_tables._run_line(check)
    assert f"check over {checked} updates" in line and "found 2.0 s" in line and "memory predicted 0 MiB" in line


def test_a_horizon_over_lengths_is_measured_at_a_middle_one() -> None:
    config = made(horizon={"field": "task.length", "values": (8, 12, 20, 40, 80)})
    ((one, asked),) = planning.spread_out(config, Asked(0.1, lengths=(30,)))
    assert one.task.options["length"] == 20 and one.horizon is None
    assert asked.lengths == (8, 12, 20, 30, 40, 80)
    ((one, _),) = planning.spread_out(made(horizon={"values": (8, 12, 50)}), Asked(0.1))
    assert one.task.options["length"] == 50  # the first that is long enough


def test_a_horizon_over_another_field_is_measured_at_each_value() -> None:
    config = made(horizon={"field": "batch_size", "values": (8, 12)})
    runs = planning.spread_out(config, Asked(0.1))
    assert [one.batch_size for one, _ in runs] == [8, 12]


@fault("plan and doctor", "lengths of a task that has none", "a length too short to plan from")
def test_lengths_need_a_task_that_has_one() -> None:
    with pytest.raises(UserError, match=r"^--lengths=5,6 needs a task with a length: smnist has none") as caught:
        planning.spread_out(made(task={"name": "smnist"}), Asked(1.0, lengths=(5, 6)))
    seen(caught)
    with pytest.raises(UserError, match=r"config\.task\.length=8 must be at least 16") as caught:
        planning.spread_out(made(task={"name": "adding", "length": 8}), Asked(1.0, lengths=(50,)))
    seen(caught)


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
    ((one, asked),) = planning.spread_out(config, Asked(0.1, seeds=(9,)))
    plan = make_plan(one)
    cells = [planning.forecast_cell(plan, c, SETS, DataDirs(), asked, lambda line: None) for c in plan.cells]
    planned = plan_tables.Planned(plan, 5.0, tuple(cells))
    plan_tables.show([planned], config.horizon, 30 * KIB, rich.console.Console(width=80))
    printed = capsys.readouterr().out
    assert "length 80: 3 seeds" in printed and "9 seeds: 9 seeds" in printed and "NO" in printed and "yes" in printed
    assert "…" not in printed and "Doesn't fit" in printed and "upper bounds" in printed
    totals = json.loads(json.dumps(planned.as_json()))["totals"]
    assert set(totals) == {"as configured", "9 seeds", "length 20", "length 40", "length 80"}
    whole = sum(totals[f"length {n}"]["middle"] for n in (20, 40, 80))
    assert plan_tables.duration(exactly(whole)).split()[0] in printed


DURATIONS = [
    (exactly(59.0), "59 s"), (Interval(60, 90, 120), "90 [60, 120] s"), (Interval(90, 120, 180), "2 [1.5, 3] min"),
    (exactly(3 * 3600.0), "3 h"), (exactly(2 * 86400.0), "2 d"),
]  # fmt: skip


@pytest.mark.parametrize(("interval", "text"), DURATIONS)
def test_durations(interval: Interval, text: str) -> None:
    assert plan_tables.duration(interval) == text


def test_sizes() -> None:
    assert [plan_tables.size(n * 2**20) for n in (1, 1023, 1536)] == ["1 MiB", "1023 MiB", "1.5 GiB"]
