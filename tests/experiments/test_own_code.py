"""A task, a cell and a model in a file outside the checkout, through every launcher: the file of docs/own_code.md."""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import lookup, records, runs
from gru_research.config import UserError, experiment
from gru_research.training import make_plan
from tests import pages
from tests.faults import fault, seen
from tests.launching import ROOT, command, launch

(MINE,) = pages.blocks("own_code.md")
MINE = MINE.replace("import jax\n", "import helper\nimport jax\n", 1).replace(
    "noise: float = 1.0", "noise: float = helper.NOISE"
)
NNX = """

class Summed(nnx.Module):
    def __init__(self, spec: Spec, cell: gr.Cell, *, rngs: nnx.Rngs):
        self.cell = cell
        self.params = nnx.data(jax.tree.map(nnx.Param, dict(cell.init(rngs.params(), 1))))
        self.readout = nnx.Linear(cell.hidden_size, spec.output_size, rngs=rngs)

    def __call__(self, inputs):
        params = jax.tree.map(lambda p: p[...], self.params, is_leaf=lambda leaf: isinstance(leaf, nnx.Param))
        _, ys = gr.unroll(self.cell, params, inputs)
        return self.readout(ys.sum(-2))
"""
FIELDS = ("task.length=5", "task.validation_size=8", "task.test_size=8", "updates=6", "eval_every=2", "seeds=2",
          "batch_size=4", "cells.gru.hidden_size=3", "match=width")  # fmt: skip


def write(folder: Path) -> Path:
    """The user's file, with one beside it that it imports."""
    folder.mkdir(exist_ok=True)
    (folder / "helper.py").write_text("NOISE = 1.0\n")
    (folder / "mine.py").write_text(
        MINE.replace("from flax import linen as nn", "from flax import linen as nn, nnx") + NNX
    )
    return folder / "mine.py"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("theirs") / "code")


def arguments(mine: Path, workdir: Path, *more: str) -> list[str]:
    return [
        "--config=configs/adding.py:" + ",".join(FIELDS), f"--config.task.name={mine}:heartbeats",
        f"--config.cells.mine.kind={mine}:Leaky", "--config.only=gru,mine", f"--workdir={workdir}", *more,
    ]  # fmt: skip


def trained(mine: Path, workdir: Path, *more: str) -> Path:
    done = launch("compare", *arguments(mine, workdir, *more))
    assert done.returncode == 0, done.stderr
    return workdir


@pytest.fixture(scope="module")
def run(mine: Path) -> Path:
    return trained(mine, mine.parent.parent / "run")


def numbers(workdir: Path) -> list[Any]:
    found = records.read(workdir / records.FILE_NAME)
    return [records.fields_of(r) | {"time": None, "env": None} for r in found.in_order[1:] if r.kind != "end"]


