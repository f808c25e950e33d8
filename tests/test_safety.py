"""The promise of docs/safety.md: files are only parsed on reading, and nothing in them is executed."""

import ast
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru_research import records, report
from gru_research.adapters.weights import load_safetensors, save_safetensors
from gru_research.config import experiment
from gru_research.data import DataDirs, load
from gru_research.data.music.music_dataset_builder import read_mat
from gru_research.runs.comparison import run_comparison
from gru_research.training import batch_maker, load_parameters, make_plan, predictions

ROOT = Path(__file__).parents[1]
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "yaml",
    "code",
    "runpy",
}
"""Modules and functions that execute what they read."""
PICKLING = {"submitit", "ray"}
"""Packages that send functions to other processes as pickles."""
ARCHIVES = {"zipfile", "tarfile", "extractall", "unpack_archive", "download_and_extract", "extract"}
"""Modules and functions that can write files under names from an archive."""
CALLS = {"eval", "exec", "compile", "__import__"}
ALLOWED = {
    ("experiments/cli/config_files.py", "runpy"),  # configs are Python code
    ("experiments/benchmarks/input_pipeline.py", "runpy"),  # the same
    ("gru_research/lookup.py", "exec"),  # the user's code, a file named in a config
    ("gru_research/lookup.py", "compile"),
    ("gru_research/data/scan/scan_dataset_builder.py", "zipfile"),  # reads texts from an archive, writes none
    ("gru_research/data/clinc_oos/clinc_oos_dataset_builder.py", "zipfile"),  # the same
    ("gru_research/data/archives.py", "zipfile"),  # the same
    ("gru_research/data/archives.py", "tarfile"),  # the same
    ("gru_research/data/dialog_babi/dialog_babi_dataset_builder.py", "tarfile"),  # the same
    ("gru_research/data/chatterbot/chatterbot_dataset_builder.py", "yaml"),  # safe_load alone, of checked files
    ("experiments/crash_tests/run_difference.py", "np.load"),  # with allow_pickle=False
    ("experiments/crash_tests/run_difference.py", "allow_pickle"),
    ("gru_research/data/own_files/arrays.py", "np.load"),  # with allow_pickle=False
    ("gru_research/data/own_files/arrays.py", "allow_pickle"),
    ("gru_research/data/own_files/arrays.py", "zipfile"),  # reads the sizes of the arrays in an .npz
    ("gru_research/run_files.py", "np.load"),  # with allow_pickle=False
    ("gru_research/run_files.py", "allow_pickle"),
    ("gru_research/run_files.py", "zipfile"),  # the name of its error
    ("gru_research/training/predictions.py", "np.load"),  # with allow_pickle=False
    ("gru_research/training/predictions.py", "allow_pickle"),
    ("experiments/slurm/submission.py", "submitit"),  # in a folder that each command creates anew
    ("experiments/slurm/submission.py", "submitit.core.utils"),
    ("experiments/slurm/command_job.py", "submitit"),  # the same
    ("experiments/slurm/command_job.py", "submitit.helpers"),
    ("experiments/sweeps/submitit_engine.py", "submitit"),  # the same
    ("experiments/sweeps/submitit_engine.py", "submitit.helpers"),
    ("experiments/sweeps/ray_engine.py", "ray"),  # over its own connections
    ("experiments/sweeps/ray_engine.py", "ray.exceptions"),
}


