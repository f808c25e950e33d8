"""Runs of single cells, joined to the run of all cells."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from experiments.crash_tests.run_difference import first_difference
from gru_research import records, report
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.runs.join import join_cells
from gru_research.training import Plan, make_plan

LABELS = ("gru", "rnn")
CONFIG = experiment(
    {
        "task": {"name": "adding", "length": 4, "validation_size": 6, "test_size": 6},
        "cells": {label: {"kind": label, "hidden_size": 2} for label in LABELS},
        "match": "none",
        "updates": 2,
        "batch_size": 4,
        "eval_every": 1,
        "seeds": 2,
    }
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of both cells, and the run of each alone, by their labels."""
    folder = tmp_path_factory.mktemp("join")
    assert run_comparison(make_plan(CONFIG), folder / "both", DataDirs())
    for label in LABELS:
        assert run_comparison(make_plan(dataclasses.replace(CONFIG, only=label)), folder / label, DataDirs())
    return folder


@pytest.fixture
def plan() -> Plan:
    return make_plan(CONFIG)


def test_they_equal_the_run_of_all_cells(trained: Path, plan: Plan, tmp_path: Path) -> None:
    workdir = tmp_path / "it"
    for _ in range(2):  # the second time they are joined already
        join_cells(plan, {label: trained / label for label in LABELS}, workdir)
        assert first_difference(trained / "both", workdir, LABELS) == ""
    made = records.read(workdir / records.FILE_NAME)
    assert made.finished and set(made.header.env["joined"]) == set(LABELS)
    assert {path.name for path in (workdir / "arrays").iterdir()} == {f"test-{label}.npz" for label in LABELS}
    report.write(workdir)
    assert (workdir / "report.html").is_file()


def test_a_part_that_is_not_finished_is_refused(trained: Path, plan: Plan, tmp_path: Path) -> None:
    shutil.copytree(trained / "rnn", tmp_path / "rnn")
    lines = (tmp_path / "rnn" / records.FILE_NAME).read_text().splitlines(keepends=True)
    (tmp_path / "rnn" / records.FILE_NAME).write_text("".join(lines[:-1]))
    with pytest.raises(UserError, match="holds no finished run of rnn"):
        join_cells(plan, {"gru": trained / "gru", "rnn": tmp_path / "rnn"}, tmp_path / "it")
    assert not (tmp_path / "it" / records.FILE_NAME).exists()


def test_a_directory_with_something_else_is_left_alone(trained: Path, plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="another config"):
        join_cells(plan, {label: trained / label for label in LABELS}, trained / "gru")
