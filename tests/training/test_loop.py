"""Training one cell with several seeds: against a plain loop, with seeds that diverge, and interrupted."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gru_research import native
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs, ShuffledBatches
from gru_research.records import FILE_NAME, read
from gru_research.runs.comparison import run_comparison
from gru_research.training import CellPlan, Plan, SeedAxis, load_parameters, make_plan
from gru_research.training.evaluation import evaluate
from gru_research.training.optimizer import make_optimizer
from gru_research.training.scoring import evaluation_batches
from gru_research.training.state import init_state, stream
from gru_research.training.step import update
from tests.tasks.measuring import measures
from tests.training import toy

CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 30, "test_size": 70},
    "cells": {"gru": {"kind": "gru", "hidden_size": 3}},
    "updates": 7,
    "batch_size": 5,
    "eval_every": 3,
    "seeds": 3,
    "optimizer": {"learning_rate": 0.05, "schedule": "cosine"},
}


def run(config: dict[str, Any], workdir: Path, change: Callable[[Plan], Plan] = lambda p: p, **hooks: Any) -> Any:
    plan = change(make_plan(experiment(config)))
    run_comparison(plan, workdir, DataDirs(), **hooks)
    return read(workdir / FILE_NAME)


def trained_by_hand(plan: Plan, cell: CellPlan, seed: int) -> tuple[Any, list[float]]:
    """Trains one seed in a Python loop over updates."""
    task, data = plan.task, plan.task.data
    params = cell.model.init(stream(jnp.uint32(seed), "init"), task.spec.example)
    optimizer = make_optimizer(plan.config.optimizer, cell.updates, cell.scalars)
    opt_state, losses = optimizer.init(params), []

    @jax.jit
    def loss_and_gradients(params: Any, batch: Any) -> Any:
        def loss_of(p: Any) -> Any:
            return measures(task, cell.model.apply(p, batch), batch)["loss"].mean()

        return jax.value_and_grad(loss_of)(params)

    for step in range(plan.config.updates):
        batch = data.make(jax.random.fold_in(stream(jnp.uint32(seed), "data"), step), plan.config.batch_size)
        loss, gradients = loss_and_gradients(params, batch)
        change, opt_state = optimizer.update(gradients, opt_state, params)
        params = optax.apply_updates(params, change)
        losses.append(float(loss))
    return params, losses


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    workdir = tmp_path_factory.mktemp("run") / "it"
    return workdir, run(CONFIG, workdir)


def test_every_seed_is_what_a_plain_loop_gives(finished: tuple[Path, Any]) -> None:
    workdir, records = finished
    plan = make_plan(experiment(CONFIG))
    saved = load_parameters(workdir, "gru")
    assert list(saved["seeds"]) == [0, 1, 2]
    for s, seed in enumerate(plan.seeds):
        params, losses = trained_by_hand(plan, plan.cells[0], seed)
        mine = jax.tree.map(lambda a, s=s: a[s], saved["params"])
        for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        means = [e.train_loss for e in records.evaluations if e.seed == seed]
        assert means[0] is None
        np.testing.assert_allclose(means[1:], [np.mean(losses[:3]), np.mean(losses[3:6]), losses[6]], rtol=1e-4)


def test_records_say_what_happened_when(finished: tuple[Path, Any]) -> None:
    _, records = finished
    assert records.finished and records.header.config["updates"] == 7
    assert [e.step for e in records.evaluations if e.seed == 1] == [0, 3, 6, 7]
    assert [r.seed for r in records.results] == [0, 1, 2]
    (cell,) = records.cells
    assert cell.hidden_size == 3 and cell.parameters == 3 * (2 + 3 + 1) * 3 + 3 + 4
    assert cell.time["compile_seconds"] > 0 and cell.env["engine"] in ("native", "XLA")
    for result in records.results:
        assert result.updates == 7 and result.diverged_at is None and result.time["ms_per_step"] > 0
    env = records.header.env
    assert env["engine"] == native.describe()
    assert (
        env["backend"] == "cpu"
        and env["versions"]["jax"] == jax.__version__
        and len(env["git_commit"] or "x" * 40) == 40
    )


def test_the_test_metric_is_that_of_the_saved_parameters(finished: tuple[Path, Any]) -> None:
    workdir, records = finished
    plan = make_plan(experiment(CONFIG))
    test = plan.task.data.load(DataDirs())["test"]
    saved = load_parameters(workdir, "gru")["params"]
    for s, result in enumerate(records.results):
        params = jax.tree.map(lambda a, s=s: jnp.asarray(a[s]), saved)
        outputs = plan.cells[0].model.apply(params, test)
        assert result.test_metric == pytest.approx(float(measures(plan.task, outputs, test)["mse"].mean()), rel=1e-5)


def test_equal_runs_have_equal_records(finished: tuple[Path, Any], tmp_path: Path) -> None:
    def fixed(records: Any) -> list[dict[str, Any]]:
        kept = [*records.cells, *records.evaluations, *records.results]
        return [toy.timeless(record) for record in kept]

    assert fixed(run(CONFIG, tmp_path / "again")) == fixed(finished[1])


def test_a_seed_does_not_depend_on_its_neighbours(finished: tuple[Path, Any], tmp_path: Path) -> None:
    alone = run(CONFIG | {"seeds": 1, "first_seed": 2}, tmp_path / "alone")
    assert alone.results[0].test_metric == finished[1].results[2].test_metric


def test_seeds_batched_as_on_an_accelerator_train_alike(
    finished: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SeedAxis, "batched", property(lambda self: True))
    for batched, alone in zip(run(CONFIG, tmp_path / "run").results, finished[1].results, strict=True):
        assert batched.test_metric == pytest.approx(alone.test_metric, rel=1e-4)
        assert batched.updates == 7


def poisoned(plan: Plan) -> Plan:
    """Returns the plan with a task whose third batch of seed 1 has NaN targets."""
    data = plan.task.data
    bad = jax.random.key_data(jax.random.fold_in(stream(jnp.uint32(1), "data"), 2))

    def make(key: Any, size: int) -> Any:
        batch = data.make(key, size)
        hit = (jax.random.key_data(key) == bad).all()
        return batch | {"targets": jnp.where(hit, jnp.nan, batch["targets"])}

    return dataclasses.replace(plan, task=dataclasses.replace(plan.task, data=dataclasses.replace(data, make=make)))


def test_a_seed_that_diverges_is_recorded_and_the_others_go_on(finished: tuple[Path, Any], tmp_path: Path) -> None:
    records = run(CONFIG, tmp_path / "run", poisoned)
    first, second, third = records.results
    assert second.diverged_at == 3 and second.updates == 2
    assert second.test_metric is None and second.validation_metric is None and second.steps_to_solve is None
    assert second.last_good_loss > 0
    curve = [(e.step, e.validation_metric is None, e.diverged_at) for e in records.evaluations if e.seed == 1]
    assert curve == [(0, False, None), (3, True, 3), (6, True, 3), (7, True, 3)]
    for result, whole in ((first, finished[1].results[0]), (third, finished[1].results[2])):
        assert result.test_metric == whole.test_metric and result.diverged_at is None
    # What is kept are the parameters from before the bad update.
    kept = jax.tree.map(lambda a: a[1], load_parameters(tmp_path / "run", "gru")["params"])
    two = make_plan(experiment(CONFIG | {"optimizer": CONFIG["optimizer"]}))
    params, _ = trained_by_hand(
        dataclasses.replace(two, config=dataclasses.replace(two.config, updates=2)), two.cells[0], seed=1
    )
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_all_seeds_diverging_is_a_result_too(tmp_path: Path) -> None:
    def all_nan(plan: Plan) -> Plan:
        data = plan.task.data
        make = lambda key, size: jax.tree.map(lambda a: a * jnp.nan, data.make(key, size))  # noqa: E731
        task = dataclasses.replace(plan.task, data=dataclasses.replace(data, make=make))
        return dataclasses.replace(plan, task=task)

    records = run(CONFIG, tmp_path / "run", all_nan)
    assert records.finished and [r.diverged_at for r in records.results] == [1, 1, 1]


def test_stopping_leaves_an_interrupted_run_on_record(tmp_path: Path) -> None:
    seen: list[int] = []
    records = run(
        CONFIG, tmp_path / "run", progress=lambda p: seen.append(p.step), stopping=lambda: bool(seen) and seen[-1] >= 3
    )
    assert records.end.status == "interrupted" and not records.finished
    assert records.results == () and max(e.step for e in records.evaluations) == 3


def test_an_error_leaves_an_interrupted_run_on_record(tmp_path: Path) -> None:
    def fail(progress: Any) -> None:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        run(CONFIG, tmp_path / "run", progress=fail)
    assert read(tmp_path / "run" / FILE_NAME).end.status == "interrupted"


def test_a_finished_run_is_left_as_it_is_and_another_is_refused(finished: tuple[Path, Any]) -> None:
    before = (finished[0] / FILE_NAME).read_bytes()
    run(CONFIG, finished[0])
    with pytest.raises(UserError, match=r"holds a run of another config \(batch_size was 5, now 6\)"):
        run(CONFIG | {"batch_size": 6}, finished[0])
    assert (finished[0] / FILE_NAME).read_bytes() == before


def test_evaluation_batches_weigh_each_example_once() -> None:
    made = evaluation_batches({"x": np.arange(7)}, 3)
    assert [len(batch.examples["x"]) for batch in made] == [3, 3, 3]
    kept = np.concatenate([batch.examples["x"][batch.counted] for batch in made])
    assert [batch.count for batch in made] == [batch.counted.sum() for batch in made] == [3, 3, 1]
    np.testing.assert_array_equal(kept, np.arange(7))
    assert [batch.count for batch in evaluation_batches({"x": np.arange(4)}, 4)] == [4]


def test_stored_data_come_in_the_order_of_the_seed(tmp_path: Path, mnist_data_dir: str) -> None:
    config = CONFIG | {"task": {"name": "smnist", "order": "rows"}, "updates": 3, "eval_every": 2, "seeds": 2}
    plan = make_plan(experiment(config))
    cell, task = plan.cells[0], plan.task
    sets = task.data.load(DataDirs(data_dir=mnist_data_dir))
    small = {"train": sets["train"], **{s: {n: a[:40] for n, a in sets[s].items()} for s in ("validation", "test")}}
    stored = dataclasses.replace(task.data, split=lambda splits: small)
    plan = dataclasses.replace(plan, task=dataclasses.replace(task, data=stored))
    run_comparison(plan, tmp_path / "run", DataDirs(data_dir=mnist_data_dir))
    records = read(tmp_path / "run" / FILE_NAME)
    source = ShuffledBatches(sets["train"], 5, seed=1)
    params = cell.model.init(stream(jnp.uint32(1), "init"), task.spec.example)
    optimizer = make_optimizer(plan.config.optimizer, cell.updates, cell.scalars)
    losses, opt_state = [], optimizer.init(params)
    for step in range(3):
        batch = task.prepare({n: jnp.asarray(a) for n, a in source[step].items()})

        def loss_of(p: Any, batch: Any = batch) -> Any:
            return measures(task, cell.model.apply(p, batch), batch)["loss"].mean()

        loss, gradients = jax.value_and_grad(loss_of)(params)
        change, opt_state = optimizer.update(gradients, opt_state, params)
        params = optax.apply_updates(params, change)
        losses.append(float(loss))
    means = [e.train_loss for e in records.evaluations if e.seed == 1][1:]
    np.testing.assert_allclose(means, [np.mean(losses[:2]), losses[2]], rtol=1e-4)


class Standing:
    """An optimiser that never changes the parameters."""

    def __call__(self, scalars: Any) -> optax.GradientTransformation:
        return optax.sgd(0.0)

    def clip(self, scalars: Any) -> None:
        return None


def test_every_update_draws_noise_of_its_own_and_evaluation_none() -> None:
    plan = make_plan(experiment(CONFIG | {"model": {"state_dropout": 0.5, "input_dropout": 0.5}}))
    (cell,), standing = plan.cells, Standing()
    state = init_state(cell.model, standing, plan.task.spec.example, jnp.uint32(0), {}, jnp.bool_(True))
    batch = plan.task.data.make(jax.random.key(0), 50)  # type: ignore[union-attr]
    one = jax.jit(lambda state: update(cell.model, standing, plan.task, state, batch))
    after, first = one(state)
    _, second = one(after)
    assert float(one(state)[1].loss) == float(first.loss)
    assert float(second.loss) != float(first.loss)
    counted = jnp.ones(50, bool)
    measured = [
        evaluate(cell.model, plan.task, ("loss",), None, s, batch, counted).sums["loss"]["sum"] for s in (state, after)
    ]
    assert float(measured[0]) == float(measured[1])
    assert float(measured[0]) / 50 != float(first.loss)
