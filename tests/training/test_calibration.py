"""Conversion of equal seconds to updates and of equal time to sizes, with fake clocks."""

import dataclasses
import itertools
import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gru_research.config import ExperimentConfig, UserError, experiment, to_mapping
from gru_research.data import DataDirs
from gru_research.runs.check_workdir import check_workdir
from gru_research.runs.comparison import prepare_comparison
from gru_research.training import CellPlan, Plan, calibration
from tests.training import toy

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 1, "test_size": 1},
    "cells": {
        "gru": {"kind": "gru", "hidden_size": 8},
        "lstm": {"kind": "lstm"},
        "block": {"kind": "block_gru", "heads": 6},
    },
    "seeds": 2,
}
PER_UNIT = {"gru": 3e-3, "lstm": 4e-3, "block_gru": 1e-3}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Makes an update's time proportional to the hidden size. Returns the list of measured cells."""
    measured: list[tuple[str, int]] = []

    def seconds(plan: Plan, cell: CellPlan, sets: Any) -> float:
        assert [c.label for c in plan.cells].count(cell.label) == 1
        measured.append((cell.label, cell.hidden_size))
        return PER_UNIT[cell.kind] * cell.hidden_size

    monkeypatch.setattr(calibration, "seconds_per_update", seconds)
    return measured


AFFORDABLE = [
    ({"seconds": 10.0, "seeds": 5}, 0.001, 2000),
    ({"seconds": 10.0, "seeds": 3}, 0.001, 3330),  # 3,333 to three digits, never more
    ({"seconds": 9.99, "seeds": 1}, 0.1, 99),
    ({"seconds": 9.0, "seeds": 1}, 1.0, 9),
    ({"seconds": 10.0, "seeds": 5, "tune": {"draws": 4, "seeds": 5}}, 0.001, 400),  # 25 members
    ({"seconds": 10.0, "seeds": 5, "tune": {"draws": 4, "seeds": 2, "updates": 500}}, 0.001, 1200),  # (10 - 4) / 5 ms
    ({"seconds": 10.0, "seeds": 5, "tune": {"updates": 500}}, 0.001, 2000),  # no draws
]


@pytest.mark.parametrize(("fields", "seconds", "updates"), AFFORDABLE)
def test_seconds_pay_for_training_and_tuning(fields: dict[str, Any], seconds: float, updates: int) -> None:
    assert calibration.affordable_updates(experiment(CONFIG | fields), "gru", seconds) == updates


