"""Trackers: what they are told is what is on record, and one that fails stops nothing."""

import json
import math
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gru_research import records, trackers
from gru_research.config import UserError, experiment
from gru_research.runs.comparison import run_comparison
from gru_research.trackers import fan_out
from gru_research.trackers.base import Point, RunInfo
from gru_research.trackers.weights_biases import ID_FILE
from gru_research.training import make_plan
from tests.faults import fault, seen
from tests.trackers import event_files, stand_ins

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 5, "test_size": 5},
    "cells": {"gru": {"kind": "gru", "hidden_size": 2}},
    "updates": 4,
    "batch_size": 3,
    "eval_every": 2,
    "seeds": 2,
    "tune": {"draws": 2},
    "optimizer": {"clip": 0.1},
    "probes": "gradient_flow",
    "trackers": ("tensorboard", "wandb"),
}
EVALUATION: dict[str, Any] = {
    "task": "adding", "cell": "gru", "seed": 0, "train_loss": 0.5, "gradient_norm": 2.0, "validation_loss": 0.25,
    "validation_metric": 0.125, "diverged_at": None, "time": {"train_seconds": 1.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, records.Run, list[tuple[str, Any]]]:
    workdir, calls = tmp_path_factory.mktemp("runs") / "tracked", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wandb", stand_ins.wandb(calls))
        assert run_comparison(make_plan(experiment(CONFIG)), workdir)
    return workdir, records.read(workdir / records.FILE_NAME), calls


def test_tensorboard_shows_what_is_on_record(tracked: tuple[Path, records.Run, Any]) -> None:
    workdir, run, _ = tracked
    folder = workdir / "tensorboard" / "adding" / "gru"
    for seed in (0, 1):
        points = event_files.shown(folder / f"seed{seed}")
        mine = [e for e in run.evaluations if e.seed == seed]
        for tag, field in [("validation_mse", "validation_metric"), ("train_loss", "train_loss")]:
            written = [(e.step, getattr(e, field)) for e in mine if getattr(e, field) is not None]
            assert points[tag] == [(step, pytest.approx(value, rel=1e-6)) for step, value in written]  # float32
        (result,) = [r for r in run.results if r.seed == seed]
        assert points["test_mse"] == [(4, pytest.approx(result.test_metric, rel=1e-6))]
        probed = [(p.step, pytest.approx(p.measured["log_norm"][-1])) for p in run.probes if p.seed == seed]
        assert len(probed) == 3 and points["gradient_flow_log_norm"] == probed
        assert points["gradient_flow_lags"][0] == (0, 4) and len(points["clipped_share"]) == 3
        assert "diverged_at" not in points and "steps_to_solve" not in points
    draws = event_files.shown(folder / "draws" / "seed1000")
    assert [step for step, _ in draws["learning_rate"]] == [0, 1] and sum(v for _, v in draws["chosen"]) == 1
    assert draws["learning_rate"] == [(d.draw, pytest.approx(d.values["learning_rate"])) for d in run.draws]
    assert event_files.shown(folder)["parameters"] == [(0, run.cells[0].parameters)]
    (text,) = event_files.texts(workdir / "tensorboard").values()
    assert json.loads(text) == run.header.config


def test_wandb_is_told_what_is_on_record(tracked: tuple[Path, records.Run, list[tuple[str, Any]]]) -> None:
    workdir, run, calls = tracked
    names = [name for name, _ in calls]
    assert names[0] == "init" and names[-1] == "finish" and calls[-1] == ("finish", 0)
    started = calls[0][1]
    assert (started["resume"], started["name"], started["dir"]) == ("allow", "tracked", str(workdir))
    assert started["id"] == (workdir / ID_FILE).read_text().strip() and started["config"] == run.header.config
    logged = [said for name, said in calls if name == "log"]
    assert len(logged) == len(run.draws) + len(run.cells) + len(run.evaluations) + len(run.probes) + len(run.results)
    tag = "adding/gru/seed1/validation_mse"
    assert [(said["update"], said[tag]) for said in logged if tag in said] == [
        (e.step, e.validation_metric) for e in run.evaluations if e.seed == 1
    ]
    assert ("define_metric", ("*", "update")) in calls


def about(workdir: Path) -> RunInfo:
    return RunInfo(workdir, {"seeds": 1}, "mse", "mse")


def evaluate(started: trackers.Trackers, *steps: int, value: float = 0.5) -> None:
    for step in steps:
        started.record(records.Evaluation(**EVALUATION | {"step": step, "validation_metric": value}))


def test_a_resumed_run_hides_what_it_writes_again(tmp_path: Path) -> None:
    killed = trackers.start(["tensorboard"], about(tmp_path))
    evaluate(killed, 0, 2, 4, 6, value=0.5)  # never closed, as after kill -9
    resumed = trackers.start(["tensorboard"], about(tmp_path))
    evaluate(resumed, 4, 6, 8, value=0.25)
    resumed.close(True)
    points = event_files.shown(tmp_path / "tensorboard" / "adding" / "gru" / "seed0")
    assert points["validation_mse"] == [(0, 0.5), (2, 0.5), (4, 0.25), (6, 0.25), (8, 0.25)]


def test_a_resumed_run_goes_on_under_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []
    monkeypatch.setitem(sys.modules, "wandb", stand_ins.wandb(calls))
    for workdir in (tmp_path / "a", tmp_path / "a", tmp_path / "b"):
        workdir.mkdir(exist_ok=True)
        trackers.start(["wandb"], about(workdir)).close(False)
    first, again, other = [said["id"] for name, said in calls if name == "init"]
    assert first == again != other
    assert [said for name, said in calls if name == "finish"] == [1, 1, 1]


FAILS = [
    pytest.param("init", marks=fault("trackers", "a tracker that can't start")),
    pytest.param("log", marks=fault("trackers", "a tracker that fails in the middle of a run")),
    pytest.param("finish", marks=fault("trackers", "a tracker that fails at the end")),
]


@pytest.mark.parametrize("fails", FAILS)
def test_a_tracker_that_fails_is_off_after_one_warning(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, Any]] = []
    monkeypatch.setitem(sys.modules, "wandb", stand_ins.wandb(calls, fails))
    started = trackers.start(["wandb", "tensorboard"], about(tmp_path))
    evaluate(started, 0, 2)
    started.close(True)
    (warning,) = capsys.readouterr().err.strip().splitlines()
    assert "wandb" in warning and f"ConnectionError: no network in {fails}" in warning
    seen(warning)
    told = [name for name, _ in calls if name == "log"]
    assert len(told) == (2 if fails == "finish" else 0)
    points = event_files.shown(tmp_path / "tensorboard" / "adding" / "gru" / "seed0")
    assert [step for step, _ in points["validation_mse"]] == [0, 2]


