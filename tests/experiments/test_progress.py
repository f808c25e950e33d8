"""What a run shows while it goes on: progress lines, the time that is left, a trace for xprof."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import progress
from experiments.cli.eta import Eta, duration, time_left
from experiments.cli.profiling import TRACED_CALLS, WARM_CALLS, Profile
from gru_research import records
from gru_research.config import experiment
from gru_research.runs.check_workdir import changes
from gru_research.training import Plan, Progress, make_plan

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4},
    "cells": {"gru": {"kind": "gru", "hidden_size": 2}, "lstm": {"kind": "lstm", "updates": 50}},
    "updates": 100,
    "seeds": 2,
}


def at(
    cell: str, step: int, phase: str = "training", updates: int = 100, members: int = 2, evaluating: float = 0.0
) -> Progress:
    return Progress(cell, phase, step, updates, members, 0.01 * step, evaluating, validation_metric=0.25)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def estimated(plan: Plan, *reports: tuple[float, Progress]) -> Eta:
    clock = Clock()
    eta = Eta(plan, clock)
    for seconds, where in reports:
        clock.now += seconds
        eta.update(where)
    return eta


def test_what_is_left_is_updates_at_their_pace_and_compiling() -> None:
    plan = make_plan(experiment(CONFIG))  # 2 x 100 updates, then 2 x 50
    assert estimated(plan, (5.0, at("gru", 0))).seconds is None
    half = estimated(plan, (5.0, at("gru", 0)), (10.0, at("gru", 50)))
    assert half.share == pytest.approx(100 / 300)
    assert half.seconds == pytest.approx(5.0 + 200 * 0.1)
    second = estimated(plan, (5, at("gru", 0)), (20, at("gru", 100)), (7, at("lstm", 0, updates=50)))
    assert second.share == pytest.approx(200 / 300) and second.seconds == pytest.approx(100 * 0.1)
    end = estimated(
        plan, (5, at("gru", 0)), (20, at("gru", 100)), (7, at("lstm", 0, updates=50)), (1, at("lstm", 50, updates=50))
    )
    assert end.share == 1 and end.seconds == 0


def test_evaluations_and_the_test_are_left_too() -> None:
    fields = {"evaluations": 2, "only": "gru"}  # at 0, 50 and 100, and the test
    plan = make_plan(experiment(CONFIG | fields))
    looks = [(9.0, at("gru", 0, evaluating=4.0)), (0.2, at("gru", 25, evaluating=4.0))]
    assert estimated(plan, *looks).seconds == pytest.approx(0.6 + 3 * 4.0)  # once 0.6 s, though evaluations took most
    looks.append((0.2 + 2.0, at("gru", 50, evaluating=6.0)))  # an evaluation takes 3 s on average
    assert estimated(plan, *looks).seconds == pytest.approx(0.4 + 2 * 3.0)
    looks.append((0.4 + 3.0, at("gru", 100, evaluating=9.0)))
    end = estimated(plan, *looks)
    assert end.share == 1 and end.seconds == pytest.approx(3.0)  # the test


def test_another_cell_s_first_evaluation_and_its_start_are_left() -> None:
    plan = make_plan(experiment(CONFIG | {"evaluations": 1}))
    gru = [(9.0, at("gru", 0, evaluating=4.0)), (1.0 + 4.0, at("gru", 100, evaluating=8.0))]
    assert estimated(plan, *gru).seconds == pytest.approx(5.0 + 100 * 1 / 200 + 3 * 4.0)
    both = estimated(plan, *gru, (7.0 + 4.0, at("lstm", 0, updates=50, evaluating=4.0)))
    assert both.share == pytest.approx(2 / 3) and both.seconds == pytest.approx(100 * 1 / 200 + 2 * 4.0)


@pytest.mark.parametrize(
    ("share", "seconds", "said"),
    [(0.67, 0.03, "under 1 s left"), (0.67, 3.2, "3 s left"), (1.0, 0.03, ""), (1.0, 75.0, "1 min 15 s left")],
)
def test_no_time_left_is_said_only_at_the_end(share: float, seconds: float, said: str) -> None:
    assert time_left(share, seconds) == said


def test_tuning_counts_with_all_its_members() -> None:
    plan = make_plan(experiment(CONFIG | {"tune": {"draws": 3, "updates": 10}, "only": "gru"}))
    tuning = at("gru", 5, "tuning", updates=10, members=3)
    remaining = estimated(plan, (4, at("gru", 0, "tuning", updates=10, members=3)), (3, tuning))
    assert remaining.share == pytest.approx(15 / 230)
    assert remaining.seconds == pytest.approx(4 + 215 * 3 / 15)


def test_a_resumed_run_is_timed_from_where_it_goes_on() -> None:
    plan = make_plan(experiment(CONFIG))
    remaining = estimated(plan, (5, at("lstm", 20, updates=50)), (1, at("lstm", 30, updates=50)))
    assert remaining.share == pytest.approx(260 / 300) and remaining.seconds == pytest.approx(40 * 1 / 20)


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")])
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_plain_lines_have_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    with progress.ProgressLine(make_plan(experiment(CONFIG))) as line:
        for step in (0, 50, 100):
            line.show(at("gru", step))
    first, middle, last = capsys.readouterr().out.splitlines()
    assert first == "[  0%] gru 0/100  validation 0.25"
    pattern = r"\[ (33|67)%\] gru (50|100)/100  validation 0\.25  5\.00 ms/update and seed  (under 1|[1-9]) s left"
    assert re.fullmatch(pattern, middle) and re.fullmatch(pattern, last)


def traced(folder: Path, steps: range, updates: int) -> None:
    with Profile(folder, wanted=True) as profile:
        for step in steps:
            profile.on_call(at("gru", step, updates=updates))


def test_a_trace_is_of_warm_calls_and_says_how_to_open_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traced(tmp_path / "profile", range(10), updates=10)
    (trace,) = (tmp_path / "profile").rglob("*.xplane.pb")
    assert trace.stat().st_size > 0
    said = capsys.readouterr()
    assert f"updates {WARM_CALLS} to {WARM_CALLS + TRACED_CALLS}" in said.out and not said.err
    assert f"xprof --logdir={tmp_path}/profile" in said.out


def test_a_trace_ends_with_its_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traced(tmp_path / "profile", range(WARM_CALLS + 2), updates=WARM_CALLS + 1)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))
    assert f"to {WARM_CALLS + 1} are traced" in capsys.readouterr().out


def test_too_short_a_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traced(tmp_path / "profile", range(WARM_CALLS + 1), updates=WARM_CALLS)
    assert not (tmp_path / "profile").exists() and "nothing was traced" in capsys.readouterr().err


def test_a_trace_that_cannot_be_written_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "profile").write_text("a file")
    traced(tmp_path / "profile", range(10), updates=10)
    assert "warning: --profile: no trace" in capsys.readouterr().err


def test_without_the_flag_nothing_is_traced(tmp_path: Path) -> None:
    with Profile(tmp_path / "profile", wanted=False) as profile:
        for step in range(10):
            profile.on_call(at("gru", step, updates=10))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run with a trace, a tracker that works, and one that isn't installed."""
    workdir = tmp_path_factory.mktemp("runs") / "shown"
    fields = ["updates=6", "eval_every=1", "seeds=1", "batch_size=2", "only=gru", "trackers=('tensorboard','wandb')"]
    sizes = ["task.length=4", "task.validation_size=4", "task.test_size=4"]
    spec = "--config=configs/adding.py:" + ",".join([*fields, *sizes])
    command = [sys.executable, "-m", "experiments.compare", spec, "--profile", f"--workdir={workdir}"]
    stand_ins = tmp_path_factory.mktemp("absent")
    (stand_ins / "wandb.py").write_text("raise ImportError('not here')")
    path = os.pathsep.join(map(str, [stand_ins, ROOT, ROOT / "tests" / "stand_ins"]))
    env = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    return workdir, subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_a_run_is_tracked_and_traced(shown: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    workdir, done = shown
    assert done.returncode == 0, done.stderr
    (warning,) = done.stderr.strip().splitlines()
    assert "tracker wandb is off" in warning and "not here" in warning
    assert list((workdir / "profile").rglob("*.xplane.pb")) and f"xprof --logdir={workdir}/profile" in done.stdout
    assert list((workdir / "tensorboard" / "adding" / "gru" / "seed0").glob("*tfevents*"))
    assert records.read(workdir / records.FILE_NAME).finished and (workdir / "report.html").exists()
    assert re.search(r"\[100%\] gru 6/6 .* ms/update and seed$", done.stdout, re.MULTILINE)


def test_the_same_run_with_other_trackers_is_the_same_run(
    shown: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    workdir, _ = shown
    run = records.read(workdir / records.FILE_NAME)
    mapping: dict[str, Any] = dict(run.header.config)
    assert not changes(run, experiment(mapping | {"trackers": ""}))
    assert changes(run, experiment(mapping | {"trackers": "", "updates": 7})) == {"updates": (6, 7)}
    before = {name: value for name, value in mapping.items() if name != "trackers"}  # as before there were any
    assert not changes(
        dataclasses.replace(run, header=dataclasses.replace(run.header, config=before)), experiment(mapping)
    )
