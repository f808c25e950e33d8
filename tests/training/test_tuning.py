"""Equal tuning: the draws, their ranking, and no use of test data."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from gru_research.config import TuneConfig, experiment
from gru_research.data import DataDirs
from gru_research.runs.comparison import load_sets
from gru_research.tasks import Task
from gru_research.training import Hooks, make_plan, make_seed_axis
from gru_research.training.loop import TrainingResult, train_members
from gru_research.training.selection import Schedule
from gru_research.training.tuning import draw_values, tune_variant, tuning_schedule
from tests.training import toy


def test_each_part_of_a_range_is_drawn_from_once() -> None:
    tune = TuneConfig(draws=16, learning_rate=(1e-4, 1e-1), clip=(0.5, 2.0), weight_decay=(1e-6, 1e-2))
    values = draw_values(tune)
    assert values == draw_values(tune) and len(values) == 16
    for name, (low, high) in tune.ranges.items():
        drawn = np.array([draw[name] for draw in values])
        assert low <= drawn.min() and drawn.max() <= high
        parts = np.floor(16 * np.log(drawn / low) / np.log(high / low))
        assert sorted(parts) == list(range(16)), name
        assert (list(parts) == sorted(parts)) == (name == "learning_rate")


def test_each_draw_is_log_uniform_and_its_sample_has_a_seed() -> None:
    drawn = [draw_values(TuneConfig(draws=1, learning_rate=(1e-3, 1.0), sample=s))[0] for s in range(1000)]
    shares = [1 + np.log10(draw["learning_rate"]) / 3 for draw in drawn]
    assert kstest(shares, "uniform").pvalue > 0.01


def test_rounding_stays_within_the_range() -> None:
    drawn = draw_values(TuneConfig(draws=3, learning_rate=(0.00123456, 0.00123456), clip=(0.1234449, 0.1234451)))
    assert [draw["learning_rate"] for draw in drawn] == [0.00123456] * 3
    assert all(0.1234449 <= draw["clip"] <= 0.1234451 for draw in drawn)


TUNE: dict[str, Any] = {"draws": 4, "learning_rate": (0.3, 5.0), "seeds": 2, "first_seed": 50, "updates": 3}


def tuned(plan: Any) -> tuple[dict[str, float], list[Any], list[str]]:
    """Returns the chosen values, the records of the draws and the reported phases. Tuning gets no test set."""
    seen: list[Any] = []
    phases: list[str] = []
    hooks = Hooks(seen.append, lambda p: phases.append(p.phase))
    sets = {"validation": load_sets(plan, DataDirs())["validation"]}
    chosen = tune_variant(plan, plan.cells[0], sets, hooks)
    assert {record.kind for record in seen} == {"draw"}
    return chosen, seen, phases


def ends_at(draw: Any, updates: int = 3) -> float:
    """Returns the final number of a draw's seed, with gradient -1, clipping and decoupled weight decay."""
    w, values = toy.start(draw.seed), draw.values
    for _ in range(updates):
        w += values["learning_rate"] * (min(1.0, values.get("clip", 1.0)) - values.get("weight_decay", 0.0) * w)
    return w


@pytest.mark.parametrize("direction", ["min", "max"])
def test_the_best_draw_by_validation_is_chosen(direction: Any) -> None:
    sign = 1 if direction == "min" else -1

    def measure(outputs: Any, batch: Any) -> dict[str, Any]:
        measured = toy.distance(outputs, batch)
        return measured | {"distance": sign * measured["distance"]}

    task = toy.task(measure, direction=direction)
    ranges = {"clip": (0.2, 2.0), "weight_decay": (0.01, 0.3)}
    chosen, draws, phases = tuned(toy.make(task, seeds=3, updates=9, tune=TUNE | ranges))
    assert [(draw.draw, draw.seed) for draw in draws] == [(d, s) for d in range(4) for s in (50, 51)]
    assert [draw.values for draw in draws[::2]] == draw_values(TuneConfig(**TUNE | ranges))
    assert len({draw.values["clip"] for draw in draws}) == 4
    distances = [toy.STEPS * abs(ends_at(draw) - toy.GOAL) for draw in draws]
    np.testing.assert_allclose([sign * draw.validation_metric for draw in draws], distances, rtol=1e-4)
    best = int(np.argmin(np.reshape(distances, (4, 2)).mean(1)))
    assert chosen == draws[2 * best].values and best > 0
    assert [draw.chosen for draw in draws] == [draw.draw == best for draw in draws]
    assert set(phases) == {"tuning"}


