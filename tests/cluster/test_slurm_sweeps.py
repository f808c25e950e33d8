"""Sweeps on a real Slurm without accounting: cancelled, requeued, suspended, killed, and Slurm itself gone.

Trials are `stand_ins/trial.py`, or tiny real runs where checkpoints are the point.
"""

import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.crash_tests.local_slurm import URGENT, LocalSlurm
from experiments.sweeps import directory, search_space
from tests.faults import fault, seen

pytest.importorskip("optuna")
pytest.importorskip("submitit")

from experiments.sweeps import driver, journal, report, worker

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("slurm")]
ROOT = Path(__file__).parents[2]
TRIAL = (sys.executable, str(ROOT / "tests" / "stand_ins" / "trial.py"))


@pytest.fixture(autouse=True)
def _quick(slurm: LocalSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "POLL_SECONDS", 0.1)


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def described(
    xs: tuple[float, ...] = (0.0, 0.1, 0.2), seconds: float = 0.0, evaluations: int = 2, **fields: Any
) -> directory.SweepDescription:
    sweep = search_space.parse_sweep({"fields": {"x": xs}, "dead_after": 4.0, "slurm": {"minutes": 5}} | fields)
    config = {"first_seed": 0, "seeds": 2, "seconds": seconds, "evaluations": evaluations}
    return directory.SweepDescription(sweep, config, "mse", "min", "a sweep")


class Sweep:
    """A sweep on Slurm in this process, while another thread acts on its jobs."""

    def __init__(self, path: Path, description: directory.SweepDescription, workers: int = 1):
        self.claimed, self.description, self.workers = directory.claim(path, description), description, workers

    def run(self, act: Callable[[], None] = lambda: None, program: tuple[str, ...] = TRIAL) -> int:
        failed: list[BaseException] = []

        def acting() -> None:
            try:
                act()
            except BaseException as e:
                failed.append(e)
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=acting)
        thread.start()
        try:
            return driver.run(self.claimed, self.description, "slurm", self.workers, program)
        finally:
            thread.join()
            if failed:
                raise failed[0]

    def entries(self) -> list[Any]:
        return journal.TrialJournal(self.claimed, self.description).entries()

    def outcomes(self) -> Counter[str]:
        return Counter(report.outcome(entry) for entry in self.entries())

    def begun(self) -> list[str]:
        return sorted(path.name for path in (self.claimed.path / "trials").glob("*.started"))