@pytest.mark.parametrize("model", ["Averaged", "Summed"])
@pytest.mark.processes
def test_a_flax_model_of_one_s_own_is_trained_killed_resumed_asked_and_reported(
    model: str, mine: Path, tmp_path: Path
) -> None:
    kind = f"--config.model.kind={mine}:{model}"
    whole = trained(mine, tmp_path / "whole", kind)
    broken = arguments(mine, tmp_path / "broken", kind, "--checkpoint_seconds=0")
    path = tmp_path / "broken" / records.FILE_NAME
    process = subprocess.Popen(
        command("compare", *broken), cwd=ROOT, env=os.environ | {"JAX_PLATFORMS": "cpu"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    started = time.monotonic()
    while not (path.exists() and path.read_text().count('"evaluation"') >= 3) and time.monotonic() - started < 60:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert launch("compare", *broken).returncode == 0
    resumed, expected = runs.load(tmp_path / "broken"), runs.load(whole)
    assert resumed.finished and resumed.cells == ("gru", "mine") and not resumed.changed
    for label in resumed.cells:
        assert sum(np.size(a) for a in _leaves(resumed.parameters(label, 0))) == resumed.cell(label).parameters
    assert numbers(tmp_path / "broken") == numbers(whole)
    np.save(tmp_path / "waves.npy", np.zeros((5, 1), np.float32))
    asked = launch("predict", f"--workdir={tmp_path}/broken", f"--input={tmp_path}/waves.npy", "--json", cwd=ROOT)
    assert asked.returncode == 0, asked.stderr
    answers = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [answer["cell"] for answer in answers] == ["gru", "mine"]
    logits = expected.model("gru").apply(
        expected.parameters("gru", answers[0]["seed"]), {"inputs": np.zeros((1, 5, 1), np.float32)}
    )
    assert answers[0]["answer"]["class"] == int(np.argmax(logits))
    assert launch("report", f"--workdir={tmp_path}/broken").returncode == 0


def _leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree.values() for leaf in _leaves(part)] if isinstance(tree, dict) else [tree]


@pytest.mark.processes
def test_every_launcher_finds_the_run_s_code(run: Path, mine: Path, tmp_path: Path) -> None:
    header = records.read(run / records.FILE_NAME).header
    assert header.config["task"]["name"] == f"{mine}:heartbeats" and header.task["name"] == "heartbeats"
    wanted = {str(file): lookup.sha256(file.read_bytes()) for file in (mine, mine.parent / "helper.py")}
    assert header.files == wanted and header.env["data_dir"].startswith("/")
    assert not list(mine.parent.glob("__pycache__"))
    again = launch("compare", f"--config=configs/rerun.py:{run}", f"--workdir={tmp_path}/again")
    assert again.returncode == 0 and numbers(tmp_path / "again") == numbers(run)
    for name, more in (("diagnose", ["--examples=4"]), ("report", [])):
        done = launch(name, f"--workdir={run}", *more)
        assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    assert "Leaky" not in (run / "summary.csv").read_text() and "mine" in (run / "why.html").read_text()
    swept = tmp_path / "sweep.py"
    swept.write_text(
        "import ml_collections\n\n\ndef get_config():\n    return ml_collections.ConfigDict({'search': 'grid', "
        "'fields': {'cells': {'mine': {'leak': (0.1, 0.9)}}}, 'objective': {'cell': 'mine'}})\n"
    )
    given = [*arguments(mine, tmp_path / "swept", "--config.only=mine"), f"--sweep={swept}", "--workers=1"]
    done = launch("sweep", *given)
    assert done.returncode == 0 and "2 of 2 trials done" in done.stdout, done.stdout + done.stderr
    study = tmp_path / "suite.py"
    spec = "configs/adding.py:" + ",".join(FIELDS) + f",only=gru,task.name={mine}:heartbeats"
    study.write_text(
        "import ml_collections\n\n\ndef get_config():\n    return ml_collections.ConfigDict({'title': 'Two', 'runs': "
        f"{{'a': {spec!r}, 'b': {spec + ',task.noise=0.5'!r}}}}})\n"
    )
    suite = [f"--config={study}", f"--workdir={tmp_path}/suite"]
    assert launch("suite", *suite, "--runs=a").returncode == 0
    changed(mine)
    try:
        _check_changed(run, mine, given, suite, tmp_path)
    finally:
        write(mine.parent)


def changed(mine: Path) -> None:
    (mine.parent / "helper.py").write_text("NOISE = 2.0\n")


def _check_changed(run: Path, mine: Path, sweep: list[str], suite: list[str], tmp_path: Path) -> None:
    """What each launcher does when a file beside the user's own has changed."""
    helper = mine.parent / "helper.py"
    interrupted = tmp_path / "interrupted"
    shutil.copytree(run, interrupted)
    path = interrupted / records.FILE_NAME
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:4]))
    for done in (
        launch("compare", *arguments(mine, interrupted)),
        launch("suite", *suite),
        launch("sweep", *sweep),
    ):
        assert done.returncode == 2 and f"{helper} has changed since" in done.stderr, done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("error")]) == 1
    warning = f"warning: {helper} has changed since the run"
    for done in (
        launch("compare", *arguments(mine, run)),
        launch("diagnose", f"--workdir={run}", "--examples=4", "--cells=gru"),
    ):
        assert done.returncode == 0 and warning in done.stderr, done.stderr
    again = launch("compare", f"--config=configs/rerun.py:{run}", f"--workdir={tmp_path}/anew")
    assert again.returncode == 0 and f"warning: {helper} isn't as it was for {run}" in again.stderr


