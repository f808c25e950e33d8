"""The kill test in short, and that it says no where a run isn't as the reference."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.crash_tests import kill_loop, kill_times, stages
from experiments.crash_tests.kill_log import KillLog
from experiments.crash_tests.run_difference import first_difference
from experiments.crash_tests.run_process import RunCommand
from gru_research import records
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.training import load_parameters, make_plan, save_parameters

ROOT = Path(__file__).parents[2]
KILLS = 2
TINY = (
    "only=gru,cells.gru.hidden_size=3,match=none,cells.lstm.hidden_size=2,cells.rnn.hidden_size=2,updates=40,eval_every=20,seeds=2,batch_size=4,tune.updates=20,"
    "task.length=5,task.validation_size=10,task.test_size=10"
)


@pytest.mark.processes
def test_killed_runs_end_as_the_undisturbed_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.killtest", f"--config=configs/killtest.py:{TINY}"]
    command += [f"--kills={KILLS}", "--checkpoint_seconds=0", f"--workdir={tmp_path / 'kills'}"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "kills" / kill_loop.FILE_NAME).read_text())
    assert found["equal"] and found["totals"]["kills"] == KILLS == sum(found["landed"].values())
    assert found["totals"]["runs completed"] == found["totals"]["runs equal to the reference"] >= 1
    log = (tmp_path / "kills" / "kills.log").read_text()
    assert log.count("landed in") == KILLS and log.count("equal to the reference") == len(found["victims"])
    assert "verdict" in done.stdout and "equal to the reference, bit for bit" in done.stdout
    assert not list((tmp_path / "kills").glob("victim-*"))


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    command = [sys.executable, "-m", "experiments.killtest", f"--workdir={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and str(tmp_path) in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run; two of them for a stand-in to copy would be equal."""
    config = {
        "task": {"name": "adding", "length": 4, "validation_size": 6, "test_size": 6},
        "cells": {"gru": {"kind": "gru", "hidden_size": 2}},
        "updates": 2,
        "batch_size": 4,
        "eval_every": 1,
        "seeds": 2,
        "tune": {"draws": 2, "updates": 1},
    }
    workdir = tmp_path_factory.mktemp("finished") / "run"
    assert run_comparison(make_plan(experiment(config)), workdir, DataDirs())
    return workdir


def _change(workdir: Path, kind: str, **fields: Any) -> None:
    """Puts fields into the last record of a kind."""
    path = workdir / records.FILE_NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    [line for line in lines if line["kind"] == kind][-1].update(fields)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _cut(workdir: Path) -> None:
    path = workdir / records.FILE_NAME
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _flip_a_bit(workdir: Path) -> None:
    """Of the last number of the best parameters' first array: the least that can differ."""
    found = load_parameters(workdir, "gru")
    name = next(iter(found["best"]))
    inner = found["best"]
    while isinstance(inner[name], dict):
        inner, name = inner[name], next(iter(inner[name]))
    inner[name] = np.array(inner[name])
    inner[name].view(np.uint32).reshape(-1)[-1] ^= 1
    save_parameters(workdir, "gru", tuple(found["seeds"]), found["params"], found["best"])


def _other_prediction(workdir: Path) -> None:
    (path,) = (workdir / "arrays").iterdir()
    with np.load(path) as saved:
        arrays = dict(saved)
    arrays["predictions/outputs"].view(np.uint32).reshape(-1)[0] ^= 1
    np.savez(path, **arrays)


def _other_devices(workdir: Path) -> None:
    env = records.read(workdir / records.FILE_NAME).header.env
    _change(workdir, "run", env=env | {"resumed": [{**env, "devices": [*env["devices"], "cpu:9"]}]})


def _other_engine(workdir: Path) -> None:
    env = records.read(workdir / records.FILE_NAME).header.env
    _change(workdir, "run", env=env | {"resumed": [{**env, "engine": "native sse4, 2 threads"}]})


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda run: _change(run, "result", test_loss=0.5), "(result of gru, seed 1): test_loss is 0.5 instead of"),
    (lambda run: _change(run, "evaluation", step=7), "(evaluation of gru, seed 1, step 2): step is 7 instead of 2"),
    (lambda run: _change(run, "draw", extra=1), "(draw of gru, seed 1000, draw 1): extra is 1 instead of null"),
    (_cut, "records instead of"),
    (_flip_a_bit, "has other bits in 1 of"),
    (_other_prediction, "test-gru.npz: predictions/outputs has other bits in 1 of"),
    (lambda run: (run / "arrays" / "test-gru.npz").unlink(), "arrays holds  instead of test-gru.npz"),
    (_other_devices, "it ran on"),
    (_other_engine, "it ran by native sse4, 2 threads instead of"),
    (lambda run: (run / "checkpoints" / "_unfinished").mkdir(), "checkpoints holds _unfinished, gru instead of gru"),
    (lambda run: (run / ".records.jsonl.new").touch(), ".records.jsonl.new was left behind"),
    (lambda run: (run / "config.json").write_text("{}"), "config.json differs"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=lambda v: v if isinstance(v, str) else "")
def test_the_first_thing_that_differs_is_named(
    damage: Callable[[Path], object], said: str, finished: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished, other)
    assert first_difference(finished, other, ("gru",)) == ""
    damage(other)
    assert said in first_difference(finished, other, ("gru",))


def test_times_and_environments_may_differ(finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished, other)
    _change(other, "result", time={"train_seconds": 99.0})
    _change(other, "run", env=records.read(other / records.FILE_NAME).header.env | {"git_commit": "another"})
    assert first_difference(finished, other, ("gru",)) == ""


