"""`experiments.diagnose` as a command on small finished runs."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.training import make_plan
from tests.faults import fault, seen
from tests.launching import launch
from tests.runs.small import trained

ADDING = [
    "--config=configs/adding.py", "--config.only=gru,rnn", "--config.match=width", "--config.cells.gru.hidden_size=3",
    "--config.updates=2", "--config.eval_every=1", "--config.seeds=2", "--config.batch_size=4",
    "--config.task.length=6", "--config.task.validation_size=10", "--config.task.test_size=10",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diagnose") / "run"
    done = launch("compare", *ADDING, "--config.optimizer.clip=1.0", f"--workdir={folder}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def diagnosed(run: Path) -> subprocess.CompletedProcess[str]:
    return launch("diagnose", f"--workdir={run}")  # all 10 validation sequences


def headings(workdir: Path) -> dict[str, list[str]]:
    """What `why.json` says in each part."""
    return {part["heading"]: part["notes"] for part in json.loads((workdir / "why.json").read_text())["parts"]}


def test_a_finished_run_gets_a_page_that_its_report_links_to(
    run: Path, diagnosed: subprocess.CompletedProcess[str]
) -> None:
    assert diagnosed.returncode == 0 and diagnosed.stderr == "", diagnosed.stderr
    assert diagnosed.stdout.splitlines()[-1] == f"Page: {run / 'why.html'}"
    assert list(headings(run)) == ["In short", "Gradients", "Memory", "gru", "rnn"]
    page = (run / "why.html").read_text()
    assert "updates clipped" in page and "half-life before, steps" in page and "running sum" in page
    found = json.loads((run / "why.json").read_text())["parts"]
    drawn = [shown["name"] for part in found for shown in part["shown"] if "name" in shown]
    assert len(drawn) == len(set(drawn)) == len(re.findall("<figure[ >]", page))
    assert all((run / "figures" / f"{name}.png").is_file() for name in drawn)
    assert 'href="why.html"' in (run / "report.html").read_text()


def test_what_is_drawn_of_each_cell(run: Path, diagnosed: subprocess.CompletedProcess[str]) -> None:
    """A vanilla RNN has no gates to show; its units can be silenced all the same."""
    assert diagnosed.returncode == 0
    names = {path.stem for path in (run / "figures").glob("why-*.png")}
    of_gru = {"why-gru-gates", "why-gru-values", "why-gru-units", "why-gru-costs"}
    assert names >= of_gru | {"why-rnn-units", "why-rnn-costs"} and "why-rnn-gates" not in names


def test_the_report_makes_the_page_again(run: Path, diagnosed: subprocess.CompletedProcess[str]) -> None:
    assert diagnosed.returncode == 0
    (run / "why.html").unlink()
    again = launch("report", f"--workdir={run}")
    assert again.returncode == 0, again.stderr
    assert "half-life before, steps" in (run / "why.html").read_text()


def test_only_the_cells_that_are_named(run: Path, diagnosed: subprocess.CompletedProcess[str]) -> None:
    assert diagnosed.returncode == 0
    done = launch("diagnose", f"--workdir={run}", "--examples=10", "--cells=rnn", "--layer=1")
    assert done.returncode == 0, done.stderr
    found = headings(run)
    assert "gru" not in found and found["rnn"] == ["The cell has 1 layer, and none has the number 1."]


def test_what_cant_be_followed_back_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    task = {"name": "adding", "length": 6, "validation_size": 10, "test_size": 10}
    both = trained(tmp_path / "both", task, only="gru", model={"bidirectional": True})
    done = launch("diagnose", f"--workdir={both}", "--examples=10")
    assert done.returncode == 0, done.stderr
    (note,) = headings(both)["In short"]
    assert note == "gru is bidirectional: there is no one direction in which a gradient flows back"


def test_sequences_of_several_lengths(tmp_path: Path) -> None:
    task = {"name": "cycle_navigation", "length": 5, "test_length": 8, "validation_size": 10, "test_size": 10}
    varying = trained(tmp_path / "varying", task, only="gru")
    done = launch("diagnose", f"--workdir={varying}", "--examples=10")
    assert done.returncode == 0, done.stderr
    found = headings(varying)
    assert "Memory" not in found and "horizons and spectra aren't computed" in found["In short"][0]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], ["--workdir is missing"]),
        (["--workdir=RUN", "--cells=gur"], ["--cells='gur' is unknown", "did you mean 'gru'", "gru, rnn"]),
        (["--workdir=RUN", "--examples=11"], ["--examples=11 must be from 2 to 10"]),
        (["--workdir=EMPTY"], ["records.jsonl"]),
    ],
)
def test_a_mistake_is_one_line(flags: list[str], said: list[str], run: Path, tmp_path: Path) -> None:
    flags = [flag.replace("RUN", str(run)).replace("EMPTY", str(tmp_path)) for flag in flags]
    done = launch("diagnose", *flags)
    assert done.returncode == 2, done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert all(part in line for part in said), line
    assert list(tmp_path.iterdir()) == []


@fault("working directory", "a diagnosis of an unfinished run")
def test_a_run_that_isnt_finished_is_refused(tmp_path: Path) -> None:
    config = {
        "task": {"name": "adding", "length": 6, "validation_size": 10, "test_size": 10},
        "cells": {"rnn": {"kind": "rnn", "hidden_size": 3}},
        "updates": 2,
        "batch_size": 4,
    }
    assert not run_comparison(make_plan(experiment(config)), tmp_path / "it", DataDirs(), stopping=lambda: True)
    done = launch("diagnose", f"--workdir={tmp_path}/it")
    assert done.returncode == 2 and "isn't finished: run its command again to resume it" in done.stderr
    assert not (tmp_path / "it" / "why.json").exists()
    seen(done)