def plan(mine: Path, **changes: Any) -> Any:
    config: dict[str, Any] = {
        "task": {"name": f"{mine}:heartbeats", "length": 5, "validation_size": 8, "test_size": 8},
        "cells": {"gru": {"kind": "gru", "hidden_size": 3}, "mine": {"kind": f"{mine}:Leaky", "hidden_size": 3}},
        "match": "none",
    }
    return make_plan(experiment(config | changes))


def test_options_and_sizes_are_as_for_ours(mine: Path) -> None:
    config = {"gru": {"kind": "gru", "hidden_size": 8}, "mine": {"kind": f"{mine}:Leaky", "leak": 0.5}}
    made = plan(mine, cells=config, match="parameters")
    gru, leaky = made.cells
    assert leaky.model.stack.cells[0].leak == 0.5 and abs(leaky.parameters / gru.parameters - 1) < 0.1
    assert set(made.files) == {str(mine), str(mine.parent / "helper.py")}


AMISS = [
    pytest.param(
        {"task": {"name": "FOLDER/nowhere.py:beats"}}, r"config.task.name='.*/nowhere.py:beats': .*: no such",
        marks=fault("config", "a missing file of own code"),
    ),
    pytest.param(
        {"task": {"name": "FOLDER/mine.py:beats"}}, r"mine.py has no 'beats': it has heartbeats, Leaky, Averaged",
        marks=fault("config", "own code without the named object"),
    ),
    ({"task": {"name": "FOLDER/mine.py:Leaky"}}, r"config.task has no field|config.task.hidden_size is missing"),
    ({"task": {"name": "FOLDER/other.py:number"}}, "must be a function or a class, not int"),
    pytest.param(
        {"task": {"name": "FOLDER/other.py:nothing"}}, "gives NoneType, and must give a Task",
        marks=fault("config", "own code that doesn't return a task"),
    ),
    pytest.param(
        {"task": {"name": "FOLDER/other.py:broken"}}, r"broken' fails \(other.py, line 6: ZeroDivisionError: division",
        marks=fault("config", "own code that fails when it is called"),
    ),
    pytest.param(
        {"task": {"name": "FOLDER/worse.py:x"}}, r"the file can't be run \(worse.py, line 2: ModuleNotFoundError: ",
        marks=fault("config", "own code that can't be run"),
    ),
    ({"task": {"name": "FOLDER/mine.py"}}, "config.task.name='.*mine.py' is unknown; .* path/to/file.py:Name"),
    ({"cells": {"a": {"kind": "FOLDER/mine.py:Averaged", "hidden_size": 3}}}, "config.cells.a.* is|fails|no field"),
    pytest.param(
        {"cells": {"a": {"kind": "FOLDER/other.py:no_cell", "hidden_size": 3}}}, "gives str, which is no cell: it",
        marks=fault("config", "own code that doesn't return a cell"),
    ),
    pytest.param(
        {"model": {"kind": "FOLDER/other.py:no_model"}}, "gives str, which has no init and apply",
        marks=fault("config", "own code that doesn't return a model"),
    ),
    ({"model": {"kind": "FOLDER/mine.py:Averaged", "drop": 0.5}}, "config.model has no field 'drop'; .*dropout"),
    ({"model": {"kind": "FOLDER/mine.py:Averaged", "dropout": "half"}}, "config.model.dropout='half' must be a number"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), AMISS, ids=[str(i) for i in range(len(AMISS))])
