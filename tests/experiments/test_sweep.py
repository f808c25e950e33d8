"""Sweeps: the shared journal, workers that die, limits, engines, the report and the command.

Trials are `stand_ins/trial.py` where it doesn't matter what trains; one sweep at the end is of real runs.
"""

import csv
import dataclasses
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rich.console

from experiments.sweeps import directory, search_space
from gru_research.config import UserError
from tests.faults import fault, seen
from tests.launching import launch
from tests.report import synthetic

optuna = pytest.importorskip("optuna")
pytest.importorskip("submitit")

from optuna.trial import TrialState  # noqa: E402

from experiments.sweeps import driver, heartbeat, journal, report, submitit_engine, subprocess_limits, worker  # noqa: E402

ROOT = Path(__file__).parents[2]
TRIAL = (sys.executable, str(ROOT / "tests" / "stand_ins" / "trial.py"))
XS = (0.0, 0.1, 0.2, 0.3)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short polls, and the signal handlers that workers and launcher set put back."""
    monkeypatch.setattr(subprocess_limits, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.1)
    monkeypatch.setattr(driver, "POLL_SECONDS", 0.1)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def described(config: dict[str, Any] | None = None, **fields: Any) -> directory.SweepDescription:
    """A sweep of the stand-in's `x`."""
    sweep = search_space.parse_sweep({"fields": {"x": XS}, "dead_after": 2.0} | fields)
    return directory.SweepDescription(sweep, {"first_seed": 0, "seeds": 2} | (config or {}), "mse", "min", "a sweep")


def worked(path: Path, description: directory.SweepDescription) -> journal.TrialJournal:
    """The sweep after a worker in this process has done all of it."""
    claimed = directory.claim(path, description)
    made = journal.TrialJournal(claimed, description)
    made.add_missing_attempts()
    worker.work(str(claimed.path), 0, TRIAL)
    return made


def outcomes(made: journal.TrialJournal) -> list[tuple[int, int, str]]:
    return [(e.user_attrs["trial"], e.user_attrs["attempt"], report.outcome(e)) for e in made.entries()]


@fault(
    "sweeps",
    "other values than the directory's sweep",
    "another config than the directory's sweep",
    "a directory with other content",
)
def test_another_sweep_s_directory_is_refused_with_what_differs(tmp_path: Path) -> None:
    description = described()
    directory.claim(tmp_path / "it", description)
    limits = dataclasses.replace(description.sweep, limits=search_space.Limits(minutes=3), retries=4)
    directory.claim(tmp_path / "it", dataclasses.replace(description, sweep=limits))
    assert directory.read(tmp_path / "it")[1].sweep == limits
    for other, said in (
        (described(fields={"x": (0.0, 0.5)}), "sweep.fields.x is [0.0, 0.1, 0.2, 0.3] there"),
        (described({"seeds": 3}), "config.seeds is 2 there, and 3 was asked for"),
    ):
        with pytest.raises(UserError) as caught:
            directory.claim(tmp_path / "it", other)
        assert said in str(caught.value)
        seen(caught)
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds something else") as caught:
        directory.claim(tmp_path, description)
    seen(caught)


def test_a_directory_with_the_folder_names_of_earlier_versions_is_resumed(tmp_path: Path) -> None:
    description = described()
    worked(tmp_path / "it", description)
    for old, new in directory.RENAMED.items():
        (tmp_path / "it" / new).rename(tmp_path / "it" / old)
    made = worked(tmp_path / "it", description)
    assert not any((tmp_path / "it" / old).exists() for old in directory.RENAMED)
    assert len(made.entries()) == len(XS), "nothing is trained again"
    (config,) = [
        word for line in report.best_lines(made, made.entries()[-1]) for word in line.split() if "rerun" in word
    ]
    assert Path(config.partition(":")[2].partition(",")[0], "config.json").is_file()


