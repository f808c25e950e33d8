"""Training on batches cut to buckets of lengths: the same updates as uncut ones, side by side and divided too."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from gru_research import records
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs, LengthBuckets
from gru_research.runs.comparison import run_comparison
from gru_research.spec import Spec
from gru_research.tasks import Stored, Task
from gru_research.tasks.base import ACCURACY, class_loss
from gru_research.training import Plan, SeedAxis, load_parameters, make_plan
from gru_research.training.batch_maker import make_batch_maker, make_buckets
from gru_research.training.loop import start
from gru_research.training.loop_state import start_sums
from gru_research.training.program_cache import lower_training
from gru_research.training.seeds import make_seed_axis
from gru_research.training.selection import Schedule
from tests.faults import fault, seen

CONFIG: dict[str, Any] = {
    "task": {"name": "noisy_padded", "length": 12, "signal": 2, "features": 2, "classes": 3},
    "cells": {"gru": {"kind": "gru", "hidden_size": 3}},
    "updates": 12,
    "batch_size": 6,
    "eval_every": 6,
    "seeds": 2,
    "length_buckets": 3,
    "model": {"readout": "mean"},
    "optimizer": {"learning_rate": 0.05},
}
TOLERANCE = 1e-6
"""For parameters of order 1: sums over more steps of padding round differently."""


def sets() -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    found = {}
    for split, size in (("train", 60), ("validation", 9), ("test", 9)):
        lengths = rng.choice([2, 3, 5, 12], size, p=[0.4, 0.3, 0.2, 0.1]).astype(np.int32)
        inputs = rng.normal(size=(size, 12, 2)).astype(np.float32)
        inputs[np.arange(12) >= lengths[:, None]] = np.nan  # padding must not be read
        found[split] = {"inputs": inputs, "lengths": lengths, "targets": rng.integers(0, 3, size).astype(np.int32)}
    return found


def task(**padded: str) -> Task:
    return Task(
        name="toy",
        data=Stored(read=sets, padded=padded),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((12, 2), np.float32)}, 3, "last"),
        loss=class_loss,
        metrics=ACCURACY,
        metric="accuracy",
    )


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("gru_research.tasks").tasks.TASKS, "toy", lambda: task(inputs="lengths"))


def plan_of(**fields: Any) -> Plan:
    return make_plan(experiment(CONFIG | {"task": {"name": "toy"}} | fields))


def train(folder: Path, **fields: Any) -> tuple[np.ndarray, Any]:
    """Returns the parameters of all seeds and the records."""
    run_comparison(plan_of(**fields), folder, DataDirs())
    leaves = jax.tree.leaves(load_parameters(folder, "gru")["params"])
    return np.concatenate([np.ravel(a) for a in leaves]), records.read(folder / records.FILE_NAME)


@pytest.mark.usefixtures("toy")
def test_cut_batches_make_the_updates_of_whole_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    buckets = make_buckets(plan, sets())
    assert buckets is not None and [width for (width,) in buckets.widths] == [3, 5, 12]
    widths = set()
    cut = LengthBuckets.cut

    def watched(self: LengthBuckets, batch: Any, bucket: int) -> dict[str, Any]:
        found = cut(self, batch, bucket)
        widths.add(found["inputs"].shape[1])
        return found

    monkeypatch.setattr(LengthBuckets, "cut", watched)
    narrow, found = train(tmp_path / "narrow")
    assert widths == {3, 5, 12}
    assert all(result.updates == 12 for result in found.results)
    monkeypatch.setattr(LengthBuckets, "cut", lambda self, batch, bucket: dict(batch))
    whole, _ = train(tmp_path / "whole")
    np.testing.assert_allclose(narrow, whole, rtol=0, atol=TOLERANCE)
    other, _ = train(tmp_path / "other", length_buckets=1)
    assert np.abs(other - whole).max() > 1000 * TOLERANCE  # other batches


@pytest.mark.usefixtures("toy")
def test_seeds_batched_as_on_an_accelerator_train_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, _ = train(tmp_path / "alone")
    monkeypatch.setattr(SeedAxis, "batched", property(lambda self: True))
    batched, _ = train(tmp_path / "batched")
    np.testing.assert_allclose(batched, alone, rtol=0, atol=10 * TOLERANCE)
    assert lowered().count("stablehlo.case") == 1  # a choice that differs between seeds would run every branch


def lowered() -> str:
    """Returns the text of the training program."""
    plan = plan_of()
    axis = make_seed_axis(plan.seeds)
    schedule = Schedule("training", 2, 2, "last", 0)
    optimizer, state = start(plan, plan.cells[0], axis, schedule)
    maker = make_batch_maker(plan, sets(), axis, schedule)
    return lower_training(plan, plan.cells[0], axis, optimizer, state, start_sums(axis), maker).as_text()


@pytest.mark.usefixtures("toy")
def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "whole")
    stops = iter([False, False, True])
    assert not run_comparison(
        plan_of(), tmp_path / "run", DataDirs(), checkpoint_seconds=0, stopping=lambda: next(stops, False)
    )
    resumed, _ = train(tmp_path / "run")
    assert resumed.tobytes() == whole.tobytes()


@fault("config", "buckets of lengths for a task without lengths")
def test_a_task_without_lengths_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(experiment(CONFIG))
    assert str(caught.value) == (
        "config.length_buckets=3 is for stored sequences that are padded by their lengths: noisy_padded has none"
    )
    seen(caught)
    monkeypatch.setitem(__import__("gru_research.tasks").tasks.TASKS, "toy", task)
    with pytest.raises(UserError, match="toy has none"):
        plan_of()
    with pytest.raises(UserError, match=r"config.length_buckets=0 must be at least 1"):
        experiment(CONFIG | {"length_buckets": 0})


def test_the_buckets_are_those_of_the_examples_that_are_kept() -> None:
    plan = dataclasses.replace(make_plan(experiment(CONFIG | {"length_buckets": 1})), task=task(inputs="lengths"))
    plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, length_buckets=3))
    short = {name: a[sets()["train"]["lengths"] < 4] for name, a in sets()["train"].items()}
    buckets = make_buckets(plan, {"train": short})
    assert buckets is not None and buckets.widths == ((2,), (3,))
