"""Several real processes on this machine that train one run together."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments.cli import distributed
from experiments.crash_tests.run_difference import first_difference
from gru_research.training import load_parameters
from tests.faults import fault, seen
from tests.launching import PYTHONPATH, ROOT, command, launch

CONFIG = (
    "--config=configs/adding.py:only=rnn,cells.gru.hidden_size=4,seeds=2,batch_size=8,updates=4000,"
    "eval_every=100,task.length=5,task.validation_size=20,task.test_size=20"
)


def start(workdir: Path, processes: int, *arguments: str) -> list[subprocess.Popen[str]]:
    """So many processes of one run; a single one is an ordinary run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = os.environ | {"PYTHONPATH": PYTHONPATH, "JAX_PLATFORMS": "cpu"}
    started = []
    for k in range(processes):
        joined = [f"--coordinator=127.0.0.1:{port}", f"--processes={processes}", f"--process={k}"]
        called = command("compare", CONFIG, *arguments, f"--workdir={workdir}", *(joined if processes > 1 else []))
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(called, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True))
    return started


def ended(running: list[subprocess.Popen[str]], status: int) -> list[tuple[str, str]]:
    """What each said, on stdout and stderr, after it ended with that status; but for what gloo says of its peers."""
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [status] * len(running), said
    return [(re.sub(r"\[Gloo\].*\n", "", out), errors) for out, errors in said]


def stopped(running: list[subprocess.Popen[str]], records: Path, evaluations: int) -> list[tuple[str, str]]:
    """SIGTERM to the last of the processes once there are so many evaluations: all of them end."""
    deadline = time.monotonic() + 120
    while not (records.exists() and records.read_text().count('"evaluation"') >= evaluations):
        assert all(process.poll() is None for process in running) and time.monotonic() < deadline
        time.sleep(0.02)
    running[-1].send_signal(signal.SIGTERM)
    return ended(running, 143)


@pytest.mark.processes
def test_processes_train_one_run_and_another_number_of_them_goes_on(tmp_path: Path) -> None:
    ended(start(tmp_path / "alone", 1), 0)
    run = tmp_path / "run"
    lines = run / "records.jsonl"

    first, second = stopped(start(run, 2), lines, 4)
    assert "resumes from here" in first[1] and second[0] == "" and "resumes" not in second[1]
    assert len(json.loads(lines.read_text().splitlines()[0])["env"]["devices"]) == 2
    stopped(start(run, 1), lines, lines.read_text().count('"evaluation"') + 4)
    (said, _), (silence, _) = ended(start(run, 2), 0)

    assert "Report:" in said and silence == "" and (run / "report.html").exists()
    assert first_difference(tmp_path / "alone", run, ("rnn",)) == ""
    resumed = json.loads(lines.read_text().splitlines()[0])["env"]["resumed"]
    assert [len(each["devices"]) for each in resumed] == [min(2, os.cpu_count() or 1), 2]

    divided = tmp_path / "divided"
    ended(start(divided, 2, "--config.data_parallel=2", "--config.updates=100"), 0)
    ended(start(tmp_path / "whole", 1, "--config.updates=100"), 0)
    one, two = (jax.tree.leaves(load_parameters(p, "rnn")["params"]) for p in (tmp_path / "whole", divided))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


MISTAKES = [
    pytest.param(
        ["--coordinator=127.0.0.1:1234", "--process=0"],
        "--processes is missing",
        marks=fault("command line", "processes without their number"),
    ),
    pytest.param(
        ["--coordinator=127.0.0.1:1234", "--processes=2", "--process=2"],
        "--process=2 must be below --processes=2",
        marks=fault("command line", "a process number above the number of processes"),
    ),
    pytest.param(
        ["--distributed", "--processes=2"],
        "leave out --coordinator",
        marks=fault("command line", "processes that are given and detected"),
    ),
    pytest.param(
        ["--distributed"],
        "--distributed finds no processes of Slurm, Open MPI or a TPU pod",
        marks=fault("command line", "no cluster"),
    ),
]


@pytest.mark.parametrize(("flags", "said"), MISTAKES)
def test_flags_that_do_not_belong_together(flags: list[str], said: str, tmp_path: Path) -> None:
    done = launch("compare", CONFIG, *flags, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1 and said in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()
    seen(done)


def test_steps_of_one_slurm_job_have_different_ports() -> None:
    ports = []
    for step in ("0", "1", "2"):
        found = {"SLURM_JOB_ID": "4711", "SLURM_STEP_ID": step}
        distributed._choose_port(found)
        ports.append(int(found[distributed.PORT]))
    assert len(set(ports)) == 3 and all(distributed.FIRST_PORT <= port < 2**16 for port in ports)
    chosen = {"SLURM_JOB_ID": "1", "SLURM_STEP_ID": "0", distributed.PORT: "5000"}
    distributed._choose_port(chosen)
    assert chosen[distributed.PORT] == "5000"
    batch = {"SLURM_JOB_ID": "1"}
    distributed._choose_port(batch)
    assert distributed.PORT not in batch
