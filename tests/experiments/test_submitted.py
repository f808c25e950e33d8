"""Flags and mistakes of commands that submit themselves to Slurm; without Slurm."""

from pathlib import Path

import pytest

from experiments.slurm import options
from gru_research.config import UserError
from tests.faults import fault, seen
from tests.launching import launch

pytest.importorskip("optuna")
pytest.importorskip("submitit")

CONFIG = "--config=configs/adding.py:only=gru"


@fault("command line", "a command on Slurm where there is none")
def test_without_sbatch_nothing_is_trained(tmp_path: Path) -> None:
    done = launch("compare", CONFIG, "--engine=slurm", f"--workdir={tmp_path / 'it'}", PATH=str(tmp_path))
    assert done.returncode == 2 and "there is no sbatch and srun here" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "it" / "records.jsonl").exists()
    seen(done)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--array"], "--array needs --engine=slurm"),
        (["--slurm=configs/slurm/cluster.py"], "--slurm needs --engine=slurm"),
        (["--engine=slurm", "--distributed"], "--distributed is for several processes"),
        (["--engine=slurm", "--slurm=configs/slurm/nope.py"], "no such file; there are configs/slurm/cluster.py"),
        (["--engine=slurm", "--dry_run", "--slurm=configs/slurm/cluster.py:partion=x"], "partition"),
        (["--engine=slurm", "--array", "--config.match=time"], "measures times"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, flags: list[str], said: str) -> None:
    done = launch("compare", CONFIG, *flags, f"--workdir={tmp_path / 'it'}")
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_dry_run_prints_the_script(tmp_path: Path) -> None:
    spec = "--slurm=configs/slurm/cluster.py:partition=gpu,gpus=2,minutes=90"
    done = launch("compare", CONFIG, "--engine=slurm", "--dry_run", spec, f"--workdir={tmp_path / 'it'}")
    assert done.returncode == 0, done.stderr
    for line in ("--partition=gpu", "--gpus-per-node=2", "--time=90", "--requeue", "--signal=USR2@120"):
        assert f"#SBATCH {line}" in done.stdout.splitlines()


def test_options_are_checked() -> None:
    slurm, resources = options.parse({"partition": "gpu", "cpus": 4}, "--slurm")
    assert (slurm.partition, slurm.minutes, resources.cpus, resources.gpus) == ("gpu", 60, 4, 0)
    with pytest.raises(UserError, match="minutes=0 must be 1 or more"):
        options.parse({"minutes": 0}, "--slurm")
