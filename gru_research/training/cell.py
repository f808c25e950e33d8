"""One cell of a comparison from start to end: tuned, trained with fresh seeds, tested once, recorded, saved."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gru_research.stats import solved_at

from .checkpoint import save_parameters
from .loop import Hooks, Sets, Trained, compile_evaluation, put_evaluation, score, shapes, train_members
from .plan import CellPlan, Plan
from .seeds import SeedAxis, make_seed_axis
from .selection import Evaluation, Schedule
from .tuning import tune_cell


def train_cell(plan: Plan, cell: CellPlan, sets: Sets, hooks: Hooks, workdir: Path) -> None:
    """Trains all seeds of one cell, evaluates them as the config asks, tests them once, saves their parameters.

    Raises:
      InterruptedRun: `hooks.stopping()` said so.
    """
    tuned = bool(plan.config.tune.draws)
    if tuned:
        cell = dataclasses.replace(cell, scalars={**cell.scalars, **tune_cell(plan, cell, sets, hooks)})
    axis = make_seed_axis(plan.seeds, cell.scalars)
    schedule = Schedule("training", cell.updates, cell.eval_every, plan.config.select, plan.config.patience)
    trained = train_members(
        plan,
        cell,
        sets,
        axis,
        schedule,
        hooks,
        evaluated=lambda evaluation: _record_evaluation(plan, cell, evaluation, hooks),
        compiled=lambda seconds: hooks.record(
            "cell", task=plan.task.name, **cell.record(), tuned=tuned, time={"compile_seconds": seconds}
        ),
    )
    _record_results(plan, cell, trained, _test(plan, cell, sets, axis, trained), hooks)
    save_parameters(workdir, cell.label, axis.seeds, axis.gather(trained.params))


def _test(plan: Plan, cell: CellPlan, sets: Sets, axis: SeedAxis, trained: Trained) -> dict[str, np.ndarray]:
    """What the task measures on the test set, for each seed [S]; it may have other shapes than training's batches."""
    batches = put_evaluation(sets["test"], plan.task, cell, axis)
    state = trained.state._replace(params=trained.params)
    fits = shapes(batches[0]) == trained.evaluated_shapes
    program = trained.evaluate if fits else compile_evaluation(plan, cell, axis, state, batches[0])
    return score(program, axis, state, batches)


def _record_evaluation(plan: Plan, cell: CellPlan, evaluation: Evaluation, hooks: Hooks) -> None:
    for s, seed in enumerate(plan.seeds):
        diverged_at = int(evaluation.state["diverged_at"][s]) or None
        trained = evaluation.updates[s] > 0
        hooks.record(
            "evaluation",
            task=plan.task.name,
            cell=cell.label,
            seed=seed,
            step=evaluation.step,
            train_loss=float(evaluation.train_loss[s]) if trained else None,
            gradient_norm=float(evaluation.gradient_norm[s]) if trained else None,
            # What a diverged seed kept is no result: it would be better than what it had become.
            validation_loss=None if diverged_at else float(evaluation.measured["loss"][s]),
            validation_metric=None if diverged_at else float(evaluation.measured[plan.task.metric][s]),
            diverged_at=diverged_at,
            time={"train_seconds": evaluation.train_seconds},
        )


def _record_results(
    plan: Plan, cell: CellPlan, trained: Trained, tested: Mapping[str, np.ndarray], hooks: Hooks
) -> None:
    task, state, seconds = plan.task, trained.evaluations[-1].state, trained.train_seconds
    steps = [evaluation.step for evaluation in trained.evaluations]
    updates = int(state["step"].sum())
    for s, seed in enumerate(plan.seeds):
        diverged_at = int(state["diverged_at"][s]) or None
        curve = trained.curve(task.metric, s)
        selected = int(trained.selected_step[s])
        # Evaluations after a seed stopped are there for others that went on: they don't confirm its last one.
        own = sum(step <= int(state["step"][s]) for step in steps)
        hooks.record(
            "result",
            task=task.name,
            cell=cell.label,
            seed=seed,
            updates=int(state["step"][s]),
            train_loss=None if diverged_at else float(state["last_loss"][s]),
            # Between evaluations only a seed ends that diverged.
            validation_metric=curve[steps.index(selected)] if selected in steps and not diverged_at else None,
            test_loss=None if diverged_at else float(tested["loss"][s]),
            test_metric=None if diverged_at else float(tested[task.metric][s]),
            steps_to_solve=solved_at(steps[:own], curve[:own], task.threshold, task.direction),
            selected_step=selected,
            diverged_at=diverged_at,
            last_good_loss=float(state["last_loss"][s]),
            time={"ms_per_step": 1e3 * seconds / max(updates, 1), "train_seconds": seconds},
        )