def test_a_draw_that_diverged_ranks_worst() -> None:
    """Above the limit the loss is NaN. Right below it, the number is closest to the goal."""
    plan = toy.make(toy.task(toy.until(toy.GOAL - 0.5)), tune=TUNE)
    chosen, draws, _ = tuned(plan)
    for draw in draws:
        after = [ends_at(draw, made) for made in range(3)]
        diverged = next((made + 1 for made, w in enumerate(after) if w > toy.GOAL - 0.5), None)
        assert draw.diverged_at == diverged
        assert np.isfinite(draw.validation_metric) == (diverged is None)
    assert any(draw.diverged_at for draw in draws)
    assert all(draw.diverged_at is None for draw in draws if draw.values == chosen)


def test_the_comparison_trains_fresh_seeds_with_the_values_of_each_cell(tmp_path: Path) -> None:
    kind = {"kind": "rnn", "hidden_size": 1}
    fields = {"updates": 4, "seeds": 2, "cells": {"a": kind, "b": kind | {"learning_rate": 7.0}}}
    records = toy.run(toy.make(tune=TUNE, select="best", eval_every=1, **fields), tmp_path / "run")
    assert [(d.cell, d.seed, d.values) for d in records.draws if d.cell == "a"] == [
        ("a", d.seed, d.values) for d in records.draws if d.cell == "b"
    ]
    for cell in records.cells:
        (rate,) = {d.values["learning_rate"] for d in records.draws if d.cell == cell.cell and d.chosen}
        assert (cell.tuned, cell.learning_rate, cell.updates) == (True, rate, 4)
        for result in (r for r in records.results if r.cell == cell.cell):
            ends = toy.start(result.seed) + rate * result.selected_step
            assert result.seed in (0, 1)
            assert result.test_metric == pytest.approx(toy.STEPS * abs(ends - toy.GOAL), rel=1e-4, abs=1e-5)
    # A draw's metric is that of the parameters that would be selected.
    for draw in records.draws:
        best = min(abs(ends_at(draw, made) - toy.GOAL) for made in range(4))
        assert draw.validation_metric == pytest.approx(toy.STEPS * best, rel=1e-4, abs=1e-5)


def test_all_draws_diverging_ends_with_the_first_of_them(tmp_path: Path) -> None:
    records = toy.run(toy.make(never(), updates=4, seeds=2, tune=TUNE), tmp_path / "run")
    assert records.finished and [draw.validation_metric for draw in records.draws] == [None] * 8
    assert {draw.draw for draw in records.draws if draw.chosen} == {0}
    assert [result.diverged_at for result in records.results] == [1, 1]


def never() -> Task:
    return toy.task(toy.until(-1.0))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"updates": 80, "eval_every": 20}, (80, 20)),
        ({"updates": 80, "eval_every": 20, "tune": {"draws": 2, "updates": 10}}, (10, 10)),
        ({"updates": 80, "evaluations": 4, "tune": {"draws": 2, "updates": 10}}, (10, 3)),
        ({"updates": 80, "evaluations": 4}, (80, 20)),
    ],
)
def test_tuning_is_as_long_as_training_unless_the_config_says(fields: dict[str, Any], said: tuple[int, int]) -> None:
    plan = toy.make(**{"tune": {"draws": 2}, "patience": 3, "select": "best"} | fields)
    assert tuning_schedule(plan, plan.cells[0]) == Schedule("tuning", *said, select="best", patience=3)


def test_a_draw_is_trained_as_if_it_were_alone() -> None:
    """A draw beside others has the same bits as the draw alone, with its rate, clipping and weight decay."""
    ranges = {"clip": (0.01, 0.1), "weight_decay": (0.1, 1.0)}
    config = {
        "task": {"name": "adding", "length": 4, "validation_size": 5, "test_size": 1},
        "cells": {"rnn": {"kind": "rnn", "hidden_size": 2}},
        "updates": 3,
        "batch_size": 5,
        "tune": {"draws": 3, "learning_rate": (0.01, 0.1), **ranges},
    }
    plan = make_plan(experiment(config))
    values, sets = draw_values(plan.config.tune), plan.task.data.load(DataDirs())
    schedule = tuning_schedule(plan, plan.cells[0])

    def train(draws: list[int]) -> TrainingResult:
        scalars = {name: [values[d][name] for d in draws] for name in values[0]}
        axis = make_seed_axis([1000] * len(draws), scalars)
        return train_members(plan, plan.cells[0], sets, axis, schedule, Hooks(lambda kind, **fields: None))

    together, alone = train([0, 1, 2]), train([1])
    for a, b in zip(jax.tree.leaves(together.params), jax.tree.leaves(alone.params), strict=True):
        np.testing.assert_array_equal(a[1], b[0])
        assert not jnp.array_equal(a[1], a[0])
    assert together.curve("mse", 1) == alone.curve("mse", 0)
