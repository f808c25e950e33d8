"""An exported function of a task of one's own files, called on raw numbers with what is written beside it."""

import dataclasses
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from gru_research import runs
from gru_research.adapters.weights import load_safetensors
from gru_research.config import experiment
from gru_research.runs import export
from gru_research.runs.array_meanings import array_meanings, scaling
from gru_research.runs.predict import predict
from gru_research.tasks import Stored
from gru_research.training import make_plan
from tests.runs.small import CELLS, trained

ARRAYS = {"name": "files", "train": "heights.npz"}
SERIES = {
    "name": "files", "train": "prices.csv", "kind": "forecasting", "target": "load,price", "length": 6, "horizon": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose features are far from 0 and differ in their spread."""
    path, draws = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    inputs = draws.normal((50, -3), (20, 0.1), (30, 5, 2))
    np.savez(path / "heights.npz", inputs=inputs, targets=inputs.sum(1) + 100, lengths=draws.integers(3, 6, 30))
    rows = draws.normal((1000, 5, -40), (100, 0.5, 7), (80, 3))
    np.savetxt(path / "prices.csv", rows, delimiter=",", header="price,load,wind", comments="")
    np.savez(path / "kinds.npz", inputs=inputs, targets=np.arange(30) % 2)
    np.savez(path / "tokens.npz", inputs=draws.integers(10, 13, (30, 5)), targets=np.arange(30) % 2)
    (path / "text.txt").write_text("Ann saw Bob. " * 40)
    return path


def exported(task: Mapping[str, Any], folder: Path, at: Path) -> tuple[Any, dict[str, Any]]:
    """A tiny run of the task, and what `export.json` holds."""
    cells = {"gru": CELLS["gru"]}
    run = runs.load(trained(at / "run", {**task, "train": str(folder / task["train"])}, cells=cells, seeds=1))
    export.write(run, "gru", at / "it")
    return run, json.loads((at / "it" / "export.json").read_text())


def called(at: Path, about: Mapping[str, Any], batch: Mapping[str, Any]) -> np.ndarray:
    """The function's outputs of raw inputs, by what `README.md` says."""
    function = jax.export.deserialize(bytearray((at / "it" / "apply.jax").read_bytes()))
    weights = load_safetensors(at / "it" / about["weights"]["0"])
    given, back = ({part: np.array(a) for part, a in about["scaling"][name].items()} for name in ("inputs", "outputs"))
    inputs = ((batch["inputs"] - given["mean"]) / given["std"]).astype("float32")
    return np.asarray(function.call(weights, {**batch, "inputs": inputs})) * back["std"] + back["mean"]


def test_arrays_by_what_the_export_says(folder: Path, tmp_path: Path) -> None:
    run, about = exported(ARRAYS, folder, tmp_path)
    raw = np.random.default_rng(1).normal((50, -3), (20, 0.1), (4, 5, 2))
    lengths = np.array([3, 5, 4, 5], np.int32)
    found = called(tmp_path, about, {"inputs": raw, "lengths": lengths})
    asked = [{"inputs": one, "lengths": int(length)} for one, length in zip(raw, lengths, strict=True)]
    answers = [list(one.answer.values()) for one in predict(run, asked)]
    np.testing.assert_allclose(found, answers, rtol=0, atol=1e-3)
    # The example's raw numbers are zeros.
    example = runpy.run_path(str(tmp_path / "it" / "example.py"))["outputs"]
    (answer,) = predict(run, [np.zeros((10, 2))])
    np.testing.assert_allclose(example, [list(answer.answer.values())] * 2, rtol=0, atol=1e-3)
    assert about["learned"] == json.loads(json.dumps(run.task.learned))
    page = (tmp_path / "it" / "README.md").read_text()
    assert "`inputs` are `(x - mean) / std`" in page and "`outputs * std + mean` are value 0, v" in page


def test_a_series_by_what_the_export_says(folder: Path, tmp_path: Path) -> None:
    run, about = exported(SERIES, folder, tmp_path)
    raw = np.random.default_rng(1).normal((1000, 5, -40), (100, 0.5, 7), (4, 6, 3))
    found = called(tmp_path, about, {"inputs": raw}).reshape(4, 2, 2)
    for row, one in zip(found, predict(run, raw), strict=True):
        np.testing.assert_allclose(row[:, 0], one.answer["load"], rtol=1e-5)
        np.testing.assert_allclose(row[:, 1], one.answer["price"], rtol=1e-5)
    page = (tmp_path / "it" / "README.md").read_text()
    assert "Features are price, load, wind. Give the last 6 steps of a series, as training did." in page
    assert "are load, price of the next 2 steps, step after step, in the units of the training file" in page


MEANINGS: dict[str, tuple[Mapping[str, Any], set[str], str]] = {
    "classes of numbers": (
        {"name": "files", "train": "kinds.npz"},
        {"inputs"},
        "`inputs` are `(x - mean) / std`, where",
    ),
    "tokens of arrays": (
        {"name": "files", "train": "tokens.npz"},
        set(),
        "`inputs` are tokens: positions in `vocabularies.inputs`, from 0. What isn't there is <unknown>.",
    ),
    "words of a text": (
        {"name": "files", "train": "text.txt", "unit": "words", "length": 4},
        set(),
        "`inputs` are tokens: positions in `vocabularies.inputs`, from 0. A text is cut into words and "
        "punctuation marks. What isn't there is <unknown>.",
    ),
    "pixels": (
        {"name": "smnist"},
        set(),
        "`inputs` are the pixels of an image [28, 28], divided by 255, in the order that the task's `encode` gives "
        "them.",
    ),
    "numbers": ({"name": "adding", "length": 6}, set(), "`inputs` are the task's numbers as they are."),
    "an encode of the task's own": (
        {"name": "music"},
        set(),
        "The task's `encode` makes `inputs` of raw input. It says: \"Frames that have sounded as the model sees them, "
        'behind one of zeros: what follows is asked at each of them."',
    ),
}


@pytest.mark.parametrize("case", MEANINGS)
def test_what_inputs_are_is_said(case: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, scaled, says = MEANINGS[case]
    monkeypatch.chdir(folder)
    task = make_plan(experiment({"task": config, "cells": {"it": CELLS["gru"]}})).task
    assert set(scaling(task.learned)) == scaled
    assert array_meanings(task)["inputs"].startswith(says)


def test_inputs_that_prepare_makes_are_not_called_the_task_s_own_numbers() -> None:
    task = make_plan(experiment({"task": {"name": "adding", "length": 6}, "cells": {"it": CELLS["gru"]}})).task
    stored = Stored(read=dict, prepare=lambda batch: {"inputs": batch["image"] / 255})
    assert array_meanings(dataclasses.replace(task, data=stored))["inputs"] == (
        "`inputs` are numbers as the task's `prepare` makes them of its data."
    )
    assert array_meanings(dataclasses.replace(task, data=Stored(read=dict)))["inputs"] == (
        "`inputs` are the task's numbers as they are."
    )
