"""A toy model for training computed by hand: one number, which grows by the learning rate at every update."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from gru_research import records
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.metrics import mean
from gru_research.runs.comparison import run_comparison
from gru_research.spec import Spec
from gru_research.tasks import Generated, Task
from gru_research.training import Plan, make_plan
from gru_research.training.state import stream

GOAL = 6.0
STEPS = 4


@dataclasses.dataclass(frozen=True)
class Counter:
    """A model with one number, drawn between 0 and 5 by the seed. Every output is the number."""

    def init(self, key: Any, example: Any) -> dict[str, Any]:
        del example
        return {"w": 5 * jax.random.uniform(key)}

    def apply(self, params: Mapping[str, Any], batch: Mapping[str, Any], key: Any = None) -> Any:
        del key
        return jnp.broadcast_to(params["w"], (batch["inputs"].shape[0], 1))


def start(seed: int) -> float:
    """Returns a seed's initial number."""
    return float(Counter().init(stream(jnp.uint32(seed), "init"), None)["w"])


def distance(outputs: Any, batch: Any) -> dict[str, Any]:
    """Returns a loss with gradient -1, and the number's distance from the goal times the sequence's length."""
    w = outputs[:, 0]
    return {"loss": -w, "distance": jnp.abs(w - GOAL) * batch["inputs"].shape[1]}


def until(limit: float) -> Callable[..., dict[str, Any]]:
    """Returns a variant of `distance` whose loss is NaN for numbers above the limit."""

    def measure(outputs: Any, batch: Any) -> dict[str, Any]:
        measured = distance(outputs, batch)
        return measured | {"loss": jnp.where(outputs[:, 0] > limit, jnp.nan, measured["loss"])}

    return measure


def ones(steps: int) -> Callable[[Any, int], dict[str, Any]]:
    return lambda key, size: {"inputs": jnp.ones((size, steps, 1))}


def task(measure: Callable[..., dict[str, Any]] = distance, direction: Any = "min", **fields: Any) -> Task:
    """Returns a task. `measure(outputs, batch)` returns each example's "loss", "distance" and optional "weight"."""

    def part(name: str) -> Callable[[Any, Any], tuple[Any, Any]]:
        def values(outputs: Any, batch: Any) -> tuple[Any, Any]:
            measured = measure(outputs, batch)
            return measured[name], measured.get("weight", jnp.ones_like(measured[name]))

        return values

    known: dict[str, Any] = {
        "name": "toy",
        "data": Generated(ones(STEPS), validation_size=1, test_size=1),
        "spec": Spec({"inputs": jax.ShapeDtypeStruct((STEPS, 1), jnp.float32)}, 1, "last"),
        "loss": part("loss"),
        "metrics": {"distance": mean(part("distance"), direction)},
        "metric": "distance",
        "threshold": 0.0,
        "trivial": {"none": 1.0},
    }
    return Task(**known | fields)


TASK = task()
CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": STEPS},
    "cells": {"toy": {"kind": "rnn", "hidden_size": 1}},
    "match": "none",
    "batch_size": 1,
    "optimizer": {"name": "sgd", "learning_rate": 1.0, "clip": 0.0},
}


def make(task: Task = TASK, **fields: Any) -> Plan:
    """Returns the plan of a config whose cells are all counters."""
    return of(make_plan(experiment(CONFIG | fields)), task)


def of(plan: Plan, task: Task = TASK) -> Plan:
    """Returns a plan with its task replaced by `task` and its models by counters."""
    cells = tuple(dataclasses.replace(cell, model=Counter()) for cell in plan.cells)  # pyright: ignore
    return dataclasses.replace(plan, task=task, cells=cells)


def run(plan: Plan, workdir: Path, **hooks: Any) -> records.Run:
    run_comparison(plan, workdir, DataDirs(), **hooks)
    return records.read(workdir / records.FILE_NAME)


def timeless(record: Any) -> dict[str, Any]:
    """Returns a record's fields without times and environments, which differ between equal runs."""
    return {k: v for k, v in records.fields_of(record).items() if k not in ("time", "env")}
