"""What a sweep file may say, and that its fields are the config's: every mistake before anything runs."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.launcher import experiment_from, load_mapping
from experiments.sweeps import config_check, engines, search_space
from gru_research.config import UserError
from gru_research.data import DataDirs
from tests.faults import fault, seen

ROOT = Path(__file__).parents[2]
MISTAKES = [
    pytest.param({}, "sweep.fields=None must be a group of fields", marks=fault("sweeps", "no fields")),
    ({"fields": {"x": ()}}, "sweep.fields.x.values is empty"),
    ({"fields": {"x": (1, 1)}}, "sweep.fields.x.values=(1, 1) must differ"),
    pytest.param(
        {"fields": {"x": 3}},
        "sweep.fields.x=3 must be a tuple of values",
        marks=fault("sweeps", "one value instead of several"),
    ),
    ({"fields": {"x": ((1, 2),)}}, "must be finite numbers, texts, true or false"),
    pytest.param(
        {"fields": {"a": {"x": {"low": 2, "high": 1}}}},
        "sweep.fields.a.x.low=2 must be at most high=1",
        marks=fault("sweeps", "a range whose ends are swapped"),
    ),
    ({"fields": {"x": {"low": 0, "high": 1, "log": True}}}, "low=0 must be above 0"),
    ({"fields": {"x": {"low": 0, "hihg": 1}}}, "has no field 'hihg'; did you mean 'high'"),
    pytest.param(
        {"fields": {"x": {"low": 0, "high": 1}}},
        "search='grid' needs values",
        marks=fault("sweeps", "a range in a grid"),
    ),
    pytest.param(
        {"fields": {"x": (1, 2)}, "search": "random"},
        "sweep.search='random' is unknown; choose from grid, tpe",
        marks=fault("sweeps", "an unknown search"),
    ),
    ({"fields": {"x": (1, 2)}, "search": "tpe"}, "sweep.trials=0 must be at least 1"),
    ({"fields": {"x": (1, 2)}, "trials": 3}, "sweep.trials=3 must be 2, the whole grid"),
    ({"fields": {"x": (1, 2)}, "retires": 3}, "sweep has no field 'retires'; did you mean 'retries'"),
    pytest.param(
        {"fields": {"x": (1, 2)}, "limits": {"minutes": -1}},
        "sweep.limits.minutes=-1.0 must be 0 or more",
        marks=fault("sweeps", "a limit out of range"),
    ),
    ({"fields": {"x": (1, 2)}, "pruning": {"kind": "mean"}}, "sweep.pruning.kind='mean' is unknown"),
]


@pytest.mark.parametrize(("mapping", "said"), MISTAKES, ids=lambda v: str(v)[:40])
def test_a_mistake_in_a_sweep_is_named(mapping: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        search_space.parse_sweep(mapping)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    seen(caught)


def test_a_sweep_reads_back_what_it_writes() -> None:
    fields = {"a": {"b": {"low": 1, "high": 8, "log": True}, "c": {"choices": ("x", "y")}}, "d": (True, False)}
    made = search_space.parse_sweep({"fields": fields, "search": "tpe", "trials": 3, "limits": {"minutes": 2}})
    assert list(made.fields) == ["a.b", "a.c", "d"]
    assert search_space.parse_sweep(json.loads(json.dumps(search_space.to_mapping(made)))) == made


FIELD_MISTAKES = [
    pytest.param(
        {"optimizer": {"learning_rat": (1.0,)}},
        "",
        "has no field 'learning_rat'; did you mean 'learning_rate'",
        marks=fault("sweeps", "a field that the config lacks"),
    ),
    pytest.param(
        {"optimizer": {"learning_rate": (1e-3, -1.0)}},
        "",
        "sweep.fields.optimizer.learning_rate, at -1.0: ",
        marks=fault("sweeps", "a value that the config refuses"),
    ),
    ({"cells": {"gro": {"hidden_size": (3,)}}}, "", "'gro' is unknown; did you mean 'gru'"),
    ({"task": {"lenght": (5, 6)}}, "", "has no field 'lenght'; did you mean 'length'"),
    ({"updates": (5, 6)}, "gur", "sweep.objective.cell='gur' is unknown; did you mean 'gru'"),
]


@pytest.mark.parametrize(("fields", "cell", "said"), FIELD_MISTAKES)
def test_a_field_that_the_config_has_not(fields: dict[str, Any], cell: str, said: str) -> None:
    config = experiment_from("x", f"{ROOT}/configs/adding.py:only=gru,seeds=1", {})
    with pytest.raises(UserError) as caught:
        config_check.check_sweep(
            search_space.parse_sweep({"fields": fields, "objective": {"cell": cell}}), config, DataDirs()
        )
    assert said in str(caught.value)
    seen(caught)


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "sweeps").glob("*.py")), ids=lambda p: p.stem)
def test_shipped_sweeps_fit_their_config(path: Path) -> None:
    config = experiment_from("x", f"{ROOT}/configs/adding.py:relu,only=gru,seeds=2", {})
    made = search_space.parse_sweep(load_mapping("--sweep=", str(path), ""))
    assert config_check.check_sweep(made, config, DataDirs()) == ("mse", "min", {})
    assert f"--sweep=configs/sweeps/{path.name}" in path.read_text()


@fault("sweeps", "an engine that isn't installed", "an unknown engine")
def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"--engine=ray needs the extra ray: pip install 'gru_research\[ray\]'"
    ) as caught:
        engines.check_installed("ray")
    seen(caught)
    with pytest.raises(UserError, match=r"--engine='slrum' is unknown; did you mean 'slurm'") as caught:
        engines.check_installed("slrum")
    seen(caught)
