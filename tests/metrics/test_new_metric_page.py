"""The code of docs/new_metric.md, run as it stands there: its metrics against sums over pairs, in a run, and again."""

import itertools
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.metrics import Metric
from gru_research.records import FILE_NAME, read
from gru_research.runs.comparison import run_comparison
from gru_research.tasks import TASKS
from gru_research.training import make_plan
from gru_research.training.predictions import compute
from tests import pages

PAGE = "new_metric.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The names that the page's blocks define, one after the other."""
    return pages.module("new_metric", "\n".join(pages.blocks(PAGE)), PAGE)


def over(metric: Metric, outputs: np.ndarray, targets: np.ndarray) -> float:
    """A metric over a set as one batch."""
    parts = metric.statistics(jnp.asarray(outputs), {"targets": jnp.asarray(targets)})
    return float(compute(metric, {name: np.asarray(a)[None] for name, a in parts.items()})[0])


def test_its_sums_are_those_over_the_whole_set(page: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    outputs, targets = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
    error = outputs - targets
    assert over(page["right_within"](0.5), outputs, targets) == pytest.approx((np.abs(error) <= 0.5).mean())
    assert 0.1 < (np.abs(error) <= 0.5).mean() < 0.9
    assert over(page["relative_error"](), outputs, targets) == pytest.approx(
        np.abs(error).sum() / np.abs(targets).sum(), rel=1e-6
    )
    r2 = 1 - np.square(error).sum() / np.square(targets - targets.mean()).sum()
    assert over(page["r_squared"](), outputs, targets) == pytest.approx(r2, rel=1e-5)


def test_its_area_is_the_share_of_pairs_in_the_right_order(page: dict[str, Any]) -> None:
    outputs, targets = np.random.default_rng(1).integers(0, 3, (15, 2)).astype(float), np.arange(15) % 3 == 1
    scores = outputs[:, 1] - outputs[:, 0]
    pairs = [np.sign(a - b) for a, b in itertools.product(scores[targets], scores[~targets])]
    assert 0 in pairs  # a tie counts a half
    found = over(page["area_under_curve"](), outputs, targets.astype(int))
    assert found == pytest.approx(np.mean([(pair + 1) / 2 for pair in pairs]))


def test_in_a_task_it_is_compared_and_computed_again(
    page: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "parity_by_area", page["parity_by_area"])
    options = {"length": 3, "validation_size": 20, "test_size": 30}
    config = {
        "task": {"name": "parity_by_area", **options},
        "cells": {"gru": {"kind": "gru", "hidden_size": 3}},
        "updates": 2,
        "batch_size": 5,
        "eval_every": 2,
        "seeds": 2,
        "model": {"embedding_size": 0},
    }
    plan, workdir = make_plan(experiment(config)), tmp_path / "run"
    assert run_comparison(plan, workdir, DataDirs())
    run = read(workdir / FILE_NAME)
    described = run.header.task
    assert (described["metric"], described["validation_metric"]) == ("area", "accuracy")
    assert described["signatures"]["area"].startswith("scipy.stats.rankdata, scipy 1.")
    assert {e.validation_metric == e.metrics["accuracy"] for e in run.evaluations} == {True}
    found = page["look_again"](plan.task, workdir, "gru")
    assert found.keys() == {"loss", "accuracy", "area", "sure and right"}
    for s, result in enumerate(run.results):
        assert result.test_metric == result.test_metrics["area"]
        for name, value in result.test_metrics.items():
            assert found[name][s] == pytest.approx(value, rel=1e-6)
        assert 0 <= found["sure and right"][s] <= found["accuracy"][s]


def test_what_is_sure_and_right_is_counted(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS["parity"](3, validation_size=3, test_size=4)
    targets = task.data.load(DataDirs())["test"]["targets"]
    sure = np.where(targets[:, None] == np.arange(2), 3.0, 0.0)
    outputs = np.stack([sure, sure / 3, -sure])
    for name, given in (("load_test", ((0, 1, 2), {"predictions": {"outputs": outputs}})), ("recompute", {})):
        monkeypatch.setitem(page["look_again"].__globals__, name, lambda *_, given=given: given)
    found = page["look_again"](task, Path(), "gru")
    np.testing.assert_array_equal(found["sure and right"], [1, 0, 0])