def test_a_grid_is_entered_once_and_whole(tmp_path: Path) -> None:
    description = described(fields={"x": XS, "y": ("a", "b")})
    claimed = directory.claim(tmp_path / "it", description)
    several = [journal.TrialJournal(claimed, description) for _ in range(3)]
    threads = [threading.Thread(target=made.add_missing_attempts) for made in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [made.claim_attempt() for made in several for _ in range(3)]
    points = Counter(str(several[0].values(trial)) for trial in taken if trial is not None)
    assert len(taken) == 9 and len(points) == 8 and set(points.values()) == {1}


@fault("sweeps", "a trial that crashes")
def test_failures_are_recorded_with_their_log_and_tried_again_as_configured(tmp_path: Path) -> None:
    made = worked(tmp_path / "it", described({"crashes": 2}, fields={"x": (0.1,)}, retries=1))
    assert outcomes(made) == [(0, 1, "crashed"), (0, 2, "crashed")]
    first = made.entries()[0].user_attrs
    assert first["reason"] == "exit status 1: RuntimeError: crash 1"
    seen(f"crashed: {first['reason']}")
    assert "start 1 of trial 0000" in (tmp_path / "it" / first["log"]).read_text()
    more = described({"crashes": 2}, fields={"x": (0.1,)}, retries=2)
    made = worked(tmp_path / "it", more)
    assert outcomes(made)[2:] == [(0, 3, "finished")]
    assert made.entries()[2].params == {"x": 0.1}
    assert worker.work(str(tmp_path / "it"), 0, TRIAL) == 0, "nothing is left to do"


@fault("sweeps", "a trial that runs too long", "a trial that uses too much memory")
@pytest.mark.processes
def test_limits_of_time_and_memory_end_a_trial_for_good(tmp_path: Path) -> None:
    slow = described({"seconds": 30.0}, fields={"x": (0.1,)}, limits={"minutes": 0.02})
    started = time.monotonic()
    (entry,) = worked(tmp_path / "slow", slow).entries()
    assert report.outcome(entry) == "time" and time.monotonic() - started < 15
    assert entry.user_attrs["reason"] == "ran for more than 0.02 min"
    seen(f"time: {entry.user_attrs['reason']}")
    large = described({"seconds": 30.0, "megabytes": 200}, fields={"x": (0.1,)}, limits={"memory_gb": 0.1})
    (entry,) = worked(tmp_path / "large", large).entries()
    assert report.outcome(entry) == "memory" and 0.1 < entry.user_attrs["peak_gb"] < 0.4
    seen(re.sub(r"had [0-9.]+", "had 0.2", f"memory: {entry.user_attrs['reason']}"))


@pytest.mark.processes
def test_tpe_searches_and_the_median_prunes(tmp_path: Path) -> None:
    fields = {"x": {"low": -1.0, "high": 1.0}}
    rules = {"search": "tpe", "trials": 8, "startup": 3, "pruning": {"kind": "median", "warmup": 2, "startup": 2}}
    description = described({"evaluations": 4, "seconds": 0.15}, fields=fields, **rules)
    made = worked(tmp_path / "it", description)
    states = Counter(entry.state for entry in made.entries())
    assert states[TrialState.PRUNED] >= 1 and sum(states.values()) == 8, states
    pruned = [entry for entry in made.entries() if entry.state == TrialState.PRUNED]
    assert all(2 <= max(entry.intermediate_values) < 4 for entry in pruned)
    assert len({entry.params["x"] for entry in made.entries()}) == 8
    report.write(made, rich.console.Console(quiet=True))
    assert "pruned" in (tmp_path / "it" / "report.html").read_text()
    more = described({"evaluations": 1}, fields=fields, **rules | {"trials": 9})
    assert len(journal.missing_attempts(more.sweep, made.entries())) == 1, "a search grows by more trials"


@fault("sweeps", "a trial that diverges")
def test_a_trial_that_diverged_counts_as_the_worst(tmp_path: Path) -> None:
    made = worked(tmp_path / "it", described(fields={"x": (-1.0, 0.2, 0.3)}))
    assert [entry.value for entry in made.entries()] == [float("inf"), pytest.approx(0.01), pytest.approx(0.0)]
    best = report.best(made.entries(), "min")
    assert best is not None and best.user_attrs["trial"] == 2
    seen("")
    assert "With 2 trials" in report.importance(made.study, ["x"])[1]


@fault("sweeps", "half a line at the journal's end")
def test_half_a_line_at_the_journal_s_end_is_cut_off(tmp_path: Path) -> None:
    description = described()
    claimed = directory.claim(tmp_path / "it", description)
    journal.TrialJournal(claimed, description).add_missing_attempts()
    with claimed.journal_file.open("a") as file:
        file.write('{"op_code": 5, "trial')
    journal.repair(claimed.journal_file)
    made = journal.TrialJournal(claimed, description)
    assert made.add_missing_attempts() == 0 and len(made.entries()) == len(XS)
    seen("")


def test_a_counter_that_stands_still_is_noticed_by_the_watcher_s_own_clock(tmp_path: Path) -> None:
    path, monitor = tmp_path / "7", heartbeat.HeartbeatMonitor()
    with heartbeat.Heartbeat(path, 0.05):
        for _ in range(8):
            time.sleep(0.1)
            assert monitor.seconds_unchanged(path) < 0.5
    path.write_text("99")
    monitor.seconds_unchanged(path)
    os.utime(path, (0, 0))  # a clock that goes wrong on another machine
    time.sleep(0.3)
    assert 0.25 < monitor.seconds_unchanged(path) < 1


def test_workers_on_one_machine_have_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4, 5, 6, 7, 8}, raising=False)
    assert [worker.worker_cores(index, 2) for index in range(3)] == [[4, 5], [6, 7], []]
    assert worker.worker_cores(0, 0) == []


