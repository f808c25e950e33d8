"""The metric that a diagnosis compares: the one that an evaluation of the same examples gives."""

import dataclasses
from pathlib import Path

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
    same = layer_trace.metric_with(cell, params, batch, task, lambda mine: {})
    np.testing.assert_allclose(same, expected, rtol=1e-5)