@pytest.mark.parametrize(
    "name", ["tensorboardX", pytest.param("wandb", marks=fault("trackers", "a tracker that isn't installed"))]
)
def test_a_tracker_that_is_not_installed_names_its_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    started = trackers.start([name.removesuffix("X")], about(tmp_path))
    evaluate(started, 0)
    started.close(True)
    (warning,) = capsys.readouterr().err.strip().splitlines()
    assert f"'.[{name.removesuffix('X')}]'" in warning and "ModuleNotFoundError" in warning
    seen(warning)


@fault("trackers", "a directory that a tracker can't write")
def test_a_directory_that_tensorboard_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tensorboard").write_text("a file")
    started = trackers.start(["tensorboard"], about(tmp_path))
    evaluate(started, 0)
    started.close(True)
    (warning,) = capsys.readouterr().err.strip().splitlines()
    assert "the tracker tensorboard is off" in warning and f"{tmp_path}/tensorboard" in warning
    seen(warning)


@fault("trackers", "a tracker that never returns")
def test_one_that_never_comes_back_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = threading.Event()

    class Slow:
        def __init__(self, about: RunInfo):
            pass

        def point(self, point: Point) -> None:
            raise AssertionError("not called")

        def close(self, finished: bool) -> None:
            waiting.wait()

    monkeypatch.setattr(fan_out, "CLOSING_SECONDS", 0.05)
    fan_out.Trackers({"slow": Slow}, about(tmp_path)).close(True)
    waiting.set()
    warning = capsys.readouterr().err
    assert "slow" in warning
    seen(warning)