def test_an_attempt_that_was_taken_over_no_longer_counts(tmp_path: Path) -> None:
    description = described()
    made = journal.TrialJournal(directory.claim(tmp_path / "it", description), description)
    made.add_missing_attempts()
    trial = made.claim_attempt()
    assert trial is not None and made.values(trial)
    assert made.fail(trial, "lost", "no sign of life") and not made.complete(trial, 0.5, seconds=1.0)
    assert outcomes(made)[0][2] == "lost" and made.has_ended(trial)


def test_no_text_of_a_sweep_becomes_html(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"' onload='x' <img src=x onerror=alert(2)>"
    description = described(fields={f"x{evil}": (f"a{evil}", f"b{evil}")})
    description = dataclasses.replace(description, title=f"title{evil}", metric=f"mse{evil}")
    made = journal.TrialJournal(directory.claim(tmp_path / "it", description), description)
    made.add_missing_attempts()
    for ends in (lambda trial: made.complete(trial, 0.5), lambda trial: made.fail(trial, evil, f"why{evil}")):
        trial = made.claim_attempt()
        assert trial is not None and made.values(trial)
        ends(trial)
    report.write(made, rich.console.Console(quiet=True))
    page = synthetic.Page(tmp_path / "it" / "report.html")
    assert not {"script", "i"} & {tag for tag, _ in page.tags}
    assert not [attributes for _, attributes in page.tags if {"onload", "onerror"} & set(attributes)]
    assert all((image["src"] or "").startswith("data:image/svg+xml") for image in page.of("img"))
    for said in ("title", "mse", "x", "a", "why"):
        assert f"{said}<script>alert(1)</script>" in page.text, said


def test_no_pickle_that_lay_there_before_is_one_of_this_command_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """submitit reads results as pickles: from a folder that nobody could have filled beforehand."""
    claimed = directory.claim(tmp_path / "it", described())
    folders: list[Path] = []

    class Executor:
        def __init__(self, folder: Path):
            folders.append(folder)
            assert folder.is_dir() and not any(folder.iterdir())

        def update_parameters(self, **parameters: Any) -> None:
            pass

        def submit(self, worker: Any) -> Any:
            return worker

    monkeypatch.setattr(submitit_engine.submitit, "LocalExecutor", Executor)
    for _ in range(2):
        submitit_engine.start_local(described().sweep, claimed.path, 1, TRIAL)
    assert len(set(folders)) == 2 and {path.parent for path in folders} == {claimed.workers}


def test_text_from_data_is_escaped(tmp_path: Path) -> None:
    made = worked(tmp_path / "it", described({"crashes": 9}, fields={"x": ("<b>|",)}, retries=0))
    report.write(made, rich.console.Console(quiet=True))
    assert "<b>|" not in (tmp_path / "it" / "report.html").read_text()
    assert "<b>\\|" in (tmp_path / "it" / "report.md").read_text()


# Engines


def processes(path: Path) -> dict[int, str]:
    """Commands that name `path`, by process."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return {pid: text for pid, text in found.items() if str(path) in text}


@fault("sweeps", "a worker that is killed")
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the worker's process in /proc")
@pytest.mark.processes
def test_a_worker_killed_by_kill_9_has_its_trial_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """submitit's local executor for real: two workers, of which one is killed in the middle of a trial."""
    description = described({"seconds": 0.4, "evaluations": 3}, fields={"x": (*XS, 0.4)})
    claimed = directory.claim(tmp_path / "it", description)
    killed: list[int] = []

    def kill_one() -> None:
        while not killed:
            time.sleep(0.1)
            begun = {
                pid for pid, text in processes(claimed.path).items() if TRIAL[1] in text and "exec_guard" not in text
            }
            workers = {int(Path(f"/proc/{pid}/stat").read_text().split()[3]) for pid in begun}
            if workers:
                killed.append(min(workers))
                os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill_one)
    thread.start()
    assert driver.run(claimed, description, "local", 2, TRIAL) == 0
    thread.join()
    made = journal.TrialJournal(claimed, description)
    states = Counter(report.outcome(entry) for entry in made.entries())
    assert states == {"finished": 5, "lost": 1}
    (lost,) = [entry for entry in made.entries() if report.outcome(entry) == "lost"]
    assert lost.user_attrs["worker"].endswith(f":{killed[0]}") and "no sign of life" in lost.user_attrs["reason"]
    again = made.entries()[-1]
    assert again.user_attrs["trial"] == lost.user_attrs["trial"] and again.user_attrs["attempt"] == 2
    assert again.params == lost.params and not again.user_attrs["worker"].endswith(f":{killed[0]}")
    assert not processes(claimed.path), "the dead worker's trial ended with it"
    said = capsys.readouterr()
    assert said.out.count("finished, validation mse") == 5 and "lost, tried again" in said.out
    (line,) = [line for line in said.out.splitlines() if "lost, tried again" in line]
    seen(re.sub(r"trial \d", "trial 0", line.partition(";")[0]))
    assert "ended early" in said.err
    with (claimed.path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["outcome"] for row in rows) == states
    assert sorted(float(row["x"]) for row in rows if row["outcome"] == "finished") == [0.0, 0.1, 0.2, 0.3, 0.4]
    # The same command again: nothing runs, and the report is made again.
    (claimed.path / "report.html").unlink()
    assert driver.run(claimed, description, "local", 2, TRIAL) == 0
    assert "finished: its report is made again" in capsys.readouterr().out
    assert (claimed.path / "report.html").exists() and len(made.entries()) == 6


