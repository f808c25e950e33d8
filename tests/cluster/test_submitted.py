"""Commands that submit themselves to a real Slurm: whole and spread over jobs, preempted, interrupted, refused."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.crash_tests.local_slurm import URGENT, LocalSlurm
from experiments.crash_tests.run_difference import first_difference
from gru_research import records
from tests.cluster.conftest import ROOT
from tests.faults import fault, seen

pytest.importorskip("optuna")
pytest.importorskip("submitit")

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("slurm")]
TINY = (
    "match=none,cells.gru.hidden_size=3,cells.lstm.hidden_size=2,cells.rnn.hidden_size=2,eval_every=20,seeds=1,"
    "batch_size=4,task.length=5,task.validation_size=10,task.test_size=10"
)


def compare(workdir: Path, *arguments: str, only: str = "gru,lstm", updates: int = 40) -> list[str]:
    config = f"--config=configs/killtest.py:sweep,{TINY},updates={updates}"
    words = [sys.executable, "-m", "experiments.compare", config, f"--config.only={only}"]
    return [*words, f"--workdir={workdir}", *arguments]


def long(workdir: Path, updates: int) -> list[str]:
    return compare(workdir, "--engine=slurm", "--config.eval_every=2000", only="gru", updates=updates)


def done(words: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def during(words: list[str], act: Callable[["subprocess.Popen[str]"], None]) -> tuple[int, str, str]:
    """Runs a command while `act` acts on it; returns its status, output and errors."""
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            act(process)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    return process.returncode, out, err


def wait_until(condition: Callable[[], Any], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_cells_in_jobs_of_their_own_equal_one_process(tmp_path: Path, slurm: LocalSlurm) -> None:
    spread = done(compare(tmp_path / "jobs", "--engine=slurm", "--array"))
    assert spread.returncode == 0 and not slurm.jobs(), spread.stdout + spread.stderr
    assert "submitted 2 jobs: " in spread.stdout and "gru | [" in spread.stdout and "lstm | [" in spread.stdout
    alone = done(compare(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    assert first_difference(tmp_path / "alone", tmp_path / "jobs", ("gru", "lstm")) == ""
    assert (tmp_path / "jobs" / "report.html").is_file() and not (tmp_path / "jobs" / "slurm" / "cells").exists()


@fault("signals", "preemption of a command that submitted itself to Slurm")
def test_a_preempted_command_is_requeued_and_goes_on(tmp_path: Path, slurm: LocalSlurm) -> None:
    file = tmp_path / "it" / records.FILE_NAME

    def preempt(process: "subprocess.Popen[str]") -> None:
        wait_until(lambda: file.is_file() and '"step":2000,' in file.read_text())
        slurm.run("sbatch", f"--partition={URGENT}", "--exclusive", "--output=/dev/null", "--wrap=true")
        wait_until(lambda: list(slurm.jobs().values()) == ["PENDING"])
        slurm.start_requeued()

    status, out, err = during(long(tmp_path / "it", 100_000), preempt)
    assert status == 0 and not slurm.jobs(), out + err
    assert "stopping after this step, with a checkpoint" in out and "going on with gru, training, update " in out
    assert records.read(file).finished
    seen("stopping after this step, with a checkpoint", ends="continues")


@fault("signals", "Ctrl-C in a command that submitted itself to Slurm")
def test_ctrl_c_cancels_the_job_which_saves_a_checkpoint(tmp_path: Path, slurm: LocalSlurm) -> None:
    file = tmp_path / "it" / records.FILE_NAME

    def interrupt(process: "subprocess.Popen[str]") -> None:
        wait_until(lambda: file.is_file() and '"step":2000,' in file.read_text())
        process.send_signal(signal.SIGINT)

    status, out, err = during(long(tmp_path / "it", 1_000_000), interrupt)
    assert status == 130 and not slurm.jobs(), out + err
    assert "stopping after this step, with a checkpoint" in out
    (again,) = [line for line in err.splitlines() if line.startswith("stopped; ")]
    assert list((tmp_path / "it" / "checkpoints").glob("*/gru/training/*"))
    seen(again, ends="130")


def test_the_runs_of_a_suite_in_jobs_of_their_own(tmp_path: Path, slurm: LocalSlurm) -> None:
    config = tmp_path / "suite.py"
    config.write_text(
        "import ml_collections\n\n\ndef get_config():\n"
        f"    runs = {{name: 'configs/killtest.py:sweep,only=gru,updates=20,{TINY}' for name in ('one', 'two')}}\n"
        "    return ml_collections.ConfigDict({'title': 'Two', 'runs': runs})\n"
    )
    words = [sys.executable, "-m", "experiments.suite", f"--config={config}", f"--workdir={tmp_path / 'it'}"]
    ended = done([*words, "--engine=slurm", "--array"])
    assert ended.returncode == 0 and not slurm.jobs(), ended.stdout + ended.stderr
    assert "submitted 2 jobs: " in ended.stdout and "one | [" in ended.stdout and "two | [" in ended.stdout
    assert all(records.read(tmp_path / "it" / name / records.FILE_NAME).finished for name in ("one", "two"))
    assert (tmp_path / "it" / "report.html").is_file()


@fault("command line", "a partition that Slurm doesn't know")
def test_an_unknown_partition_is_refused(tmp_path: Path, slurm: LocalSlurm) -> None:
    ended = done(compare(tmp_path / "it", "--engine=slurm", "--slurm=configs/slurm/cluster.py:partition=nope"))
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) <= 3
    assert "error: --engine=slurm: sbatch refused: " in ended.stderr and "invalid partition" in ended.stderr
    seen(ended.stderr.splitlines()[-1].removeprefix("error: "), ends="2")
