"""`experiments.plan` as a command: tables, JSON, and a user's mistakes."""

import json
from pathlib import Path

import pytest

from tests.faults import fault, seen
from tests.launching import launch

TASK = """
import ml_collections
def get_config():
    return ml_collections.ConfigDict({
        "task": {"name": "adding", "length": 16, "validation_size": 5, "test_size": 5},
        "cells": {"rnn": {"kind": "rnn", "hidden_size": 2}},
        "updates": 6, "eval_every": 3, "batch_size": 3, "seeds": 2,
    })
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(TASK)
    return tmp_path


def test_tables_of_what_was_measured_predicted_and_checked(folder: Path) -> None:
    flags = ["--seeds=5", "--check", "--seconds=0.01"]
    done = launch("plan", "--config=task.py", *flags, cwd=folder)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for part in ("adding, as configured: 2 seeds", "adding, 5 seeds", "time measured"):
        assert part in done.stdout
    assert "rnn, check over 6 updates" in done.stdout
    assert [p.name for p in folder.iterdir()] == ["task.py"]  # nothing is written


def test_json_for_machines(folder: Path) -> None:
    done = launch("plan", "--config=task.py", "--json", "--config.updates=7", "--seconds=0.01", cwd=folder)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    (run,) = made["runs"]
    (forecast,) = run["cells"][0]["forecasts"]
    assert forecast["cell"] == "rnn" and forecast["parameters"] == 13 and forecast["basis"] == "measured"
    assert forecast["needed"] > 0 and forecast["total"] == run["totals"]["as configured"]
    assert 0 < forecast["update"]["low"] <= forecast["update"]["middle"] <= forecast["update"]["high"]
    assert made["machine"]["devices"] >= 1 and "measured: rnn" in done.stderr


MISTAKES = [
    (["--config=nope.py"], ["nope.py: no such file"]),
    pytest.param(
        ["--config=task.py", "--seeds=50,x"],
        ["--seeds=50,x", "whole numbers"],
        marks=fault("plan and doctor", "a number of seeds that isn't a number"),
    ),
    (["--config=task.py", "--seeds=0"], ["--seeds=0", "at least 1"]),
    (["--config=task.py", "--seconds=0"], ["seconds"]),
    (["--config=task.py", "--require_backend=tpu"], ["--require_backend=tpu"]),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda v: " ".join(v)[:60])
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], said: list[str], folder: Path) -> None:
    done = launch("plan", *arguments, cwd=folder)
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    assert all(part in line for part in said), line
    seen(done)