@pytest.mark.parametrize(
    ("tune", "said"), [({}, "for 2 seeds"), ({"draws": 3, "seeds": 2, "updates": 10}, "for 2 seeds and 6 of tuning")]
)
def test_too_few_seconds_are_a_users_mistake(tune: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        calibration.affordable_updates(experiment(CONFIG | {"seconds": 1.0, "tune": tune}), "gru", 0.6)
    assert str(caught.value) == (f"config.seconds=1.0 must be more: gru takes 0.6 s an update and seed, {said}")


def test_what_is_open() -> None:
    def needs_measurement(**fields: Any) -> bool:
        return calibration.needs_measurement(experiment(CONFIG | fields))

    done = {"gru": CONFIG["cells"]["gru"] | {"updates": 3}}
    assert not needs_measurement() and needs_measurement(seconds=1.0) and needs_measurement(match="time")
    assert not needs_measurement(seconds=1.0, cells=done)
    assert not needs_measurement(seconds=1.0, cells=CONFIG["cells"] | done, only="gru")


def test_each_cell_gets_the_updates_that_its_seconds_pay_for(clock: list[tuple[str, int]]) -> None:
    config = experiment(CONFIG | {"seconds": 10.0, "match": "width", "only": "gru,lstm", "cells": CONFIG["cells"] | {
        "lstm": {"kind": "lstm", "updates": 7}, "block": {"kind": "block_gru", "heads": 4}}})  # fmt: skip
    said: list[str] = []
    settled = calibration.resolve_measured(config, DataDirs(), {}, said.append)
    assert {cell.label: cell.updates for cell in settled.cells} == {"gru": 208, "lstm": 7, "block": None}
    assert clock == [("gru", 8)] and not calibration.needs_measurement(settled)
    assert said == ["gru: 24 ms an update and seed, 208 updates in 10 s"]
    assert dataclasses.replace(settled, cells=config.cells) == config


def test_sizes_that_match_in_time(clock: list[tuple[str, int]]) -> None:
    settled = calibration.resolve_measured(experiment(CONFIG | {"match": "time", "seconds": 9.6}), DataDirs(), {})
    # 24 ms: 6 units of an LSTM, of which 8 are nearer than 4; 24 of the block cell, whose sizes are multiples of 12.
    assert {cell.label: cell.hidden_size for cell in settled.cells} == {"gru": 8, "lstm": 8, "block": 24}
    assert {cell.label: cell.updates for cell in settled.cells} == {"gru": 200, "lstm": 150, "block": 200}
    assert settled.match == "none" and not calibration.needs_measurement(settled)
    assert all(size % 12 == 0 for label, size in clock if label == "block")


def test_only_what_takes_part_is_measured(clock: list[tuple[str, int]]) -> None:
    settled = calibration.resolve_measured(experiment(CONFIG | {"match": "time", "only": "lstm"}), DataDirs(), {})
    assert settled.cells[1].hidden_size == 8 and {label for label, _ in clock} == {"gru", "lstm"}
    assert experiment(to_mapping(settled)) == settled


TIMES: list[tuple[Callable[[int], float], float, int, int]] = [
    (lambda n: n / 1000, 0.1, 4, 100),
    (lambda n: n / 1000, 0.1015, 4, 100),
    (lambda n: n * n / 1e6, 0.01, 12, 96),  # 9,216 is nearer to 10,000 than 11,664
    (lambda n: n / 1000, 1e-9, 4, 4),  # nothing is so fast: the smallest
    (lambda n: 0.5, 0.5, 4, 32),  # of equal ones the first that was measured
]


@pytest.mark.parametrize(("seconds", "wanted", "step", "size"), TIMES)
def test_the_nearest_size_in_time(seconds: Callable[[int], float], wanted: float, step: int, size: int) -> None:
    asked: list[int] = []

    def measured(n: int) -> float:
        asked.append(n)
        return seconds(n)

    found, time = calibration.nearest_in_time(measured, wanted, step)
    assert (found, time) == (size, seconds(size))
    assert found % step == 0 and len(asked) == len(set(asked)) < 20


def test_noise_ends_at_the_nearest_that_was_measured() -> None:
    times = {8: 0.05, 64: 0.3, 32: 0.4, 16: 0.25, 4: 0.02, 24: 0.1}
    asked: dict[int, float] = {}

    def measured(n: int) -> float:
        return asked.setdefault(n, times.get(n, 0.2))

    size, time = calibration.nearest_in_time(measured, 0.2, 4)
    assert asked[size] == time and time == min(asked.values(), key=lambda t: abs(t / 0.2 - 1))


def ticking(monkeypatch: pytest.MonkeyPatch, tick: float) -> None:
    """Makes the clock advance by `tick` seconds at each reading."""
    now = iter(range(10**6))
    monkeypatch.setattr(calibration, "time", types.SimpleNamespace(perf_counter=lambda: tick * next(now)))


def test_an_update_is_timed_without_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = toy.make(seeds=3, updates=5)
    for tick, updates in ((1.5, 1), (0.1, 50)):  # one update is long enough; or no call is, up to the longest
        ticking(monkeypatch, tick)
        assert calibration.seconds_per_update(plan, plan.cells[0], {}) == pytest.approx(tick / (3 * updates))


def test_the_least_disturbed_call_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = toy.make(seeds=3, updates=5)
    ends = itertools.accumulate([9.0, 1.4, 0.5, 1.2, 7.0])  # the first pages memory in; enough is timed before the last
    looks = itertools.chain.from_iterable(
        (end - taken, end) for end, taken in zip(ends, [9.0, 1.4, 0.5, 1.2, 7.0], strict=True)
    )
    monkeypatch.setattr(calibration, "time", types.SimpleNamespace(perf_counter=lambda: next(looks)))
    assert calibration.seconds_per_update(plan, plan.cells[0], {}) == pytest.approx(0.5 / 3)


def test_seeds_that_would_diverge_are_timed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training skips a diverged seed: an update would then take no time, and the number of updates be unbounded."""
    ticking(monkeypatch, 1.5)
    fast = toy.make(toy.task(toy.until(5.0)), seeds=3)
    assert calibration.seconds_per_update(fast, fast.cells[0], {}) == pytest.approx(1.5 / 3)
    never = toy.make(toy.task(toy.until(-1.0)), seeds=3)
    with pytest.raises(UserError, match=r"config\.cells\.toy: an update can't be timed"):
        calibration.seconds_per_update(never, never.cells[0], {})


def test_what_was_measured_is_in_the_run_s_config_and_what_was_asked_beside_it(
    clock: list[tuple[str, int]], tmp_path: Path
) -> None:
    asked = experiment(CONFIG | {"seconds": 0.3, "only": "gru", "eval_every": 2})
    plan, _ = prepare_comparison(asked, DataDirs())
    records = toy.run(toy.of(plan), tmp_path / "run", asked=asked)
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert written == records.header.config and written["cells"]["gru"]["updates"] == 6
    assert (records.header.asked or {})["cells"]["gru"]["updates"] is None
    assert [cell.updates for cell in records.cells] == [6]
    # The same command finds its run, and so does the config that the run wrote; another is refused.
    repeated = experiment(written)
    assert not calibration.needs_measurement(repeated)
    for config in (asked, repeated):
        found = check_workdir(tmp_path / "run", config)
        assert found is not None and found.finished
    other: ExperimentConfig = dataclasses.replace(asked, seconds=0.4)
    with pytest.raises(UserError, match="holds a run of another config"):
        check_workdir(tmp_path / "run", other)
