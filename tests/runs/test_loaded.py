"""A run loaded from its directory: what it says of itself, its parameters as they were saved, and what does not fit."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from gru_research import records, runs
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.training import load_parameters, make_plan
from tests.faults import fault, seen

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 8, "test_size": 8},
    "cells": {"gru": {"kind": "gru", "hidden_size": 3}, "lstm": {"kind": "lstm", "hidden_size": 3}},
    "match": "none",
    "updates": 6,
    "batch_size": 4,
    "eval_every": 2,
    "seeds": 2,
    "select": "best",
}


def train(workdir: Path, **more: Any) -> bool:
    return run_comparison(make_plan(experiment(CONFIG)), workdir, DataDirs("data here", "raw"), **more)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loaded") / "run"
    assert train(folder)
    return folder


def equal(a: Any, b: Any) -> bool:
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_it_knows_what_was_run_and_where_data_lay(workdir: Path) -> None:
    run = runs.load(str(workdir))
    assert run.finished and run.cells == ("gru", "lstm") and run.seeds("lstm") == (0, 1) and not run.changed
    assert run.config == make_plan(experiment(CONFIG)).config and run.task.name == "adding"
    assert run.dirs == DataDirs(str(Path("data here").absolute()), str(Path("raw").absolute()))
    assert runs.load(workdir, data_dir="/elsewhere").dirs.data_dir == "/elsewhere"
    assert set(run.sets) == {"validation", "test"} and len(run.sets["test"]["inputs"]) == 8


def test_its_parameters_are_those_that_were_saved_in_the_structure_of_its_models(workdir: Path) -> None:
    run, saved = runs.load(workdir), load_parameters(workdir, "gru")
    shapes = jax.eval_shape(run.model("gru").init, jax.random.key(0), run.task.spec.example)
    for best, name in ((False, "params"), (True, "best")):
        found = run.parameters("gru", best=best)
        assert jax.tree.structure(found) == jax.tree.structure(shapes)
        np.testing.assert_array_equal(found["readout"]["W"], saved[name]["readout"]["W"])
        assert equal(run.parameters("gru", seed=1, best=best), jax.tree.map(lambda a: a[1], found))
    outputs = run.model("gru").apply(run.parameters("gru", 0), run.sets["test"])
    error = np.square(np.asarray(outputs) - run.sets["test"]["targets"]).mean()
    assert error == pytest.approx(run.on_record.results[0].test_metric, rel=1e-5)


def test_its_records_are_columns_of_one_length(workdir: Path) -> None:
    run = runs.load(workdir)
    columns = run.records("evaluation")
    assert {len(column) for column in columns.values()} == {2 * 2 * 4}
    assert columns["cell"] == ["gru"] * 8 + ["lstm"] * 8 and columns["step"][:3] == [0, 0, 2]
    found = [line.metrics["mse"] for line in run.on_record.evaluations]
    assert columns["metrics.mse"] == found and "time.train_seconds" in columns
    assert run.records("probe") == {}


def test_an_interrupted_run_has_the_parameters_of_its_newest_snapshot(workdir: Path, tmp_path: Path) -> None:
    calls = iter(range(100))
    # It stops after two calls, of one update or more each, of the second cell.
    trained: list[str] = []
    stopping = lambda: "lstm" in trained and next(calls) >= 1  # noqa: E731
    assert not train(tmp_path / "run", stopping=stopping, progress=lambda at: trained.append(at.cell))
    run, whole = runs.load(tmp_path / "run"), runs.load(workdir)
    assert not run.finished and run.cells == ("gru", "lstm") and run.seeds("lstm") == (0, 1)
    assert equal(run.parameters("gru"), whole.parameters("gru"))
    part = run.parameters("lstm")
    assert jax.tree.structure(part) == jax.tree.structure(whole.parameters("lstm"))
    assert not equal(part, whole.parameters("lstm"))
    snapshots = sorted(int(p.name) for p in (tmp_path / "run/checkpoints/_unfinished/lstm/training").iterdir())
    again = make_plan(experiment(CONFIG | {"updates": snapshots[-1], "select": "last"}))
    assert run_comparison(again, tmp_path / "short")
    assert equal(part, runs.load(tmp_path / "short").parameters("lstm"))
    assert train(tmp_path / "run") and equal(runs.load(tmp_path / "run").parameters("lstm"), whole.parameters("lstm"))


def changed(workdir: Path, folder: Path, **header: Any) -> Path:
    """A copy of the records alone, with fields of its header changed."""
    folder.mkdir()
    lines = (workdir / records.FILE_NAME).read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | header)
    (folder / records.FILE_NAME).write_text("\n".join(lines) + "\n")
    return folder


@fault("working directory", "a run without parameters", "a run of a task that this version doesn't know")
def test_what_is_not_there_is_one_line(workdir: Path, tmp_path: Path) -> None:
    bare = runs.load(changed(workdir, tmp_path / "bare"))
    assert bare.cells == ()
    with pytest.raises(
        UserError, match=r"has no parameters of gru: it hasn't been trained, or its checkpoints are gone$"
    ) as caught:
        bare.parameters("gru")
    seen(caught)
    config = {**runs.load(workdir).on_record.header.config, "task": {"name": "subtracting"}}
    with pytest.raises(UserError, match=r"can't be made here: config.task.name='subtracting' is unknown") as caught:
        runs.load(changed(workdir, tmp_path / "other", config=config))
    seen(caught)
    run = runs.load(workdir)
    with pytest.raises(UserError, match=r"^cell='rnn' is unknown; choose from gru, lstm$"):
        run.model("rnn")
    with pytest.raises(UserError, match=r"^seed=7 is unknown.*; choose from 0, 1$"):
        run.parameters("gru", seed=7)
    with pytest.raises(UserError, match=r"^kind='results' is unknown; did you mean 'result'"):
        run.records("results")
    with pytest.raises(records.RecordsError, match=r"can't read .*nowhere/records.jsonl: No such file"):
        runs.load(tmp_path / "nowhere")


@fault("checkpoints", "parameters of another size than the code makes now", "parameters cut short")
def test_parameters_that_do_not_fit_or_are_damaged_are_one_line(workdir: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(workdir, tmp_path / "run")
    lines = (tmp_path / "run" / records.FILE_NAME).read_text().splitlines()
    header = json.loads(lines[0])
    header["config"]["cells"]["gru"]["hidden_size"] = 4
    (tmp_path / "run" / records.FILE_NAME).write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    with pytest.raises(UserError, match=r"the parameters of gru in workdir=.* don't fit the model that the code makes"):
        runs.load(tmp_path / "run").parameters("gru")
    with pytest.raises(UserError) as caught:
        runs.load(tmp_path / "run").parameters("gru")
    seen(caught)
    for file in (tmp_path / "run/checkpoints/lstm").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UserError, match=r"the parameters of lstm in workdir=.* are damaged \(") as caught:
        runs.load(tmp_path / "run").parameters("lstm")
    assert "\n" not in str(caught.value)
    seen(caught)