STAND_IN = """
import pathlib, shutil, sys
workdir = pathlib.Path(sys.argv[-1].removeprefix("--workdir="))
print("writing to", workdir, flush=True)
shutil.rmtree(workdir, ignore_errors=True)
shutil.copytree({run!r}, workdir)
records = workdir / "records.jsonl"
if workdir.name.startswith("victim"):
    {then}
"""
"""Takes a run's place: copies a finished one, and does something else where it is a victim."""


def kill_stand_ins(finished: Path, folder: Path, then: str) -> tuple[int, dict[str, Any]]:
    """The exit status of a kill test of stand-ins, and its `killtest.json`."""
    (folder / "output").mkdir(parents=True)
    command = [sys.executable, "-c", STAND_IN.format(run=str(finished), then=then)]
    command = RunCommand(command, os.environ | {"PYTHONPATH": str(ROOT)}, ("gru",), 2)
    status = kill_loop.run_kill_test(command, folder, kills=2, seed=0)
    return status, json.loads((folder / kill_loop.FILE_NAME).read_text())


def test_a_run_that_ends_otherwise_ends_the_kill_test_with_status_1(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    then = "records.write_text(records.read_text().replace('\"seed\":1,', '\"seed\":3,'))"
    status, found = kill_stand_ins(finished, tmp_path, then)
    assert status == 1 and not found["equal"]
    assert found["difference"].startswith("victim ") and "seed is 3 instead of 1" in found["difference"]
    assert found["difference"] in capsys.readouterr().out
    assert (tmp_path / f"victim-{len(found['victims'])}").is_dir()


def test_a_run_that_fails_ends_the_kill_test(finished: Path, tmp_path: Path) -> None:
    status, found = kill_stand_ins(finished, tmp_path, "sys.exit('the disk is on fire')")
    assert status == 1 and "it failed with status 1: the disk is on fire" in found["difference"]


def test_equal_stand_ins_are_equal(finished: Path, tmp_path: Path) -> None:
    status, found = kill_stand_ins(finished, tmp_path, "pass")
    assert status == 0 and found["equal"] and found["totals"]["kills"] == 2


def test_one_that_is_stopped_says_what_it_found(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(self: KillLog, kill: Any) -> None:
        killed(self, kill)
        raise KeyboardInterrupt

    killed = KillLog.add_kill
    monkeypatch.setattr(KillLog, "add_kill", stopped)
    with pytest.raises(KeyboardInterrupt):
        kill_stand_ins(finished, tmp_path, "pass")
    assert json.loads((tmp_path / kill_loop.FILE_NAME).read_text())["totals"]["kills"] == 1
    assert "stopped after 1 of 2 kills" in capsys.readouterr().err


def test_moments_are_drawn_in_every_stage_and_those_of_a_seed_are_always_the_same() -> None:
    timeline = stages.StageTimeline()
    for stage in stages.STAGES:
        timeline.visits[stage] = [(1.0, 2.0), (3.0, 5.0)]
    drawn = [[kill_times.draw_kill_time(random.Random(seed), timeline) for _ in range(1)] for seed in (3, 3)]
    assert drawn[0] == drawn[1]
    source = random.Random(0)
    found = [kill_times.draw_kill_time(source, timeline) for _ in range(200)]
    assert {kill_time.stage for kill_time in found} == {*stages.STAGES, kill_times.ANYWHERE}
    kill_time = kill_times.KillTime(stages.TEST, visit=2, share=0.5)
    timeline.now = 3.5
    assert not kill_time.due(timeline, {stages.TEST: 2.0})
    timeline.now = 4.0
    assert kill_time.due(timeline, {stages.TEST: 2.0})
    assert not kill_time.due(timeline, {stages.TEST: 2.1})
    assert kill_time.sooner().due(timeline, {kill_times.ANYWHERE: 16.0})


PRINTED = "writing to run\n[  0%] gru, tuning 0/20  validation 1\n"
WHERE = [
    ("", stages.START_UP, ""),
    ("jax 0.10\nwriting to run\n", stages.SET_UP, ""),
    (PRINTED, stages.TUNING, "gru"),
    (PRINTED + "[  4%] gru, tuning 20/20  validation 1\n", stages.SET_UP, "gru"),
    (PRINTED + "[ 14%] gru 0/40  validation 1\n", stages.TRAINING, "gru"),
    (PRINTED + "[ 99%] gru 40/40  validation 1\n", stages.END, "gru"),
    ("run holds this run, finished: its report is made again\n", stages.END, ""),
]


@pytest.mark.parametrize(("printed", "stage", "cell"), WHERE)
def test_where_a_run_stands(printed: str, stage: str, cell: str, finished: Path) -> None:
    assert stages.locate_run(finished, printed, 0.0, ("gru",), 2) == stages.RunPosition(stage, cell)


def test_between_test_and_results_parameters_are_saved(finished: Path, tmp_path: Path) -> None:
    run, printed = tmp_path / "run", PRINTED + "[ 99%] gru 40/40  validation 1\n"
    shutil.copytree(finished, run)
    path = run / records.FILE_NAME
    path.write_text("".join(line for line in path.read_text().splitlines(True) if '"result"' not in line))
    assert stages.locate_run(run, printed, 0.0, ("gru",), 2).phase == stages.SAVING
    shutil.rmtree(run / "checkpoints" / "gru")
    assert stages.locate_run(run, printed, 0.0, ("gru",), 2).phase == stages.TEST
    (run / "checkpoints" / "_unfinished" / "gru" / "training" / f"40.{stages.TEMPORARY}").mkdir(parents=True)
    assert stages.locate_run(run, printed, 0.0, ("gru",), 2).phase == stages.CHECKPOINT
