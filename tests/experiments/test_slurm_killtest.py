"""What the kill test on Slurm checks after a sweep has ended, and the interruptions that it draws; without Slurm."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from experiments.crash_tests import interruptions, slurm_kill_test
from experiments.crash_tests.local_slurm import LocalSlurm
from experiments.crash_tests.run_process import RunCommand
from experiments.crash_tests.slurm_kill_log import EndedSweep, Landed, SlurmKillLog
from experiments.sweeps import directory, search_space
from gru_research.runs.lock import locked
from tests.launching import launch

optuna = pytest.importorskip("optuna")


class NoJobs:
    """Stands in for a Slurm."""

    def __init__(self, **jobs: str):
        self._jobs = jobs

    def jobs(self) -> dict[str, str]:
        return self._jobs


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> slurm_kill_test.DisturbedSweep:
    """A sweep of two trials that ended well, with a crash of a trial that was killed."""
    monkeypatch.setattr(slurm_kill_test, "LEFT_SECONDS", 0.3)
    monkeypatch.setattr(slurm_kill_test, "first_difference", lambda one, two, labels: "")
    sweep = search_space.parse_sweep({"fields": {"x": (0.1, 0.2)}})
    claimed = directory.claim(tmp_path / "it", directory.SweepDescription(sweep, {}, "mse", "min", "it"))
    test: Any = slurm_kill_test.SlurmKillTest(
        RunCommand((), {}, ("gru",), 1), tmp_path, cast(LocalSlurm, NoJobs()), SlurmKillLog(tmp_path), cast(Any, None)
    )
    found = slurm_kill_test.DisturbedSweep(test, 1, claimed.path, killed_trials=1)
    for trial, failure in ((0, "crashed"), (0, ""), (1, "")):
        add(found, trial, failure)
        claimed.run_folder(trial).mkdir(exist_ok=True)
    return found


def add(sweep: slurm_kill_test.DisturbedSweep, trial: int, failure: str = "") -> None:
    made = sweep.journal()
    made.study.add_trial(
        optuna.trial.create_trial(
            state=optuna.trial.TrialState.FAIL if failure else optuna.trial.TrialState.COMPLETE,
            value=None if failure else 1.0,
            user_attrs={"trial": trial, "attempt": 1, "failure": failure},
        )
    )


def test_a_sweep_that_ended_well_has_no_difference(ended: slurm_kill_test.DisturbedSweep, tmp_path: Path) -> None:
    assert ended.difference(tmp_path) == ""


@pytest.mark.parametrize(
    ("trial", "failure", "said"),
    [
        (1, "", "trial 1 ended 2 times"),
        (1, "crashed", "2 attempts are recorded as crashed, where 1 trials were killed"),
        (1, "refused", "1 attempts are recorded as refused, where 0 trials were killed"),
    ],
)
def test_attempts_that_must_not_be_are_named(
    ended: slurm_kill_test.DisturbedSweep, tmp_path: Path, trial: int, failure: str, said: str
) -> None:
    add(ended, trial, failure)
    assert ended.difference(tmp_path) == said


def test_other_bits_are_named(
    ended: slurm_kill_test.DisturbedSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        slurm_kill_test, "first_difference", lambda one, two, labels: asked.append((one, two)) or "other bits"
    )
    assert ended.difference(tmp_path / "reference") == "trial 0: other bits"
    assert asked == [(tmp_path / "reference" / "trials" / "0000", ended.path / "trials" / "0000")]


def test_what_is_left_is_named(ended: slurm_kill_test.DisturbedSweep, tmp_path: Path) -> None:
    left = ended.path / "journal.log.lock"
    left.touch()
    assert ended.difference(tmp_path) == "journal.log.lock is left"
    left.unlink()
    (ended.path / "heartbeats" / "7").touch()
    assert ended.difference(tmp_path) == "heartbeats/7 is left"
    (ended.path / "heartbeats" / "7").unlink()
    with locked(ended.path / "trials" / "0001"):
        assert ended.difference(tmp_path) == "trials/0001 is left"
    ended.test.slurm = cast(LocalSlurm, NoJobs(j7="RUNNING"))
    assert ended.difference(tmp_path) == "jobs are left: {'j7': 'RUNNING'}"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in Linux's /proc")
def test_a_process_that_is_left_is_named(ended: slurm_kill_test.DisturbedSweep, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('began', flush=True); time.sleep(60)", str(ended.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # its command line isn't in /proc before
    try:
        assert ended.difference(tmp_path) == f"processes are left: [{process.pid}]"
    finally:
        process.kill()
        process.communicate()


def test_every_kind_is_drawn_equally_often_and_the_seed_decides() -> None:
    drawn = interruptions.draw(random.Random(3), 12)
    assert Counter(what.kind for what in drawn) == dict.fromkeys(interruptions.KINDS, 2)
    assert drawn == interruptions.draw(random.Random(3), 12) != interruptions.draw(random.Random(4), 12)


def test_the_log_counts_and_names_the_first_difference(tmp_path: Path) -> None:
    log = SlurmKillLog(tmp_path)
    log.add_interruption(Landed(1, interruptions.CANCELLED, "7_0", "training", 2.0))
    log.add_sweep(EndedSweep(1, 1, 2, {"finished": 3, "stopped": 1}, 9.0, ""))
    assert "all 3 trials of 1 sweep ended once" in log.verdict and log.to_json()["equal"]
    log.add_sweep(EndedSweep(2, 0, 1, {"finished": 2}, 9.0, "trial 1 ended 0 times"))
    assert log.verdict == log.difference == "sweep 2: trial 1 ended 0 times"
    lines = (tmp_path / "kills.log").read_text().splitlines()
    assert lines[0] == "interruption 1: sweep 1, cancelled in training, job 7_0, 2.0 s after the sweep began"
    assert lines[1].endswith("attempts: 3 finished, 1 stopped; every trial ended once, equal to the undisturbed one")
    assert log.to_json()["kinds"][interruptions.CANCELLED] == 1


def test_without_slurm_the_command_says_what_is_missing(tmp_path: Path) -> None:
    done = launch("killtest", "--engine=slurm", f"--workdir={tmp_path / 'it'}", PATH=str(tmp_path))
    assert done.returncode == 2 and not (tmp_path / "it").exists()
    assert done.stderr == (
        "error: --engine=slurm: no slurmctld here: Debian's packages slurmctld, slurmd and slurm-client have it\n"
    )