@fault("signals", "Ctrl-C in a sweep")
@pytest.mark.processes
def test_ctrl_c_puts_trials_back_and_the_same_command_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    description = described({"seconds": 0.5, "evaluations": 20}, fields={"x": (0.1, 0.2)})
    claimed = directory.claim(tmp_path / "it", description)

    def interrupt() -> None:
        while len(list((claimed.path / "trials").glob("*.started"))) < 2:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    assert driver.run(claimed, description, "local", 2, TRIAL) == 130
    seen(capsys.readouterr().err, ends="130")
    made = journal.TrialJournal(claimed, description)
    assert [how for _, _, how in outcomes(made)[:2]] == ["stopped", "stopped"]
    assert "2 stopped" in (claimed.path / "report.md").read_text() and not processes(claimed.path)
    quick = dataclasses.replace(description, config={**description.config, "seconds": 0.0})
    (claimed.path / directory.FILE_NAME).write_text(json.dumps(quick.to_mapping()))
    made.add_missing_attempts()
    worker.work(str(claimed.path), 0, TRIAL)
    assert outcomes(made)[2:] == [(0, 2, "finished"), (1, 2, "finished")]


SLURM = {"partition": "cpu", "account": "lab", "minutes": 90, "setup": ("module load python",)}


def test_slurm_s_script_asks_for_what_the_sweep_says(tmp_path: Path) -> None:
    limits = {"memory_gb": 4.0, "cpus": 3, "gpus": 1}
    script = submitit_engine.slurm_script(described(slurm=SLURM, limits=limits).sweep, tmp_path, 20)
    lines = script.splitlines()
    for line in (
        "--array=0-19%20", "--partition=cpu", "--account=lab", "--time=90", "--mem=5000M", "--cpus-per-task=3",
        "--gpus-per-node=1", "--ntasks-per-node=1", "--signal=USR2@120", "--job-name=sweep",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in lines, line
    assert "module load python" in lines and not any("qos" in line or "constraint" in line for line in lines)
    assert f"-m submitit.core._submit {tmp_path}/workers" in lines[-1] and lines[-1].startswith("srun ")
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@fault("sweeps", "Slurm where there is none")
def test_slurm_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no sbatch and srun here") as caught:
        submitit_engine.start_slurm(described().sweep, tmp_path, 2, TRIAL)
    seen(caught)


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for Slurm runs bash")
@pytest.mark.processes
def test_submission_to_a_stand_in_for_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of submitit's path to Slurm, with scripts in the place of sbatch, srun, sacct and scancel."""
    monkeypatch.setenv("PATH", str(ROOT / "tests" / "stand_ins" / "slurm"), prepend=os.pathsep)
    monkeypatch.setenv("STAND_IN_SLURM", str(tmp_path))
    description = described(slurm=SLURM | {"setup": ("export SETUP=done",)})
    claimed = directory.claim(tmp_path / "it", description)
    assert driver.run(claimed, description, "slurm", 2, TRIAL) == 0
    made = journal.TrialJournal(claimed, description)
    assert Counter(report.outcome(entry) for entry in made.entries()) == {"finished": len(XS)}
    assert "--array=0-1%2" in (tmp_path / "submitted.sh").read_text()


@pytest.mark.processes
def test_ray_runs_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray writes a token there
    if importlib.util.find_spec("ray") is None:
        reason = "ray isn't installed: pip install 'gru_research[ray]'"
        if os.environ.get("REQUIRE_RAY") == "1":
            pytest.fail(f"REQUIRE_RAY=1, and {reason}")
        pytest.skip(reason)
    description = described()
    claimed = directory.claim(tmp_path / "it", description)
    assert driver.run(claimed, description, "ray", 2, TRIAL) == 0
    made = journal.TrialJournal(claimed, description)
    assert Counter(report.outcome(entry) for entry in made.entries()) == {"finished": len(XS)}
    assert len({entry.user_attrs["worker"] for entry in made.entries()}) <= 2


# The command


CONFIG = """
import ml_collections
def get_config():
    return ml_collections.ConfigDict({
        "task": {"name": "adding", "length": 4, "validation_size": 5, "test_size": 5},
        "cells": {"rnn": {"kind": "rnn", "hidden_size": 2}},
        "updates": 2, "eval_every": 1, "batch_size": 3, "seeds": 1,
    })
"""
SWEEP = """
import ml_collections
def get_config():
    return ml_collections.ConfigDict({"fields": {"optimizer": {"learning_rate": (3e-3,)}}})
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(CONFIG)
    (tmp_path / "grid.py").write_text(SWEEP)
    return tmp_path


@pytest.mark.processes
def test_the_command_trains_and_reports(files: Path) -> None:
    done = launch("sweep", "--config=task.py", "--sweep=grid.py", "--workdir=it", cwd=files)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 trials done" in done.stdout and "Importance needs 2 finished trials" in done.stdout
    config = json.loads((files / "it/trials/0000/config.json").read_text())
    assert config["optimizer"]["learning_rate"] == 3e-3
    text = (files / "it" / "report.md").read_text()
    assert "first_seed=1" in text and "\n## Trials\n" in text


@fault("sweeps", "a missing sweep file")
def test_the_command_s_mistakes_and_its_dry_run(files: Path) -> None:
    script = launch(
        "sweep",
        "--config=task.py",
        "--sweep=grid.py",
        "--engine=slurm",
        "--workers=4",
        "--dry_run",
        "--workdir=it",
        cwd=files,
    )
    assert script.returncode == 0 and "#SBATCH --array=0-3%4" in script.stdout, script.stderr
    assert (files / "it" / "submission.sh").read_text() in script.stdout
    nothing = launch("sweep", "--config=configs/adding.py", "--sweep=configs/sweeps/nope.py", cwd=ROOT)
    assert nothing.returncode == 2
    seen(nothing)
    assert "--sweep=configs/sweeps/nope.py: no such file; there are configs/sweeps/adding_grid.py" in nothing.stderr