def test_a_run_whose_tracker_fails_ends_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", stand_ins.wandb([], "log"))
    config = CONFIG | {"trackers": "wandb", "tune": {}, "seeds": 1, "updates": 2}
    assert run_comparison(make_plan(experiment(config)), tmp_path / "run")
    assert records.read(tmp_path / "run" / records.FILE_NAME).finished
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_numbers_that_are_not_finite_or_not_there_are_left_out() -> None:
    lost = {"step": 3, "train_loss": None, "validation_metric": math.inf, "diverged_at": 2}
    point = trackers.point_of(records.Evaluation(**EVALUATION | lost), "mse", "mse")
    assert point is not None and point.series == "adding/gru/seed0" and point.step == 3
    assert set(point.values) == {"gradient_norm", "validation_loss", "diverged_at", "train_seconds"}
    assert trackers.point_of(records.End(status="finished"), "mse", "mse") is None


def test_a_value_has_the_name_of_its_own_metric() -> None:
    names = ("exact_match", "token_accuracy")
    evaluation = trackers.point_of(records.Evaluation(**EVALUATION | {"step": 3, "validation_metric": 0.75}), *names)
    assert evaluation is not None and evaluation.values["validation_token_accuracy"] == 0.75
    assert not any("exact_match" in name for name in evaluation.values)
    numbers = {"updates": 5, "test_metric": 0.25, "train_set_metric": 0.5}
    point = trackers.point_of(records.Result(task="t", cell="gru", seed=0, **numbers), *names)
    assert point is not None and point.values == {"test_exact_match": 0.25, "train_set_exact_match": 0.5}


@fault("trackers", "an unknown tracker")
def test_names_are_checked_before_anything_runs() -> None:
    with pytest.raises(UserError, match=r"config\.trackers='tensorbord'.*did you mean 'tensorboard'.*wandb") as caught:
        make_plan(experiment(CONFIG | {"trackers": "wandb, tensorbord"}))
    seen(caught)


def test_a_tuple_of_names_is_taken() -> None:
    for names in (("wandb", "tensorboard"), "wandb,tensorboard"):
        assert experiment(CONFIG | {"trackers": names}).trackers == "wandb,tensorboard"


@pytest.mark.parametrize("task", ["../x", "/etc/x", "a/../../../b", "..", ".", "", "a\0b", "x" * 300, "é" * 300])
def test_tensorboard_stays_within_its_directory(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started = trackers.start(["tensorboard"], about(tmp_path / "run"))
    started.record(records.Evaluation(**EVALUATION | {"task": task, "step": 0}))
    started.close(True)
    assert capsys.readouterr().err == ""
    assert [p.name for p in tmp_path.iterdir()] == ["run"] and [p.name for p in (tmp_path / "run").iterdir()] == [
        "tensorboard"
    ]
    assert len(list((tmp_path / "run" / "tensorboard").glob("**/gru/seed0/*tfevents*"))) == 1


@fault("names", "a W&B id that is a path")
def test_an_id_that_is_none_of_wandb_s_turns_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, Any]] = []
    monkeypatch.setitem(sys.modules, "wandb", stand_ins.wandb(calls))
    (tmp_path / ID_FILE).write_text("../../x\n")
    trackers.start(["wandb"], about(tmp_path)).close(True)
    (warning,) = capsys.readouterr().err.strip().splitlines()
    assert calls == [] and "holds no id of a run" in warning
    seen(warning)
