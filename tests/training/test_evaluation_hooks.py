"""Probes at evaluations: their records, no effect on training, and models that they can't probe."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research import records
from gru_research.analysis import gradient_flow, half_life
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.training import batch_maker, evaluation_hooks, load_parameters, make_plan
from gru_research.training.state import stream
from tests.training import toy

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 6, "validation_size": 10, "test_size": 10},
    "cells": {
        "gru": {"kind": "gru", "hidden_size": 3},
        "wild": {"kind": "rnn", "hidden_size": 4, "learning_rate": 1e30, "activation": "relu"},
    },
    "match": "none",
    "updates": 4,
    "batch_size": 5,
    "eval_every": 2,
    "seeds": 2,
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
    "probes": "gradient_flow",
}


def run(workdir: Path, config: dict[str, Any], **hooks: Any) -> records.Run:
    run_comparison(make_plan(experiment(config)), workdir, DataDirs(), **hooks)
    return records.read(workdir / records.FILE_NAME)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, records.Run]:
    workdir = tmp_path_factory.mktemp("probes") / "run"
    return workdir, run(workdir, CONFIG)


def test_a_record_holds_the_gradient_of_the_loss_at_that_step(whole: tuple[Path, records.Run]) -> None:
    workdir, found = whole
    plan = make_plan(experiment(CONFIG))
    model = plan.cells[0].model
    batch = plan.task.data.load(DataDirs())["validation"]
    mine = [record for record in found.probes if record.cell == "gru" and record.seed == 1]
    assert [record.step for record in mine] == [0, 2, 4]
    saved = jax.tree.map(lambda a: a[1], load_parameters(workdir, "gru")["params"])

    @jax.jit
    def flow(params: Any) -> Any:
        last = model.stack.apply(params["stack"], batch["inputs"])[0][0]
        errors = model.readout.apply(params["readout"], last, None) - batch["targets"]
        by_hand = jnp.sign(errors) * params["readout"]["W"].T / jnp.linalg.norm(params["readout"]["W"])
        return gradient_flow(model.stack, params["stack"], batch["inputs"], cotangent=by_hand)

    for record, params in (
        (mine[0], model.init(stream(jnp.uint32(1), "init"), plan.task.spec.example)),
        (mine[-1], saved),
    ):
        assert (record.name, record.measured["of"]) == ("gradient_flow", "loss")
        median = np.median(flow(params), axis=0)
        np.testing.assert_allclose(
            record.measured["log_norm"], median[np.array(record.measured["lags"]) - 1], rtol=1e-4
        )
        assert record.measured["half_life"] == pytest.approx(float(half_life(median)), rel=1e-4)


def test_a_seed_that_diverged_has_none_from_there_on(whole: tuple[Path, records.Run]) -> None:
    diverged = {result.seed for result in whole[1].results if result.diverged_at}
    assert diverged == {0, 1}
    assert {record.step for record in whole[1].probes if record.cell == "wild"} == {0}


def test_training_does_not_notice_them(whole: tuple[Path, records.Run], tmp_path: Path) -> None:
    run(tmp_path / "run", CONFIG | {"probes": "", "only": "gru"})
    pairs = zip(*(jax.tree.leaves(load_parameters(path, "gru")) for path in (whole[0], tmp_path / "run")), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_an_interrupted_run_ends_with_the_same_records(
    whole: tuple[Path, records.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_maker, "UPDATES_PER_CALL", 1)
    asked = iter(range(100))
    run(tmp_path / "run", CONFIG | {"only": "gru"}, stopping=lambda: next(asked) >= 3)
    found = run(tmp_path / "run", CONFIG | {"only": "gru"})
    assert found.header.env["resumed"][0]["step"] == 3
    assert list(found.probes) == [record for record in whole[1].probes if record.cell == "gru"]


def test_lags_of_sequences_with_lengths_count_from_their_ends() -> None:
    plan = make_plan(experiment(CONFIG | {"task": {"name": "parity", "length": 6}, "model": {"embedding_size": 0}}))
    model, task = plan.cells[0].model, plan.task
    batch = jax.jit(task.data.make, static_argnums=1)(jax.random.key(0), 3)
    params = model.init(jax.random.key(1), task.spec.example)
    flow = jax.jit(lambda batch: evaluation_hooks.loss_flow(model, task, params, batch))
    logs = flow(batch)
    for row, length in enumerate(np.asarray(batch["lengths"])):
        assert np.isfinite(logs[row, :length]).all() and np.isnan(logs[row, length:]).all()
        alone = {name: a[row : row + 1] for name, a in batch.items() if name != "lengths"}
        alone["inputs"] = alone["inputs"][:, :length]
        np.testing.assert_allclose(logs[row, :length], flow(alone)[0], rtol=1e-3)


def test_what_can_not_be_probed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.probes='gradient_flo' is unknown; did you mean 'gradient_flow'"):
        make_plan(experiment(CONFIG | {"probes": "gradient_flo"}))
    with pytest.raises(UserError, match=r"config\.probes='gradient_flow': gru is bidirectional"):
        run(tmp_path / "run", CONFIG | {"model": {"bidirectional": True}})
    plan = toy.make(updates=2, seeds=1, probes="gradient_flow")
    with pytest.raises(UserError, match="toy isn't a model of kind='sequence', through whose layers"):
        run_comparison(plan, tmp_path / "run", DataDirs())
    assert not (tmp_path / "run").exists()
    assert "reads sequences with mask" in str(
        evaluation_hooks.unfit(make_plan(experiment(CONFIG)).cells[0].model, ["mask"])
    )
