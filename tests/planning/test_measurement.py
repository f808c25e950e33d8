"""What cells cost: the sums against sums by hand, with clocks that nobody waits for."""

import dataclasses
import itertools
import types
from pathlib import Path

import pytest

from gru_research.config import UserError
from gru_research.planning import forecast, intervals, machine, measurement
from gru_research.planning.forecast import Rates
from gru_research.planning.intervals import Interval, exactly
from gru_research.training import calibration
from gru_research.training.loop import Hooks, train_members
from gru_research.training.seeds import make_seed_axis
from gru_research.training.selection import Schedule
from tests.training import toy


def schedule(updates: int, eval_every: int) -> Schedule:
    return Schedule("training", updates, eval_every, "last", 0)


def test_a_spread_is_the_median_and_the_quantiles_around_it() -> None:
    found = intervals.interval_of([float(n) for n in range(11)])
    assert (found.low, found.middle, found.high) == pytest.approx((1, 5, 9))
    assert intervals.interval_of([2.0]) == exactly(2.0)


def test_intervals_add_and_scale_at_each_end() -> None:
    a, b = Interval(1, 2, 4), Interval(10, 20, 30)
    assert a + b == Interval(11, 22, 34) and a.times(3) == Interval(3, 6, 12)
    assert intervals.total([a, b, exactly(5)]) == Interval(16, 27, 39)


INTERPOLATED = [
    ({1: Interval(1, 2, 3), 3: Interval(5, 8, 13)}, 2, Interval(3, 5, 8)),
    ({1: Interval(1, 2, 3), 3: Interval(5, 8, 13)}, 5, Interval(9, 14, 23)),
    ({1: Interval(1, 2, 3), 3: Interval(5, 8, 13)}, 3, Interval(5, 8, 13)),
    ({2: Interval(2, 4, 6)}, 3, Interval(3, 6, 9)),
    ({1: Interval(3, 4, 9), 2: Interval(2, 3, 8)}, 9, Interval(3, 4, 9)),  # falls: noise
]


@pytest.mark.parametrize(("points", "x", "wanted"), INTERPOLATED)
def test_interpolation_between_two_points(points: dict[int, Interval], x: int, wanted: Interval) -> None:
    found = intervals.interpolate(points, x)
    assert (found.low, found.middle, found.high) == pytest.approx((wanted.low, wanted.middle, wanted.high))


RATES = Rates(Interval(1, 2, 3), exactly(2.5), Interval(10, 11, 12), exactly(40), compiling=100, compiling_test=7)


def test_a_phase_is_its_parts_times_how_often_they_come() -> None:
    trained = forecast.phase_cost(RATES, schedule(250, 100), tested=True)  # evaluated at 0, 100, 200 and 250
    assert trained.compiling == exactly(107) and trained.updating == Interval(250, 500, 750)
    assert trained.updating + trained.loading == Interval(625, 625, 750)  # batches take 2.5 for each update of 1 to 3
    assert trained.evaluating == Interval(80, 84, 88)
    assert trained.total == Interval(812, 816, 945)
    tuned = forecast.phase_cost(RATES, schedule(200, 100), tested=False)
    assert tuned.compiling == exactly(100) and tuned.evaluating == Interval(30, 33, 36)
    assert (trained + tuned).total == trained.total + tuned.total


@pytest.mark.parametrize(("updates", "eval_every"), [(5, 2), (4, 2), (1, 9)])
def test_evaluations_are_as_many_as_training_makes(updates: int, eval_every: int) -> None:
    plan = toy.make(seeds=1)
    asked = schedule(updates, eval_every)
    hooks = Hooks(record=lambda kind, **fields: None)
    sets = plan.task.data.load(toy.DataDirs())
    trained = train_members(plan, plan.cells[0], sets, make_seed_axis([0], plan.cells[0].scalars), asked, hooks)
    assert forecast.evaluations(asked) == len(trained.evaluations)


def test_other_numbers_of_members_lie_on_the_line_through_those_measured() -> None:
    one = dataclasses.replace(RATES, update=exactly(1), evaluation=exactly(4), test=exactly(8))
    three = dataclasses.replace(RATES, update=exactly(2), evaluation=exactly(8), test=exactly(16))
    found = three.with_members({1: one, 3: three}, 7, loading=3.0)
    assert (found.update, found.evaluation, found.test) == (exactly(4), exactly(16), exactly(32))
    assert found.loading == exactly(7.5) and found.compiling == 100


@pytest.mark.parametrize(("members", "devices", "most"), [(5, 2, 3), (1, 2, 1), (4, 2, 2), (9, 4, 3), (7, 1, 7)])
def test_the_busiest_device(members: int, devices: int, most: int) -> None:
    assert forecast.busiest(members, devices) == most