def test_a_grid_without_accounting(tmp_path: Path, slurm: LocalSlurm, capfd: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep(tmp_path / "it", described(), workers=4)
    assert sweep.run() == 0 and sweep.outcomes() == {"finished": 3}
    said = capfd.readouterr()
    assert "3 workers by --engine=slurm" in said.out and said.err == "" and not slurm.jobs()


@fault("sweeps", "a worker on Slurm that is killed, without accounting")
def test_the_launcher_ends_once_no_job_is_left(
    tmp_path: Path, slurm: LocalSlurm, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path / "it", described((0.1,), seconds=0.5, evaluations=100))

    def kill() -> None:
        wait_until(sweep.begun)
        name = sweep.entries()[0].user_attrs["worker"]
        os.kill(int(name.rpartition(":")[2]), signal.SIGKILL)

    assert sweep.run(kill) == 1
    said = capfd.readouterr().err
    assert re.search(r"warning: worker \d+ ended early, without a result", said)
    assert "1 trial left" in said and len(said.strip().splitlines()) == 2
    seen(said.splitlines()[-1], ends="1")


@fault("sweeps", "scancel of a sweep's job")
def test_scancel_stops_a_trial_and_costs_no_retry(
    tmp_path: Path, slurm: LocalSlurm, capfd: pytest.CaptureFixture[str]
) -> None:
    description = described((0.1, 0.2), seconds=0.3, evaluations=20, retries=0)
    sweep = Sweep(tmp_path / "it", description, workers=2)

    def cancel() -> None:
        wait_until(lambda: len(sweep.begun()) == 2)
        slurm.run("scancel", min(slurm.jobs()))

    assert sweep.run(cancel) == 0
    assert sweep.outcomes() == {"finished": 2, "stopped": 1}
    (stopped,) = [entry for entry in sweep.entries() if report.outcome(entry) == "stopped"]
    assert "told to stop" in stopped.user_attrs["reason"]
    (line,) = [line for line in capfd.readouterr().out.splitlines() if "stopped, tried again" in line]
    seen(re.sub(r"trial \d", "trial 0", line.partition(";")[0]), ends="0")


@fault("sweeps", "scontrol requeue of a sweep's job")
def test_a_requeued_job_resumes_its_trial_first(tmp_path: Path, slurm: LocalSlurm) -> None:
    sweep = Sweep(tmp_path / "it", described((0.1, 0.2, 0.3), seconds=0.2, evaluations=10))

    def requeue() -> None:
        wait_until(sweep.begun)
        (job,) = slurm.jobs()
        slurm.run("scontrol", "requeue", job)
        wait_until(lambda: slurm.jobs() == {job: "PENDING"})
        slurm.start_requeued()

    assert sweep.run(requeue) == 0 and not slurm.jobs()
    assert sweep.outcomes() == {"finished": 3, "stopped": 1}
    ended = [entry for entry in sweep.entries() if report.outcome(entry) == "finished"]
    first = min(ended, key=lambda entry: entry.datetime_complete)
    assert (first.user_attrs["trial"], first.user_attrs["attempt"]) == (0, 2)
    seen("", ends="continues")


@fault("sweeps", "preemption of a sweep's jobs by a partition of a higher priority")
def test_preempted_jobs_are_requeued_and_resume_their_trials(tmp_path: Path, slurm: LocalSlurm) -> None:
    sweep = Sweep(tmp_path / "it", described((0.1, 0.2), seconds=0.2, evaluations=10), workers=2)

    def preempt() -> None:
        wait_until(lambda: len(sweep.begun()) == 2)
        urgent = f"--partition={URGENT}", "--exclusive", "--output=/dev/null", "--wrap=true"
        slurm.run("sbatch", *urgent)
        wait_until(lambda: sorted(slurm.jobs().values()) == ["PENDING", "PENDING"])
        slurm.start_requeued()

    assert sweep.run(preempt) == 0 and not slurm.jobs()
    assert sweep.outcomes() == {"finished": 2, "stopped": 2}
    seen("", ends="continues")


@fault("sweeps", "a fourth time limit of a sweep's job")
def test_a_fourth_time_limit_costs_no_trial(tmp_path: Path, slurm: LocalSlurm) -> None:
    """submitit counts a signal in a job of less than ten minutes as a time limit, and by default gives up at the
    fourth."""
    sweep = Sweep(tmp_path / "it", described((0.1,), seconds=0.2, evaluations=8, slurm={"minutes": 5}))

    def reach_a_limit(number: int) -> None:
        started = sweep.claimed.path / "trials" / "0000.started"
        wait_until(lambda: started.exists() and started.read_text() == str(number))
        (job,) = slurm.jobs()
        slurm.run("scancel", "--signal=USR2", job)
        wait_until(lambda: slurm.jobs() == {job: "PENDING"})
        slurm.start_requeued()

    def signal_four_times() -> None:
        for number in range(1, 5):
            reach_a_limit(number)

    assert sweep.run(signal_four_times) == 0 and not slurm.jobs()
    assert sweep.outcomes() == {"finished": 1, "stopped": 4}
    (log,) = sweep.claimed.workers.glob("submitit-*/*_log.out")
    assert log.read_text().count("this job is timed-out") == 4
    seen("", ends="continues")


@fault("sweeps", "scontrol suspend of a sweep's job")
def test_a_suspended_job_s_trial_waits_for_it(tmp_path: Path, slurm: LocalSlurm) -> None:
    """The worker that isn't suspended neither refuses the other's trial nor ends the sweep without it."""
    sweep = Sweep(tmp_path / "it", described((0.1, 0.2), seconds=0.2, evaluations=12), workers=2)

    def suspend() -> None:
        wait_until(lambda: len(sweep.begun()) == 2)
        job = min(slurm.jobs())
        slurm.run("scontrol", "suspend", job)
        wait_until(lambda: sweep.outcomes()["lost"] == 1)
        time.sleep(2)
        slurm.run("scontrol", "resume", job)

    assert sweep.run(suspend, (*TRIAL[:1], str(ROOT / "tests" / "stand_ins" / "locking_trial.py"))) == 0
    assert sweep.outcomes() == {"finished": 2, "lost": 1}
    seen("", ends="continues")


@fault("sweeps", "Ctrl-C while Slurm's controller is down")
def test_ctrl_c_while_the_controller_is_down_names_the_jobs(
    tmp_path: Path, slurm: LocalSlurm, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path / "it", described((0.1,), seconds=0.5, evaluations=60))

    def interrupt() -> None:
        wait_until(sweep.begun)
        slurm.stop_controller()
        os.kill(os.getpid(), signal.SIGINT)

    try:
        assert sweep.run(interrupt) == 130
    finally:
        slurm.start_controller()
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert re.search(r"warning: scancel failed .*later run: scancel \d+\n", said)
    assert (sweep.claimed.path / "report.html").exists()
    (line,) = [line for line in said.splitlines() if "scancel failed" in line]
    seen(line, ends="130")
    wait_until(lambda: _answers(slurm))


def _answers(slurm: LocalSlurm) -> bool:
    try:
        slurm.jobs()
    except Exception:
        return False
    return True


@fault("sweeps", "a job that Slurm never starts")
def test_what_a_job_waits_for_is_said_once(
    tmp_path: Path, slurm: LocalSlurm, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path / "it", described((0.1,), slurm={"minutes": 5, "partition": "short"}))
    heard: list[str] = []

    def interrupt() -> None:
        def waits() -> bool:
            heard.append(capfd.readouterr().out)
            return "PartitionTimeLimit" in "".join(heard)

        wait_until(waits)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    assert sweep.run(interrupt) == 130
    lines = [line for line in "".join(heard).splitlines() if "PartitionTimeLimit" in line]
    assert len(lines) == 1 and re.fullmatch(r"1 job pending \(PartitionTimeLimit\): \d+", lines[0])
    seen(lines[0], ends="130")


@fault("sweeps", "SIGUSR2 to a job, as at its time limit")
def test_a_signal_leaves_a_checkpoint_from_which_the_requeued_job_resumes(tmp_path: Path, slurm: LocalSlurm) -> None:
    """A real run as the trial. Slurm signals trial and worker; the requeued job resumes from the checkpoint."""
    config = ROOT / "configs" / "adding.py"
    small = {"length": 4, "test_size": 4, "validation_size": 4}
    fields = {
        "only": "gru", "updates": 400_000, "eval_every": 5_000, "seeds": 1, "batch_size": 2, "tune": {"draws": 0},
        "task": small, "cells": {"gru": {"hidden_size": 2}},
    }  # fmt: skip
    described = _of_real_runs(config, fields)
    sweep = Sweep(tmp_path / "it", described)

    def preempt() -> None:
        log = sweep.claimed.log(0, 1)
        records = sweep.claimed.run_folder(0) / "records.jsonl"
        wait_until(lambda: records.exists() and '"step":5000,' in records.read_text(), 120)
        (job,) = slurm.jobs()
        slurm.run("scancel", "--signal=USR2", job)
        wait_until(lambda: slurm.jobs().get(job) == "PENDING", 60)
        assert "stopping after this step, with a checkpoint" in log.read_text()
        slurm.start_requeued()

    assert sweep.run(preempt, worker.COMPARE) == 0
    assert sweep.outcomes() == {"finished": 1, "stopped": 1}
    assert re.search(r"going on with gru, training, update [1-9]", sweep.claimed.log(0, 2).read_text())
    seen("stopping after this step, with a checkpoint", ends="continues")


def _of_real_runs(config: Path, fields: dict[str, Any]) -> directory.SweepDescription:
    from experiments.cli.launcher import experiment_from
    from gru_research.config import to_mapping

    mapping = to_mapping(experiment_from("config", str(config), fields))
    sweep = search_space.parse_sweep(
        {"fields": {"optimizer.learning_rate": (0.01,)}, "dead_after": 20.0, "slurm": {"minutes": 5}}
    )
    return directory.SweepDescription(sweep, json.loads(json.dumps(mapping)), "mse", "min", "a sweep")
