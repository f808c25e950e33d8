"""Choice of the tested parameters, early stopping, and evaluation steps, against numbers computed by hand."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research.tasks import Generated
from gru_research.training import load_parameters, scoring
from gru_research.training.state import stream
from tests.training import toy

SEEDS = (0, 1, 2, 3)
EVERY = 2
STARTS = {seed: toy.start(seed) for seed in SEEDS}


def metric_at(seed: int, step: int, steps: int = toy.STEPS) -> float:
    return steps * abs(STARTS[seed] + step - toy.GOAL)


def best_step(seed: int, last: int) -> int:
    return min(range(0, last + 1, EVERY), key=lambda step: metric_at(seed, step))


def config(**fields: Any) -> dict[str, Any]:
    return {"updates": 12, "eval_every": EVERY, "seeds": len(SEEDS)} | fields


def test_the_seeds_of_these_tests_differ() -> None:
    assert len({best_step(seed, 12) for seed in SEEDS}) > 1


@pytest.mark.parametrize("select", ["best", "last"])
def test_the_tested_parameters_are_those_of_the_selected_step(select: str, tmp_path: Path) -> None:
    records = toy.run(toy.make(**config(select=select)), tmp_path / "run")
    saved = load_parameters(tmp_path / "run", "toy")["params"]["w"]
    for seed, result in zip(SEEDS, records.results, strict=True):
        step = best_step(seed, 12) if select == "best" else 12
        assert (result.selected_step, result.updates) == (step, 12)
        assert result.test_metric == pytest.approx(metric_at(seed, step), rel=1e-5)
        assert result.validation_metric == pytest.approx(metric_at(seed, step), rel=1e-5)
        assert float(saved[seed]) == pytest.approx(STARTS[seed] + step, rel=1e-6)


def test_the_selected_parameters_are_those_of_a_run_that_ends_there(tmp_path: Path) -> None:
    best = toy.run(toy.make(**config(select="best")), tmp_path / "best").results[0]
    short = toy.run(toy.make(**config(updates=best.selected_step, seeds=1)), tmp_path / "short").results[0]
    assert 0 < best.selected_step < 12
    assert (best.test_metric, best.validation_metric) == (short.test_metric, short.validation_metric)


@pytest.mark.parametrize("select", ["best", "last"])
def test_patience_stops_a_seed_and_not_its_neighbours(select: str, tmp_path: Path) -> None:
    shown: list[int] = []
    plan = toy.make(**config(updates=40, patience=1, select=select))
    records = toy.run(plan, tmp_path / "patient", progress=lambda p: shown.append(p.step))
    whole = toy.run(toy.make(**config(updates=40, select=select)), tmp_path / "whole")
    stops = {seed: best_step(seed, 40) + EVERY for seed in SEEDS}
    assert len(set(stops.values())) > 1
    assert [result.updates for result in records.results] == list(stops.values())
    assert [result.selected_step for result in records.results] == [
        best_step(seed, 40) if select == "best" else stops[seed] for seed in SEEDS
    ]
    # The loop ends with the last seed, and until it stops a seed's records are those of a run without patience.
    assert shown[-1] == max(e.step for e in records.evaluations) == max(stops.values()) < 40

    def until_it_stops(run: Any) -> list[dict[str, Any]]:
        kept = [e for e in run.evaluations if e.step <= stops[e.seed]]
        return [toy.timeless(e) for e in kept]

    assert until_it_stops(records) == until_it_stops(whole)
    for result in records.results:
        assert result.test_metric == pytest.approx(metric_at(result.seed, result.selected_step), rel=1e-5)


def test_a_seed_that_diverged_keeps_nobody_waiting(tmp_path: Path) -> None:
    limit = toy.GOAL - 2  # a number that is above it after an evaluation takes no further update
    plan = toy.make(toy.task(toy.until(limit)), **config(updates=40, patience=3))
    records = toy.run(plan, tmp_path / "run")
    for result in records.results:
        assert result.diverged_at == np.floor(limit - STARTS[result.seed]) + 2
        assert result.test_metric is None
    assert max(e.step for e in records.evaluations) <= max(r.diverged_at for r in records.results) + EVERY


def test_evaluations_after_a_seed_stopped_do_not_solve_its_task(tmp_path: Path) -> None:
    """The seed's last evaluation is past the threshold. Its metric stays constant while another seed continues."""
    starts = {seed: toy.start(seed) for seed in range(20)}
    stops = next(seed for seed in starts if starts[seed] % 1 < 0.4)
    goes_on = next(seed for seed in starts if seed > stops and starts[seed] % 1 > 0.6)
    seen = jnp.asarray([2.0, 0.1, 0.9, 0.2])  # after so many updates; the last isn't better than the best

    def measure(outputs: Any, batch: Any) -> dict[str, Any]:
        w = outputs[:, 0]
        first = w % 1 < 0.5
        made = jnp.round(w - jnp.where(first, starts[stops], starts[goes_on])).astype(int)
        return {"loss": -w, "distance": jnp.where(first, seen[jnp.minimum(made, 3)], 9.0 - made)}

    task = toy.task(measure, threshold=0.5)
    fields = config(updates=8, eval_every=1, patience=2, first_seed=stops, seeds=goes_on - stops + 1)
    records = toy.run(toy.make(task, **fields), tmp_path / "run")
    result = next(r for r in records.results if r.seed == stops)
    assert result.updates == 3 and result.steps_to_solve is None
    curve = [e.validation_metric for e in records.evaluations if e.seed == stops]
    np.testing.assert_allclose(curve[:5], [2.0, 0.1, 0.9, 0.2, 0.2], rtol=1e-6)


