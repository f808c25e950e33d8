"""The operation at which a seed diverged, in functions with a known answer and in a run."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import gru_research as gr
from gru_research import records
from gru_research.config import experiment
from gru_research.runs.comparison import run_comparison
from gru_research.training import make_plan
from gru_research.training.divergence import first_not_finite

HERE = Path(__file__).name


def line_of(part: str) -> int:
    return next(n for n, line in enumerate(Path(__file__).read_text().splitlines(), 1) if part in line)


def root_of_nothing(x: Any) -> Any:
    return jnp.sqrt(x)  # the slope at 0 is infinite


def overflowing(x: Any) -> Any:
    grown, _ = jax.lax.scan(lambda c, _: (c * 1e10, None), x, length=5)  # 1e40 is too much at the fourth
    return jnp.minimum(grown, 1.0)


@pytest.mark.parametrize(
    ("function", "what", "line"),
    [
        (lambda: jax.grad(root_of_nothing)(0.0), "inf from div", "return jnp.sqrt(x)"),
        (lambda: jax.jit(overflowing)(jnp.ones(())), "inf from mul", "grown, _ = jax.lax.scan"),
        (lambda: jnp.log(jnp.zeros(2) - 1), "nan from log", "jnp.log(jnp.zeros(2) - 1)"),
    ],
)
def test_the_first_operation_that_is_not_finite(function: Any, what: str, line: str) -> None:
    found = first_not_finite(function)
    assert found is not None and found.startswith(f"{what}, ") and f"{HERE}:{line_of(line)}, " in found


def test_what_is_finite_has_none() -> None:
    assert first_not_finite(lambda: jax.grad(root_of_nothing)(1.0)) is None


def test_within_a_layer_and_its_own_backward_pass() -> None:
    cell = gr.VanillaRNN(hidden_size=3, activation="relu")
    params = jax.tree.map(lambda a: 1e15 * jnp.abs(a), cell.init(jax.random.key(0), 2))
    xs = jnp.ones((2, 6, 2))
    found = first_not_finite(lambda: gr.unroll(cell, params, xs))
    assert found is not None and found.startswith("inf from ") and "gru_research/cells/" in found


CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 4, "test_size": 4},
    "cells": {"gru": {"kind": "gru", "hidden_size": 3}},
    "match": "none",
    "seeds": 2,
    "batch_size": 4,
    "updates": 4,
    "eval_every": 2,
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
}


@pytest.mark.parametrize("debug_nans", [False, True])
def test_a_diverged_seed_s_operation_is_said_and_recorded(tmp_path: Path, debug_nans: bool) -> None:
    plan = make_plan(experiment(CONFIG))
    run_comparison(plan, tmp_path / "look")
    evaluations = records.read(tmp_path / "look" / records.FILE_NAME).evaluations
    first = [r.validation_loss for r in evaluations if r.step == 0]
    limit, loss = sum(first) / 2, plan.task.loss  # of the two seeds' losses one is above

    def sometimes(outputs: Any, batch: Any) -> Any:
        values, weights = loss(outputs, batch)
        of_the_second = jnp.where(values.mean() > limit, -1.0, 1.0)
        return values * jnp.log(of_the_second), weights  # nan where a loss is above the limit

    broken = dataclasses.replace(plan, task=dataclasses.replace(plan.task, loss=sometimes))
    said: list[str] = []
    assert run_comparison(broken, tmp_path / "run", debug_nans=debug_nans, say=said.append)
    results = records.read(tmp_path / "run" / records.FILE_NAME).results
    diverged = [r for r in results if r.diverged_at]
    assert diverged
    if not debug_nans:
        assert said == [] and all(r.diverged_in is None for r in results)
        return
    for result in results:
        assert (result.diverged_in is not None) == bool(result.diverged_at)
    where = f"nan from log, {__file__}:{line_of('jnp.log(of_the_second)')}, sometimes: "
    assert all(where in r.diverged_in for r in diverged), diverged
    assert sum(where in line for line in said) == len(diverged) and len(said) == 2 * len(diverged)
