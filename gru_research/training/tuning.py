"""Equal tuning: every cell gets the same draws of the optimiser's fields. Validation data choose among them."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from gru_research import records
from gru_research.config import TuneConfig
from gru_research.stats import iqm, rank_worst
from gru_research.tasks import Generated

from .batch_maker import Sets, updates_per_call
from .checkpoint import Checkpoints, Snapshot
from .loop import Hooks, TrainingResult, train_members
from .optimizer import Optimizer
from .plan import CellPlan, Plan
from .program_cache import ProgramCache
from .seeds import make_seed_axis
from .selection import Schedule


@dataclasses.dataclass(frozen=True)
class Draw:
    """One draw: the optimiser's fields, and its seeds' final validation results [S], with non-finite ones worst."""

    values: Mapping[str, float]
    metrics: np.ndarray
    losses: np.ndarray
    diverged_at: tuple[int | None, ...]


def draw_values(tune: TuneConfig) -> list[dict[str, float]]:
    """Returns the draws for all cells, ordered by the first field. Each of `draws` equal parts of a range has one draw.

    The parts form a Latin hypercube (McKay, Beckman and Conover 1979), which covers the range even with few draws. Each
    single draw is log-uniform over the whole range.
    """
    rng = np.random.default_rng(tune.sample)
    columns = {}
    for i, (name, (low, high)) in enumerate(tune.ranges.items()):
        parts = np.arange(tune.draws) if i == 0 else rng.permutation(tune.draws)
        shares = (parts + rng.random(tune.draws)) / tune.draws
        columns[name] = np.exp(np.log(low) + shares * (np.log(high) - np.log(low)))
    return [
        {name: _rounded(values[d], *tune.ranges[name]) for name, values in columns.items()} for d in range(tune.draws)
    ]


def _rounded(value: float, low: float, high: float) -> float:
    """Rounds to four digits, as in the report, within the range."""
    return min(max(float(f"{value:.4g}"), low), high)


def tune_variant(
    plan: Plan,
    cell: CellPlan,
    sets: Sets,
    hooks: Hooks,
    programs: ProgramCache | None = None,
    checkpoints: Checkpoints | None = None,
    snapshot: Snapshot | None = None,
) -> dict[str, float]:
    """Trains all draws side by side, records their results, and returns the fields of the chosen draw.

    The chosen draw has the best interquartile mean of the validation metric over its seeds. Ties, which are common at
    an accuracy of 1, are broken by the lowest validation loss. Test data are not used.
    """
    tune = plan.config.tune
    values = draw_values(tune)
    members = tuning_members(tune)
    scalars = {name: [values[draw][name] for draw, _ in members] for name in values[0]}
    axis = make_seed_axis([seed for _, seed in members], scalars, plan.config.data_parallel, beside=len(plan.seeds))
    schedule = tuning_schedule(plan, cell)
    trained = train_members(plan, cell, sets, axis, schedule, hooks, programs, checkpoints, snapshot)
    draws = [
        _result(plan, trained, values[draw], [m for m, (d, _) in enumerate(members) if d == draw])
        for draw in range(tune.draws)
    ]
    sign = 1 if plan.task.validation_direction == "min" else -1
    chosen = min(range(tune.draws), key=lambda d: (sign * iqm(draws[d].metrics), iqm(draws[d].losses)))
    seeds = [seed for draw, seed in members if draw == chosen]
    for d, draw in enumerate(draws):
        for seed, metric, diverged_at in zip(seeds, draw.metrics, draw.diverged_at, strict=True):
            hooks.record(
                records.Draw(
                    task=plan.task.name,
                    cell=cell.label,
                    draw=d,
                    seed=seed,
                    values=draw.values,
                    validation_metric=float(metric),
                    diverged_at=diverged_at,
                    chosen=d == chosen,
                )
            )
    return dict(values[chosen])


def tuning_members(tune: TuneConfig) -> list[tuple[int, int]]:
    """Returns the pairs (draw, seed) that are trained side by side."""
    seeds = range(tune.first_seed, tune.first_seed + tune.seeds)
    return [(draw, seed) for draw in range(tune.draws) for seed in seeds]


def training_schedule(plan: Plan, cell: CellPlan) -> Schedule:
    """Returns the schedule of the comparison."""
    return Schedule("training", cell.updates, cell.eval_every, plan.config.select, plan.config.patience)


def tuning_schedule(plan: Plan, cell: CellPlan) -> Schedule:
    """Returns the schedule of the tuning, which is as long as the comparison unless the config sets its length."""
    config = plan.config
    updates = config.tune.updates or cell.updates
    eval_every = -(-updates // config.evaluations) if config.evaluations else min(cell.eval_every, updates)
    return Schedule("tuning", updates, eval_every, config.select, config.patience)


def shares_programs(plan: Plan, cell: CellPlan) -> bool:
    """Whether a cell's tuning and training use the same compiled programs."""
    tuning, training = tuning_schedule(plan, cell), training_schedule(plan, cell)
    draws, parts = len(tuning_members(plan.config.tune)), plan.config.data_parallel
    axes = make_seed_axis(range(draws), {}, parts, len(plan.seeds)), make_seed_axis(plan.seeds, {}, parts, draws)
    lengths = {(axis.mesh, axis.length) for axis in axes}
    optimizers = {Optimizer(plan.config.optimizer, schedule.updates).program for schedule in (tuning, training)}
    calls = {updates_per_call(schedule) for schedule in (tuning, training)}
    generated = isinstance(plan.task.data, Generated)  # then a call's batches aren't an argument
    return len(lengths) == len(optimizers) == 1 and (generated or len(calls) == 1)


def _result(plan: Plan, trained: TrainingResult, values: Mapping[str, float], members: list[int]) -> Draw:
    """Returns the result of a draw: the metric and the loss of the parameters that `select` chooses."""
    metrics, losses, diverged = [], [], []
    for member in members:
        steps = [evaluation.step for evaluation in trained.evaluations]
        diverged_at = int(trained.evaluations[-1].state["diverged_at"][member]) or None
        at = steps.index(trained.selected_step[member]) if plan.config.select == "best" else -1
        for name, kept in ((plan.task.validation_metric, metrics), ("loss", losses)):
            kept.append(None if diverged_at else trained.curve(name, member)[at])
        diverged.append(diverged_at)
    return Draw(values, rank_worst(metrics, plan.task.validation_direction), rank_worst(losses, "min"), tuple(diverged))
