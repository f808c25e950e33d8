"""The metric that a diagnosis compares: the one that an evaluation of the same examples gives."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from experiments.diagnosis import layer_trace
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.metrics import Additive, Collected, Metric
from gru_research.runs import trained
from gru_research.tasks import TASKS
from gru_research.training import make_plan

CORRELATION = Collected(
    lambda outputs, batch: {"o": outputs[:, 0], "t": batch["targets"][:, 0]},
    lambda kept: float(np.corrcoef(kept["o"], kept["t"])[0, 1]),
    "max",
)
ROOT = Additive(  # NumPy's own root, as a task's author may write it, takes no tracer
    lambda outputs, batch: {"error": (outputs[:, 0] - batch["targets"][:, 0]) ** 2, "n": outputs[:, 0] * 0 + 1},
    lambda sums: np.sqrt(np.asarray(sums["error"]) / np.asarray(sums["n"])),
    "min",
)


@pytest.mark.parametrize("metric", [CORRELATION, ROOT], ids=["collected", "additive"])
def test_a_metric_is_made_on_the_host_as_in_an_evaluation(
    metric: Metric, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = TASKS["adding"](3, validation_size=5, test_size=5)
    task = dataclasses.replace(task, metrics={"own": metric}, metric="own", validation_metric="own", threshold=None)
    monkeypatch.setitem(TASKS, "own", lambda: task)
    config = {"task": {"name": "own"}, "cells": {"gru": {"kind": "gru", "hidden_size": 3}}, "updates": 1, "seeds": 2}
    plan = make_plan(experiment(config))
    params = trained.initial_parameters(plan, plan.cells[0], (0, 1))
    cell = trained.TrainedCell(plan.cells[0], (0, 1), params, params)
    batch = task.data.load(DataDirs())["validation"]
    outputs = [plan.cells[0].model.apply(jax.tree.map(lambda a, s=s: a[s], params), batch)[:, 0] for s in (0, 1)]
    targets = batch["targets"][:, 0]
    if metric is CORRELATION:
        expected = [np.corrcoef(o, targets)[0, 1] for o in outputs]
    else:
        expected = [np.sqrt(np.mean(np.square(np.asarray(o, np.float64) - targets))) for o in outputs]
    np.testing.assert_allclose(layer_trace.metric(cell, params, batch, task), expected, rtol=1e-5)
    # Held at what it is anyway: nothing changes.
    (same,) = layer_trace.metrics_with(cell, batch, task, {"nothing": np.zeros((2, 1))}, lambda change: {})
    np.testing.assert_allclose(same, expected, rtol=1e-5)


def test_changes_held_together_give_what_each_gives_alone() -> None:
    plan = make_plan(
        experiment(
            {
                "task": {"name": "adding", "length": 3, "validation_size": 5, "test_size": 5},
                "cells": {"gru": {"kind": "gru", "hidden_size": 3}},
            }
        )
    )
    params = trained.initial_parameters(plan, plan.cells[0], (0, 1))
    cell = trained.TrainedCell(plan.cells[0], (0, 1), params, params)
    batch = plan.task.data.load(DataDirs())["validation"]
    values = np.stack([np.full((2, 3), 0.1), np.ones((2, 3))], 1)
    at = np.stack([np.arange(3) < 2, np.arange(3) < 3])[:, None].repeat(5, 1)

    def metrics(which: slice, at: np.ndarray | None) -> list[np.ndarray]:
        def held(change: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"fixed": {"z": change["value"]}}

        marked = None if at is None else at[which]
        return layer_trace.metrics_with(cell, batch, plan.task, {"value": values[:, which]}, held, at=marked)

    for marked in (None, at):
        together = metrics(slice(2), marked)
        alone = [*metrics(slice(1), marked), *metrics(slice(1, 2), marked)]
        np.testing.assert_allclose(together, alone, rtol=1e-6)
        assert together[0].shape == (2,) and (np.abs(together[0] - together[1]) > 1e-3).all()
    # Held at every step is held without marks.
    np.testing.assert_allclose(together[1], metrics(slice(2), None)[1], rtol=1e-6)