def used(source: str) -> Iterator[str]:
    """Yields the names of the lists above that a file uses. `load` is NumPy's and PyTorch's."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node.func.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in {(m, "load") for m in ("np", "numpy", "jnp", "torch")}:
                yield f"{node.value.id}.load"
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
            yield str(node.arg)
        yield from (name for name in names if name.split(".")[0] in MODULES | PICKLING | ARCHIVES)
        if isinstance(node, ast.Attribute) and node.attr in ARCHIVES:
            yield node.attr


def test_nothing_is_unpickled_evaluated_or_unpacked() -> None:
    files = [path for folder in ("gru_research", "experiments", "configs") for path in (ROOT / folder).rglob("*.py")]
    found = {(str(path.relative_to(ROOT)), name) for path in files for name in used(path.read_text(encoding="utf-8"))}
    assert len(files) > 150 and found == ALLOWED


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pickle", "pickle"),
        ("def f():\n    from joblib import load", "joblib"),
        ("import os, yaml", "yaml"),
        ("x = eval('1')", "eval"),
        ("exec(text)", "exec"),
        ("a = np.load(path)", "np.load"),
        ("a = read(path, allow_pickle=True)", "allow_pickle"),
        ("shutil.unpack_archive(path)", "unpack_archive"),
        ("zipfile.ZipFile(path).extractall(folder)", "extractall"),
        ("import runpy", "runpy"),
    ],
)
def test_the_search_sees(source: str, name: str) -> None:
    assert name in set(used(source))


def test_the_search_passes_what_is_harmless() -> None:
    harmless = (
        "import json\nmodel.eval()\nprogram.lower(x).compile()\njson.load(file)\nre.compile('x')\ndata.load(name)"
    )
    assert list(used(harmless)) == []


UNPICKLED: list[str] = []
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "pickle.find_class":
        UNPICKLED.append(".".join(map(str, arguments)))


@pytest.fixture(scope="module")
def hook() -> None:
    sys.addaudithook(_watch)  # permanently: an audit hook can't be removed


@pytest.fixture
def unpickled(hook: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes that any unpickling has requested, as reported by Python's audit hook."""
    UNPICKLED.clear()
    monkeypatch.setattr(sys.modules[__name__], "_watching", True)
    return UNPICKLED


def test_a_pickle_would_be_noticed(unpickled: list[str]) -> None:
    pickle.loads(pickle.dumps(Path("x")))
    assert unpickled


CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 5, "test_size": 5},
    "cells": {"gru": {"kind": "gru", "hidden_size": 2}},
    "updates": 4, "batch_size": 3, "eval_every": 2, "seeds": 1,
}  # fmt: skip


def test_runs_and_their_checkpoints_are_read_without_pickles(
    unpickled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_maker, "UPDATES_PER_CALL", 1)
    plan, calls, said = make_plan(experiment(CONFIG)), iter(range(100)), []
    assert not run_comparison(plan, tmp_path / "run", stopping=lambda: next(calls) >= 2)
    unpickled.clear()  # JAX may read its compilation cache while it compiles
    assert run_comparison(plan, tmp_path / "run", say=said.append)
    assert any("going on with gru, training" in line for line in said)
    assert set(load_parameters(tmp_path / "run", "gru")) == {"params", "best", "seeds"}
    assert predictions.recompute(plan.task.metrics, tmp_path / "run", "gru").keys() == {"loss", "mse"}
    report.write(tmp_path / "run")
    assert records.read(tmp_path / "run" / records.FILE_NAME).finished and unpickled == []
    objects: Any = {"seeds": np.arange(1), "mse/sum": np.array([Path("x")])}
    np.savez(predictions.test_file(tmp_path / "run", "gru"), **objects)
    unpickled.clear()  # writing pickles looks nothing up
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        predictions.load_test(tmp_path / "run", "gru")
    assert unpickled == []


def test_data_and_weights_are_read_without_pickles(
    unpickled: list[str], tmp_path: Path, mnist_data_dir: str, music_manual_dir: str
) -> None:
    load("mnist", DataDirs(mnist_data_dir), max_examples=10)
    read_mat(f"{music_manual_dir}/JSB_Chorales.mat", "testdata")
    save_safetensors({"x": np.ones(3)}, tmp_path / "x.safetensors")
    load_safetensors(tmp_path / "x.safetensors")
    assert unpickled == []


def test_a_sweep_s_journal_is_read_without_pickles(unpickled: list[str], tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from experiments.sweeps import directory, journal, search_space

    description = directory.SweepDescription(
        search_space.parse_sweep({"fields": {"x": (1, 2)}}), {"seeds": 1}, "mse", "min", "a sweep"
    )
    claimed = directory.claim(tmp_path / "it", description)
    assert journal.TrialJournal(claimed, description).add_missing_attempts() == 2
    read, again = directory.read(tmp_path / "it")
    assert len(journal.TrialJournal(read, again).entries()) == 2 and unpickled == []