def test_a_measurement_with_a_clock_that_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is half a second after the one before."""
    now = itertools.count(step=0.5)
    monkeypatch.setattr(measurement, "time", types.SimpleNamespace(perf_counter=lambda: next(now)))
    monkeypatch.setattr(calibration, "time", types.SimpleNamespace(perf_counter=lambda: next(now)))
    plan = toy.make(seeds=3, updates=5, select="best")
    sets = plan.task.data.load(toy.DataDirs())
    found, fewer = measurement.measure(plan, plan.cells[0], sets, [3, 2], seconds=4.5)
    assert found.rates == Rates(exactly(0.5), exactly(0), exactly(0.5), exactly(0.5), 0.5, 0.0)
    # Three turns of 1.5 s; the very first update isn't timed.
    assert (found.members, found.timed_calls, found.timed_updates) == (3, 9, 9)
    assert fewer.members == 2 and fewer.rates == found.rates
    # One sequence of four steps and whether it counts; one parameter for each of three seeds, on one device.
    assert (found.memory.sets, found.memory.kept, found.memory.devices) == (17, 12, 1)
    assert found.memory.state > 12 and found.memory.process is not None
    assert found.memory.needed == found.memory.device + found.memory.process


def test_each_way_of_answering_costs_an_evaluation_before_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count(step=0.5)
    monkeypatch.setattr(measurement, "time", types.SimpleNamespace(perf_counter=lambda: next(now)))
    monkeypatch.setattr(calibration, "time", types.SimpleNamespace(perf_counter=lambda: next(now)))
    choices = tuple({"name": "beam_search", "beams": beams} for beams in (1, 2, 3))
    data = dataclasses.replace(toy.TASK.data, test_size=2)  # pyright: ignore
    plan = toy.make(dataclasses.replace(toy.TASK, data=data, answer_choices=choices), seeds=3, updates=5)
    sets = plan.task.data.load(toy.DataDirs())
    validation, test = (len(sets[name]["inputs"]) for name in ("validation", "test"))
    (found,) = measurement.measure(plan, plan.cells[0], sets, [3], seconds=4.5)
    assert found.rates.test == exactly(0.5 * (1 + 3 * validation / test))
    assert found.rates.compiling_test == 0.5 * (1 + 3)
    assert found.rates.evaluation == exactly(0.5)


def test_a_test_set_of_another_shape_is_compiled_apart() -> None:
    task = dataclasses.replace(
        toy.TASK, data=dataclasses.replace(toy.TASK.data, make_test=toy.ones(9), test_size=2)  # pyright: ignore
    )  # fmt: skip
    plan = toy.make(task, seeds=1)
    compiled = measurement.compile_cell(plan, plan.cells[0], 1, task.data.load(toy.DataDirs()))
    assert compiled.test_seconds > 0 and compiled.evaluate_test is not compiled.evaluate
    assert compiled.memory.sets == 2 * 9 * 4 + 2


def test_a_share_is_trained_as_a_comparison_trains() -> None:
    plan = toy.make(toy.task(toy.until(7.0)), seeds=3)
    sets = plan.task.data.load(toy.DataDirs())
    found = measurement.train_briefly(plan, plan.cells[0], 3, sets, schedule(6, 2))
    assert found.updates == 6 and found.seconds >= found.train_seconds > 0
    assert found.diverged == sum(toy.start(seed) + 5 > 7 for seed in range(3)) > 0
    never = toy.make(toy.task(toy.until(-1.0)), seeds=3)
    with pytest.raises(UserError, match=r"config\.cells\.toy: an update can't be timed"):
        measurement.measure(never, never.cells[0], sets, [3], 0.1)


def test_memory_on_devices_of_their_own_and_on_shared_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = measurement.Memory(state=1, temporaries=10, sets=100, kept=1000, devices=4, process=50)
    assert memory.device == 1111
    for own, needed in ((True, 1111), (False, 4494)):
        monkeypatch.setattr(measurement, "has_own_memory", lambda own=own: own)
        assert memory.needed == needed


def test_the_limit_is_what_is_free_and_ours_or_the_container_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/meminfo": "MemTotal:  900 kB\nMemAvailable:   600 kB\n",
        "/proc/self/status": "VmHWM:  50 kB\nVmRSS:\t  40 kB\n",
    }
    monkeypatch.setattr(machine, "_read", lambda path: texts.get(str(path), ""))
    assert machine.memory_limit() == 640 * 1024
    assert (machine.resident_memory(), machine.peak_memory()) == (40 * 1024, 50 * 1024)
    texts[str(machine.CGROUP_LIMITS[0])] = "max\n"
    assert machine.memory_limit() == 640 * 1024
    texts[str(machine.CGROUP_LIMITS[1])] = "1000\n"
    assert machine.memory_limit() == 1000
    assert machine.seconds_since_start() is None
    texts |= {"/proc/self/stat": "1 (a ) b) " + " ".join(["0"] * 19 + ["500"] + ["0"] * 9), "/proc/uptime": "12.5 9"}
    monkeypatch.setattr(machine.os, "sysconf", lambda name: 100)
    assert machine.seconds_since_start() == 7.5
    texts.clear()
    assert machine.memory_limit() is None and machine.peak_memory() is None
