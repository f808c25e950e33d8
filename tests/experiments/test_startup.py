"""What a process doesn't import before it trains, since it costs a second and isn't needed yet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.benchmarks.startup import COMMANDS, StartupCommand, measure
from gru_research.config import UserError

ROOT = Path(__file__).parents[2]
LATE = ("matplotlib", "scipy.stats", "tensorboardX", "torch", "wandb", "tensorflow")
HELP = """
import contextlib, io, json, runpy, sys
sys.argv = [NAME, "--help"]
with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
    runpy.run_module("experiments." + NAME, run_name="__main__")
assert "flags:" in said.getvalue()
print(json.dumps([name for name in LATE if name in sys.modules]))
"""
TRAIN = """
import json, runpy, sys
from experiments.cli import running
sys.argv = ["compare", *ARGUMENTS]
running.write_report = lambda folder: print("late:", json.dumps([name for name in LATE if name in sys.modules]))
runpy.run_module("experiments.compare", run_name="__main__")
"""
TINY = [
    "--config=configs/adding.py", "--config.updates=1", "--config.eval_every=1", "--config.only=gru",
    "--config.seeds=1", "--config.task.length=4", "--config.task.test_size=4", "--config.task.validation_size=4",
]  # fmt: skip


def python(code: str, **names: object) -> str:
    head = "".join(f"{name} = {value!r}\n" for name, value in {"LATE": LATE, **names}.items())
    env = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", head + code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "compare",
        *(pytest.param(name, marks=pytest.mark.processes) for name in ("replicate", "prepare", "benchmark", "doctor")),
    ],
)
def test_help_imports_nothing_that_only_reports_need(name: str) -> None:
    assert json.loads(python(HELP, NAME=name)) == []


def test_the_report_would_be_noticed() -> None:
    assert json.loads(python(HELP, NAME="report")) == ["matplotlib"]


def test_training_imports_nothing_that_only_reports_and_trackers_need(tmp_path: Path) -> None:
    said = python(TRAIN, ARGUMENTS=[*TINY, f"--workdir={tmp_path}/run"])
    assert "late: []" in said and "gru 1/1" in said


def test_a_start_is_timed_until_its_line_or_its_end(tmp_path: Path) -> None:
    slow = StartupCommand(("-c", "import time; print('ready', flush=True); time.sleep(60)"), "ready")
    assert measure(slow, tmp_path, {}).wall < 30
    ended = measure(StartupCommand(("-c", "sum(range(10**6))")), tmp_path, {})
    assert ended.cpu > 0 and ended.wall > 0
    with pytest.raises(UserError, match="ended with 3"):
        measure(StartupCommand(("-c", "import sys; sys.exit(3)"), "ready"), tmp_path, {})
    assert COMMANDS["compare, first update"].until
