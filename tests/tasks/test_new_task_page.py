"""The code of docs/new_task.md runs as printed: its tasks in experiments, its tests, its data set."""

import hashlib
import importlib
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
import pytest

from experiments.cli.launcher import experiment_from
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs, builtin_datasets
from gru_research.records import FILE_NAME, read
from gru_research.runs.comparison import run_comparison
from gru_research.tasks import TASKS
from gru_research.training import make_plan
from gru_research.training.predictions import load_test
from tests import pages
from tests.tasks.measuring import baseline, measures

PAGE = "new_task.md"
TEXT = pages.text(PAGE)
TASK, CONFIG, TESTS, ANSWERS, FROM_FILE, BUILDER, STORED = pages.blocks(PAGE)


def module(name: str, block: str) -> dict[str, Any]:
    return pages.module(name, block, PAGE)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the page's tasks by the page's lines for TASKS."""
    lines = re.findall(r'`("\w+": \w+,)`', TEXT)
    for line, block in zip(lines, (TASK, ANSWERS), strict=True):
        for name, made in eval(f"{{{line}}}", module("its_task", block)).items():
            monkeypatch.setitem(TASKS, name, made)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "first_token.py"
    path.write_text(CONFIG)
    return path


SMALL = {"only": "gru", "updates": 2, "batch_size": 5, "eval_every": 2, "seeds": 1}


def test_its_task_trains_by_its_config(registered: None, config_file: Path, tmp_path: Path) -> None:
    sizes = {"task": {"length": 4, "validation_size": 20, "test_size": 20}}
    config = experiment_from("the page", str(config_file), SMALL | sizes)
    assert run_comparison(make_plan(config), tmp_path / "run", DataDirs())
    records = read(tmp_path / "run" / FILE_NAME)
    assert records.finished and records.results[0].updates == 2
    task = records.header.task
    assert (task["name"], task["threshold"], task["length"]) == ("first_token", 0.95, 4)
    assert task["trivial"] == {"always the same token": 0.25}
    assert all(e.train_loss is not None and np.isfinite(e.train_loss) for e in records.evaluations[1:])


def test_its_config_has_the_sizes_that_it_states(registered: None, config_file: Path) -> None:
    config = experiment_from("the page", str(config_file), {})
    (stated,) = re.findall(r"About ([\d,]+) parameters each, (\d) seeds", CONFIG)
    plan = make_plan(config)
    assert config.seeds == int(stated[1])
    for cell in plan.cells:
        assert cell.parameters == pytest.approx(float(stated[0].replace(",", "")), rel=0.1)


def test_a_mistake_is_the_line_that_it_says(registered: None, config_file: Path) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(experiment_from("the page", str(config_file), {"task": {"length": 1}}))
    assert f"`{caught.value}`" in TEXT


def test_its_tests_pass(registered: None) -> None:
    tests = [value for name, value in module("test_first_token", TESTS).items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        test()


def test_its_task_of_many_tokens_trains_by_an_encoder_decoder(registered: None, tmp_path: Path) -> None:
    (block,) = re.findall(r"^```\n(config\.model = .*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"config": types.SimpleNamespace(), "ml_collections": ml_collections}
    exec(block, names)
    model = names["config"].model.to_dict() | {"embedding_size": 2}
    fields: dict[str, Any] = {
        "task": {"name": "backwards", "length": 2, "symbols": 2, "validation_size": 5, "test_size": 5},
        "cells": {"gru": {"kind": "gru", "hidden_size": 3}}, "updates": 2, "batch_size": 5, "eval_every": 1, "seeds": 1,
    }  # fmt: skip
    plan = make_plan(experiment(fields | {"model": model}))
    assert run_comparison(plan, tmp_path / "run", DataDirs())
    (result,) = read(tmp_path / "run" / FILE_NAME).results
    assert result.test_metrics.keys() == {"loss", "exact_match", "token_accuracy"}
    _, kept = load_test(tmp_path / "run", "gru")
    targets = plan.task.data.load(DataDirs())["test"]["targets"]
    right = (kept["predictions"]["tokens"][0] == targets).all(1).mean()
    assert result.test_metric == result.test_metrics["exact_match"] == pytest.approx(right, rel=1e-6)


def test_its_task_of_many_tokens_says_inputs_backwards_and_what_one_answer_reaches(registered: None) -> None:
    task = TASKS["backwards"](length=3, symbols=2, test_size=4000)
    test = task.data.load(DataDirs())["test"]
    np.testing.assert_array_equal(test["targets"], np.pad(test["inputs"][:, ::-1], ((0, 0), (0, 1)), constant_values=2))
    always = types.SimpleNamespace(tokens=jax.numpy.array([[0, 1, 1, 2]]))
    right = task.metrics["exact_match"].statistics(always, test)["sum"]
    # The standard error is 0.005.
    assert float(right.mean()) == pytest.approx(baseline(task), abs=0.02)


def test_its_task_that_reads_a_file_draws_its_sets(tmp_path: Path) -> None:
    path = tmp_path / "heartbeats.csv"
    rows = np.column_stack([np.arange(50) // 25, np.random.default_rng(0).normal(size=(50, 8))]).astype(np.float32)
    np.savetxt(path, rows, delimiter=",")
    (tmp_path / "heartbeats.py").write_text(FROM_FILE)
    changes = {"task": {"name": f"{tmp_path}/heartbeats.py:heartbeats", "train": str(path)}}
    task = make_plan(experiment_from("the page", str(pages.DOCS.parent / "configs" / "files.py"), changes)).task
    sets = task.data.load(DataDirs())
    assert [len(sets[split]["targets"]) for split in ("train", "validation", "test")] == [40, 5, 5]
    assert all(set(arrays["targets"].tolist()) == {0, 1} for arrays in sets.values())
    found = np.concatenate([np.column_stack([a["targets"], a["inputs"][..., 0]]) for a in sets.values()])
    np.testing.assert_allclose(found[np.argsort(found[:, 1])], rows[np.argsort(rows[:, 1])], rtol=1e-6)
    assert task.decode(np.array([0.0, 1.0]))["class"] == "early" and task.files == (path,)
    with pytest.raises(UserError, match=r"train='nope.csv' can't be read: nope.csv not found"):
        module("from_file", FROM_FILE)["heartbeats"]("nope.csv").data.load(DataDirs())


@pytest.fixture
def manual_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Registers the page's data set in its own package. Yields the folder with its raw file."""
    raw, package = tmp_path / "raw", tmp_path / "modules" / "beats"
    for folder in (raw, package):
        folder.mkdir(parents=True)
    rows = np.column_stack([np.arange(50) % 2, np.random.default_rng(0).normal(size=(50, 8))])
    np.savetxt(raw / "beats.csv", rows, delimiter=",")
    content = (raw / "beats.csv").read_bytes()
    line = ["https://example.org/beats.csv", str(len(content)), hashlib.sha256(content).hexdigest(), "beats.csv"]
    (package / "checksums.tsv").write_text("\t".join(line) + "\n")
    (package / "beats_dataset_builder.py").write_text(BUILDER)
    (package / "__init__.py").write_text("from beats.beats_dataset_builder import Builder\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setitem(builtin_datasets.BUILDERS, "beats", importlib.import_module("beats").Builder)
    monkeypatch.setitem(TASKS, "beats", module("stored", STORED)["beats"])
    yield raw
    for name in ("beats", "beats.beats_dataset_builder"):
        del sys.modules[name]


def test_its_data_set_is_prepared_from_a_folder_and_fits_its_task(manual_dir: Path, tmp_path: Path) -> None:
    dirs = DataDirs(str(tmp_path / "data"), str(manual_dir))
    config = experiment({"task": {"name": "beats"}, "cells": {"gru": {"kind": "gru", "hidden_size": 3}}, "seeds": 1})
    plan = make_plan(config, dirs)
    sets, rows = plan.task.data.load(dirs), np.loadtxt(manual_dir / "beats.csv", delimiter=",", dtype=np.float32)
    assert [len(sets[split]["label"]) for split in ("train", "validation", "test")] == [36, 4, 10]
    drawn = rows[np.random.RandomState(0).permutation(50)]
    signals = np.concatenate([sets[split]["signal"] for split in sets])
    np.testing.assert_array_equal(np.sort(signals[:40], 0), np.sort(drawn[:40, 1:], 0))  # validation is drawn
    np.testing.assert_array_equal(signals[40:], drawn[40:, 1:])
    np.testing.assert_array_equal(sets["test"]["label"], drawn[40:, 0])

    def loss(params: Any) -> jax.Array:
        batch = plan.task.prepare(sets["test"])
        return measures(plan.task, plan.cells[0].model.apply(params, batch), batch)["loss"]

    params = plan.cells[0].model.init(jax.random.key(0), plan.task.spec.example)
    assert jax.eval_shape(loss, params).shape == (10,)


def test_its_config_of_a_tfds_data_set_names_options_that_there_are() -> None:
    (block,) = re.findall(r"^```\n(config\.task = .*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"config": types.SimpleNamespace(), "ml_collections": ml_collections}
    exec(block, names)
    task = names["config"].task.to_dict()
    assert task.pop("name") == "tfds" and task.keys() <= inspect.signature(TASKS["tfds"]).parameters.keys()
