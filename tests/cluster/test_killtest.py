"""The kill test on a real Slurm, in short."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.crash_tests import interruptions
from tests.cluster.conftest import ROOT, require_slurm

pytest.importorskip("optuna")
pytest.importorskip("submitit")

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("slurm")]
TINY = (
    "only=gru,cells.gru.hidden_size=3,match=none,cells.lstm.hidden_size=2,cells.rnn.hidden_size=2,updates=40,"
    "eval_every=20,seeds=1,batch_size=4,task.length=5,task.validation_size=10,task.test_size=10"
)
KILLS = 3


def test_interrupted_sweeps_end_as_the_undisturbed_one(tmp_path: Path) -> None:
    """A kill, a suspension and a preemption; afterwards nothing is left, of the test's Slurm either."""
    require_slurm()
    folder = tmp_path / "it"
    command = [
        sys.executable,
        "-m",
        "experiments.killtest",
        "--engine=slurm",
        f"--kills={KILLS}",
        f"--workdir={folder}",
    ]
    command += [f"--config=configs/killtest.py:sweep,{TINY}", "--checkpoint_seconds=0"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "killtest.json").read_text())
    assert found["equal"] and found["totals"]["interruptions"] == KILLS
    made = [kind for kind, count in found["kinds"].items() if count]
    assert sorted(made) == sorted((interruptions.KILLED_TRIAL, interruptions.SUSPENDED, interruptions.PREEMPTED))
    log = (folder / "kills.log").read_text()
    assert log.count("interruption ") == KILLS and "every trial ended once" in log
    assert "no job, process or lock is left" in done.stdout and not list(folder.glob("sweep-*"))
    assert interruptions.processes(str(folder)) == []