def test_own_code_amiss_is_one_line(changes: dict[str, Any], said: str, mine: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(mine.read_text())
    (tmp_path / "helper.py").write_text("NOISE = 1.0\n")
    (tmp_path / "other.py").write_text(
        "number = 3\ndef nothing():\n    pass\n\ndef broken():\n    1 / 0\n\n"
        "def no_cell(hidden_size):\n    return 'x'\n\ndef no_model(spec, cell):\n    return 'x'\n"
    )
    (tmp_path / "worse.py").write_text("x = 1\nimport nothing_of_this_name\n")
    placed = json.loads(json.dumps(changes).replace("FOLDER", str(tmp_path)))
    with pytest.raises(UserError) as caught:
        plan(mine, **placed)
    assert re.search(said, str(caught.value)) and "\n" not in str(caught.value), str(caught.value)
    seen(caught)


def test_files_of_one_name_in_two_folders_do_not_meet(tmp_path: Path) -> None:
    for name, noise in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper_of_both.py").write_text(f"NOISE = {noise}\n")
        (tmp_path / name / "own.py").write_text("import helper_of_both\nclass It:\n    noise = helper_of_both.NOISE\n")
    found = [lookup.find("x", f"{tmp_path}/{name}/own.py:It", {}) for name in ("a", "b", "a")]
    assert [it.noise for it in found] == [1, 2, 1] and found[0] is found[2]
    (tmp_path / "a" / "helper_of_both.py").write_text("NOISE = 5\n")
    assert lookup.find("x", f"{tmp_path}/a/own.py:It", {}).noise == 5
    assert set(lookup.checksums(f"{tmp_path}/a/own.py:It")) == {
        str(tmp_path / "a" / n) for n in ("own.py", "helper_of_both.py")
    }


def test_packages_of_one_name_do_not_meet_and_what_was_imported_before_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, noise in (("a", 1), ("b", 2)):
        (tmp_path / name / "parts_of_it").mkdir(parents=True)  # a package without an __init__.py
        (tmp_path / name / "parts_of_it" / "sub.py").write_text(f"NOISE = {noise}\n")
        text = "from parts_of_it import sub\nclass It:\n    noise = sub.NOISE\n"
        (tmp_path / name / "own.py").write_text(text)
    found = [lookup.find("x", f"{tmp_path}/{name}/own.py:It", {}) for name in ("a", "b")]
    assert [it.noise for it in found] == [1, 2]
    for name in ("a", "b"):
        files = {str(tmp_path / name / "own.py"), str(tmp_path / name / "parts_of_it" / "sub.py")}
        assert set(lookup.checksums(f"{tmp_path}/{name}/own.py:It")) == files
    # A folder that is importable already, as that of a notebook.
    monkeypatch.syspath_prepend(str(tmp_path / "a"))
    importlib.invalidate_caches()
    before = importlib.import_module("parts_of_it.sub")
    (tmp_path / "a" / "parts_of_it" / "sub.py").write_text("NOISE = 30\n")
    assert lookup.find("x", f"{tmp_path}/a/own.py:It", {}).noise == 30
    assert sys.modules["parts_of_it.sub"] is before and before.NOISE == 1
    assert str(tmp_path / "a" / "parts_of_it" / "sub.py") in lookup.checksums(f"{tmp_path}/a/own.py:It")
    del sys.modules["parts_of_it.sub"], sys.modules["parts_of_it"]


def test_all_of_a_package_of_one_s_own_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package_of_one").mkdir()
    (tmp_path / "package_of_one" / "__init__.py").write_text("")
    (tmp_path / "package_of_one" / "parts.py").write_text("NOISE = 1\n")
    (tmp_path / "package_of_one" / "it.py").write_text("from .parts import NOISE\nclass It:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    lookup.find("x", "package_of_one.it:It", {})
    names = ("__init__.py", "it.py", "parts.py")
    assert set(lookup.checksums("package_of_one.it:It")) == {str(tmp_path / "package_of_one" / name) for name in names}


def test_modules_that_answer_for_any_attribute_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            return object()

    monkeypatch.setitem(sys.modules, "anything_at_all", Anything("anything_at_all"))
    (tmp_path / "own.py").write_text("class It:\n    pass\n")
    assert lookup.find("x", f"{tmp_path}/own.py:It", {}).__name__ == "It"
    assert isinstance(sys.modules["anything_at_all"], Anything)
