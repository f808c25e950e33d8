"""Training on only the first examples, and the metric on them."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.records import FILE_NAME, read
from gru_research.runs.comparison import load_sets, run_comparison
from gru_research.training import load_parameters, make_plan
from tests.tasks.measuring import measures

CONFIG: dict[str, Any] = {
    "task": {"name": "smnist", "order": "rows", "pool": 7},
    "cells": {"rnn": {"kind": "rnn", "hidden_size": 4}},
    "batch_size": 5,
    "updates": 2,
    "eval_every": 2,
    "seeds": 1,
    "train_examples": 12,
    "model": {"state_dropout": 0.5},
}


def test_what_is_reached_on_the_training_examples_is_recorded(tmp_path: Path, mnist_data_dir: str) -> None:
    dirs = DataDirs(data_dir=mnist_data_dir)
    plan = make_plan(experiment(CONFIG), dirs)
    sets = load_sets(plan, dirs)
    assert {name: len(a) for name, a in sets["train"].items()} == {"image": 12, "label": 12}
    np.testing.assert_array_equal(sets["train"]["label"], plan.task.data.load(dirs)["train"]["label"][:12])
    small = {"train": sets["train"], **{s: {n: a[:10] for n, a in sets[s].items()} for s in ("validation", "test")}}
    run_comparison(plan, tmp_path / "run", dirs, sets=small)
    (result,) = read(tmp_path / "run" / FILE_NAME).results
    params = jax.tree.map(lambda a: a[0], load_parameters(tmp_path / "run", "rnn")["params"])
    batch = plan.task.prepare(sets["train"])
    measured = measures(plan.task, plan.cells[0].model.apply(params, batch), batch)
    assert result.train_set_metric == pytest.approx(float(measured["accuracy"].mean()))
    assert result.train_set_loss == pytest.approx(float(measured["loss"].mean()), rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"train_examples": 60_000}, r"config\.train_examples=60000 must be at most 55000, the training set"),
        ({"train_examples": 4}, r"config\.batch_size=5 must be at most 4, the training set"),
    ],
)
def test_more_than_there_are_and_fewer_than_a_batch_are_refused(
    fields: dict[str, Any], said: str, mnist_data_dir: str
) -> None:
    dirs = DataDirs(data_dir=mnist_data_dir)
    with pytest.raises(UserError, match=said):
        load_sets(make_plan(experiment(CONFIG | fields), dirs), dirs)


def test_generated_data_and_numbers_below_0_are_refused() -> None:
    with pytest.raises(UserError, match=r"config\.train_examples=12 is for stored data: adding is generated"):
        make_plan(experiment(CONFIG | {"task": {"name": "adding"}}))
    with pytest.raises(UserError, match=r"config\.train_examples=-1 must be 0 or more"):
        experiment(CONFIG | {"train_examples": -1})