def test_evaluations_counts_them_and_a_cell_has_its_own_updates(tmp_path: Path) -> None:
    kind = {"kind": "rnn", "hidden_size": 1}
    fields = config(updates=8, evaluations=3, seeds=1, cells={"long": kind, "short": kind | {"updates": 5}})
    records = toy.run(toy.make(**fields), tmp_path / "run")
    assert {cell.cell: cell.updates for cell in records.cells} == {"long": 8, "short": 5}
    steps = {label: [e.step for e in records.evaluations if e.cell == label] for label in ("long", "short")}
    assert steps == {"long": [0, 3, 6, 8], "short": [0, 2, 4, 5]}
    assert [result.updates for result in records.results] == [8, 5]


@pytest.mark.parametrize("select", ["best", "last"])
def test_a_test_set_may_have_longer_sequences(select: str, tmp_path: Path) -> None:
    data = Generated(toy.ones(toy.STEPS), 1, 3, make_test=toy.ones(7))
    records = toy.run(toy.make(dataclasses.replace(toy.TASK, data=data), **config(select=select)), tmp_path / "run")
    for seed, result in zip(SEEDS, records.results, strict=True):
        assert result.validation_metric == pytest.approx(metric_at(seed, result.selected_step), rel=1e-5)
        assert result.test_metric == pytest.approx(metric_at(seed, result.selected_step, steps=7), rel=1e-5)


def test_examples_count_by_their_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights count in the training loss, and in a set that doesn't divide into batches."""
    monkeypatch.setattr(scoring, "EVALUATION_BATCH", 2)

    def make(key: Any, size: int) -> dict[str, Any]:
        numbers = jnp.arange(1.0, size + 1)
        return {"inputs": jnp.ones((size, toy.STEPS, 1)), "slope": numbers, "frames": numbers**2}

    def measure(outputs: Any, batch: Any) -> dict[str, Any]:
        w = outputs[:, 0]
        return {"loss": -w * batch["slope"], "distance": batch["slope"] * w, "weight": batch["frames"]}

    task = toy.task(measure, data=Generated(make, 5, 3))
    records = toy.run(toy.make(task, **config(updates=2, seeds=1, batch_size=4)), tmp_path / "run")

    def slope(size: int) -> float:
        numbers = np.arange(1, size + 1)
        return float(np.average(numbers, weights=numbers**2))

    (result,) = records.results
    ends = STARTS[0] + 2 * slope(4)
    assert result.test_metric == pytest.approx(slope(3) * ends, rel=1e-5)
    assert result.test_loss == pytest.approx(-slope(3) * ends, rel=1e-5)
    assert records.evaluations[-1].validation_metric == pytest.approx(slope(5) * ends, rel=1e-5)
    assert records.evaluations[-1].gradient_norm == pytest.approx(slope(4), rel=1e-5)
    losses = [-slope(4) * (STARTS[0] + made * slope(4)) for made in range(2)]
    assert records.evaluations[-1].train_loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_share_of_updates_at_which_clipping_acted_is_recorded(tmp_path: Path) -> None:
    """The gradient's norm is a batch's slope, drawn as 1 or 3. Clipping at 2 acts on slopes of 3."""

    def measure(outputs: Any, batch: Any) -> dict[str, Any]:
        return {"loss": -outputs[:, 0] * batch["slope"], "distance": jnp.abs(outputs[:, 0])}

    def make(key: Any, size: int) -> dict[str, Any]:
        slope = jnp.where(jax.random.bernoulli(key), 3.0, 1.0)
        return {"inputs": jnp.ones((size, toy.STEPS, 1)), "slope": jnp.full(size, slope)}

    task = toy.task(measure, data=Generated(make, 5, 3))
    optimizer = {"name": "sgd", "learning_rate": 0.1, "clip": 2.0}
    records = toy.run(toy.make(task, **config(seeds=2, optimizer=optimizer)), tmp_path / "run")
    for seed, result in zip((0, 1), records.results, strict=True):
        data = stream(jnp.uint32(seed), "data")
        steep = [bool(jax.random.bernoulli(jax.random.fold_in(data, step))) for step in range(12)]
        assert 0 < sum(steep) < 12
        mine = [e.clipped_share for e in records.evaluations if e.seed == seed]
        assert mine == [None, *(np.mean(steep[i : i + EVERY]) for i in range(0, 12, EVERY))]
        assert result.clipped_share == pytest.approx(np.mean(steep))
    free = toy.run(toy.make(task, **config(seeds=1, optimizer=optimizer | {"clip": 0.0})), tmp_path / "free")
    assert {e.clipped_share for e in (*free.evaluations, *free.results)} == {None}
