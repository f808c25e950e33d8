"""Every shipped config documents its command, makes a plan, and trains."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.launcher import experiment_from
from gru_research import records
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.tasks import TASKS
from gru_research.training import make_plan

ROOT = Path(__file__).parents[1]
ALL = sorted((ROOT / "configs").rglob("*.py"))
OTHERS = ("claims", "files", "rerun", "tfds")
"""Configs that aren't a comparison with a plan of its own."""
RUNS = [path for path in ALL if path.parent.name == "configs" and path.stem not in OTHERS]
CLAIMS = ROOT / "configs" / "claims.py"
SUITES = sorted((ROOT / "configs" / "suites").glob("*.py"))
APPLICATIONS = {
    "anomalies": "nab",
    "forecasting": "ett",
    "sentiment": "sst2",
    "chorales": "chorales",
    "dialogue": "dialog_babi",
    "speech": "fsdd",
    "summarisation": "aeslc",
    "translation": "multi30k",
}
"""Each application's data. Its plan is made from them."""
STORED = ("smnist", "music", "characters", "scan")
SMALL: dict[str, Any] = {
    "only": "gru",
    "updates": 2,
    "batch_size": 4,
    "evaluations": 1,
    "seeds": 1,
    "tune": {"draws": 0},
    "task": {"validation_size": 6, "test_size": 6},
    "cells": {"gru": {"hidden_size": 4}},
}


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_it_states_its_command(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    if path.parent.name == "sweeps":
        assert "python -m experiments.sweep --config=configs/" in text and f"--sweep={path.relative_to(ROOT)}" in text
        return
    if path.parent.name == "slurm":
        assert f"--engine=slurm --slurm={path.relative_to(ROOT)}" in text
        return
    launcher = "suite" if path.parent.name == "suites" else "claims" if path.stem == "claims" else "compare"
    assert f"python -m experiments.{launcher} --config={path.relative_to(ROOT)}" in text


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_every_variant_makes_a_plan_with_cells_of_equal_size(path: Path) -> None:
    for variant in runpy.run_path(str(path)).get("VARIANTS", ("",)):
        plan = make_plan(experiment_from("config", f"{path}:{variant}", {}))
        sizes = {cell.label: cell.parameters for cell in plan.cells}
        assert len(sizes) >= 3 and max(sizes.values()) / min(sizes.values()) < 1.05, sizes


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_variant_of_an_application_makes_a_plan(name: str, request: pytest.FixtureRequest) -> None:
    path = ROOT / "configs" / "applications" / f"{name}.py"
    dirs = DataDirs(request.getfixturevalue(f"{APPLICATIONS[name]}_data_dir"))
    learned = None
    for variant in runpy.run_path(str(path))["VARIANTS"]:
        config = experiment_from("config", f"{path}:{variant}", {})
        if config.task.options.get("dataset") in ("goemotions", "clinc_oos", "etth2", "an4"):
            continue  # these have the fields of the default, but for the data
        if name == "dialogue" and variant not in ("default", "quick", "full"):
            continue  # likewise
        plan = make_plan(config, dirs, learned)
        learned = plan.task.learned  # the data are the same
        sizes = {cell.label: cell.parameters for cell in plan.cells}
        assert list(sizes) == ["gru", "lstm", "rnn"] and max(sizes.values()) / min(sizes.values()) < 1.05, sizes


def test_the_suite_of_applications_has_them_all_in_forms_that_exist() -> None:
    found = runpy.run_path(str(ROOT / "configs" / "suites" / "applications.py"))
    assert {path.stem for path in (ROOT / "configs" / "applications").glob("*.py")} == set(found["APPLICATIONS"])
    for variant in found["VARIANTS"]:
        for name, spec in found["get_config"](variant).runs.items():
            path, _, form = spec.partition(":")
            assert Path(path).stem == name and form in runpy.run_path(str(ROOT / path))["VARIANTS"]


def test_the_suite_of_horizons_has_the_horizons_of_the_literature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = runpy.run_path(str(ROOT / "configs" / "suites" / "forecasting_horizons.py"))
    for variant in found["VARIANTS"]:
        suite = found["get_config"](variant).to_dict()
        read = [experiment_from(name, spec, suite["shared"]) for name, spec in suite["runs"].items()]
        assert [config.task.options["horizon"] for config in read] == [96, 192, 336, 720]
        assert {config.task.options["dataset"] for config in read} == {variant}


WITH_DATA = ("applications", "forecasting_horizons")


@pytest.mark.parametrize("path", [p for p in SUITES if p.stem not in WITH_DATA], ids=lambda p: p.stem)
def test_every_run_of_a_suite_makes_a_plan(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = runpy.run_path(str(path))["get_config"]().to_dict()
    for name, spec in config["runs"].items():
        plan = make_plan(experiment_from(name, spec, config["shared"]))
        assert [cell.label for cell in plan.cells] == sorted(config["shared"]["only"].split(",")), name


@pytest.mark.parametrize("variant", runpy.run_path(str(CLAIMS))["VARIANTS"])
def test_every_run_of_the_claims_makes_a_plan(variant: str) -> None:
    config = runpy.run_path(str(CLAIMS))["get_config"](variant).to_dict()
    for name, fields in config["runs"].items():
        plan = make_plan(experiment(fields))
        sizes = [cell.parameters if fields["match"] == "parameters" else cell.hidden_size for cell in plan.cells]
        assert max(sizes) / min(sizes) < 1.05, name


def test_every_task_has_a_config() -> None:
    assert set(TASKS) <= {path.stem for path in ALL}


@pytest.mark.parametrize("path", [p for p in RUNS if p.stem not in STORED], ids=lambda p: p.stem)
def test_generated_tasks_train(path: Path, tmp_path: Path) -> None:
    plan = make_plan(experiment_from("config", str(path), SMALL | {"horizon": None}))
    assert run_comparison(plan, tmp_path / "run", DataDirs())
    (result,) = records.read(tmp_path / "run" / records.FILE_NAME).results
    assert result.updates == 2 and result.test_metric is not None
