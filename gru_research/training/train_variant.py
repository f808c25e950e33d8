"""Trains one cell of a comparison: tunes, trains with fresh seeds, tests once, records and saves."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gru_research import records
from gru_research.run_files import save_attention, save_examples
from gru_research.stats import rank_worst, solved_at
from gru_research.tasks import Task

from . import evaluation_hooks, processes
from .answer_choice import choose_answer
from .attention_examples import collect_attention, has_attention
from .batch_maker import Sets
from .checkpoint import Checkpoints, Snapshot, save_parameters, unfinished
from .divergence import find_cause
from .evaluation import PREDICTIONS
from .loop import Hooks, TrainingResult, train_members
from .optimizer import clip_of
from .plan import CellPlan, Plan
from .predictions import save_test
from .program_cache import ProgramCache
from .resumption import Resumption
from .scoring import Scores, put_evaluation, score
from .seeds import SeedAxis, make_seed_axis
from .selection import Evaluation
from .state import TrainState
from .tuning import training_schedule, tune_variant, tuning_members


@dataclasses.dataclass(frozen=True)
class Saving:
    """Settings for saving and resuming a cell.

    Attributes:
      workdir: the run's directory.
      every_seconds: the time between two snapshots.
      records: writes all records to disk; returns their number.
      elapsed: returns the seconds that the run has taken.
      resumption: from where an interrupted run is resumed.
    """

    workdir: Path
    every_seconds: float
    records: Callable[[], int]
    elapsed: Callable[[], float]
    resumption: Resumption | None = None

    def checkpoints(self, cell: CellPlan, phase: str) -> Checkpoints:
        def note() -> dict[str, Any]:
            return {"records": self.records(), "seconds": self.elapsed(), "scalars": dict(cell.scalars)}

        return Checkpoints(unfinished(self.workdir, cell.label) / phase, self.every_seconds, note)

    def snapshot(self, cell: CellPlan, phase: str) -> Snapshot | None:
        return self.resumption.at(cell.label, phase) if self.resumption else None


def train_variant(
    plan: Plan, cell: CellPlan, sets: Sets, hooks: Hooks, saving: Saving, debug_nans: bool = False
) -> None:
    """Trains all seeds of one cell, evaluates them as the config says, tests them once, and saves their parameters.

    `debug_nans` finds the operation at which a seed diverged.

    Raises:
      InterruptedRun: `hooks.stopping()` returned True.
    """
    tuned, snapshot = bool(plan.config.tune.draws), saving.snapshot(cell, "training")
    programs = ProgramCache(plan, cell)
    if snapshot is not None:
        cell = dataclasses.replace(cell, scalars=dict(snapshot.note["scalars"]))
    elif tuned:
        with contextlib.closing(saving.checkpoints(cell, "tuning")) as checkpoints:
            chosen = tune_variant(plan, cell, sets, hooks, programs, checkpoints, saving.snapshot(cell, "tuning"))
        cell = dataclasses.replace(cell, scalars={**cell.scalars, **chosen})
    beside = len(tuning_members(plan.config.tune))
    axis = make_seed_axis(plan.seeds, cell.scalars, plan.config.data_parallel, beside)
    probing = evaluation_hooks.prepare(plan.config.probes, cell.model, plan.task, sets["validation"], axis)

    def evaluated(evaluation: Evaluation, state: TrainState) -> None:
        if not evaluation.step:
            _record_cell(plan, cell, tuned, programs, hooks)
        _record_evaluation(plan, cell, evaluation, hooks)
        for name, probe in probing.items():
            _record_probe(plan, cell, evaluation, name, probe(state), hooks)

    schedule = training_schedule(plan, cell)
    with contextlib.closing(saving.checkpoints(cell, "training")) as checkpoints:
        trained = train_members(plan, cell, sets, axis, schedule, hooks, programs, checkpoints, snapshot, evaluated)
    causes = _causes(plan, cell, sets, axis, trained, hooks) if debug_nans else {}

    tested_state = trained.state._replace(params=trained.params)

    def score_on(name: str, task: Task = plan.task, names: Sequence[str] = (), keep: bool = False) -> Scores:
        batches, names = put_evaluation(sets[name], task, cell, axis), names or tuple(task.metrics)
        program = programs.evaluation(task, names, axis, tested_state, batches[0])
        return score(program, axis, tested_state, batches, task, names, keep)

    answering = choose_answer(plan.task, score_on, hooks.say)
    tested = score_on("test", answering, keep=True)
    on_training = score_on("train", answering).metrics if plan.config.train_examples else None
    # Parameters are saved before the results are recorded: a cell with recorded results is never trained again.
    params, best = axis.gather(trained.params), axis.gather(trained.best_params)
    if processes.is_first():
        save_parameters(saving.workdir, cell.label, axis.seeds, params, best)
        save_test(saving.workdir, cell.label, axis.seeds, tested.kept)
        _save_attention(plan, cell, sets["test"], trained, params, tested, saving.workdir)
        _save_examples(plan, cell, sets["test"], trained, params, tested, saving.workdir)
    answer = answering.answer if plan.task.answer_choices else None
    _record_results(plan, cell, trained, tested.metrics, on_training, causes, answer, hooks, saving.elapsed())
    saving.records()
    if processes.is_first():
        shutil.rmtree(unfinished(saving.workdir, cell.label), ignore_errors=True)


def _causes(
    plan: Plan, cell: CellPlan, sets: Sets, axis: SeedAxis, trained: TrainingResult, hooks: Hooks
) -> dict[int, str | None]:
    """Returns the operation at which each diverged seed diverged, by the seed's index."""
    states, found = axis.gather(trained.state), {}
    for s in np.flatnonzero(states.diverged_at) if processes.is_first() else ():
        where = f"{cell.label}, seed {plan.seeds[s]}: diverged at update {states.diverged_at[s]:,}"
        hooks.say(f"{where}; making that update again, operation by operation")
        cause = find_cause(plan, cell, sets, jax.tree.map(lambda a, s=s: a[s], states))
        hooks.say(f"{where}: {cause or 'every operation is finite when that update is made alone'}")
        found[int(s)] = cause
    return found


def _record_cell(plan: Plan, cell: CellPlan, tuned: bool, programs: ProgramCache, hooks: Hooks) -> None:
    hooks.record(
        records.Cell(
            task=plan.task.name,
            **cell.record(),
            tuned=tuned,
            time={"compile_seconds": programs.seconds},
            env={"engine": programs.engine},
        )
    )


def _save_attention(
    plan: Plan,
    cell: CellPlan,
    test: Mapping[str, np.ndarray],
    trained: TrainingResult,
    params: Any,
    tested: Scores,
    workdir: Path,
) -> None:
    """Saves the attention of the first seed that didn't diverge, for a few test examples, if its model has any."""
    finite = np.flatnonzero(trained.evaluations[-1].state["diverged_at"] == 0)
    if not finite.size or not has_attention(cell.model, plan.task):
        return
    s = int(finite[0])
    own, answers = jax.tree.map(lambda a: a[s], (params, dict(tested.kept[PREDICTIONS])))
    save_attention(workdir, cell.label, collect_attention(cell.model, plan.task, own, plan.seeds[s], test, answers))


def _save_examples(
    plan: Plan,
    cell: CellPlan,
    test: Mapping[str, np.ndarray],
    trained: TrainingResult,
    params: Any,
    tested: Scores,
    workdir: Path,
) -> None:
    """Saves what the report draws of an application: test examples of the seed with the best validation metric."""
    application, metric = plan.task.application, plan.task.validation_metric
    if application is None or application.examples is None:
        return
    steps = [evaluation.step for evaluation in trained.evaluations]
    ends = [
        trained.curve(metric, s)[steps.index(step) if step in steps else -1]
        for s, step in enumerate(trained.selected_step.tolist())
    ]
    if all(value is None for value in ends):
        return
    sign = 1 if plan.task.validation_direction == "min" else -1
    s = int(np.argmin(sign * rank_worst(ends, plan.task.validation_direction)))
    own, kept = jax.tree.map(lambda a: a[s], (params, {name: dict(each) for name, each in tested.kept.items()}))
    save_examples(workdir, cell.label, plan.seeds[s], application.examples(cell.model, own, test, kept))


def _record_probe(
    plan: Plan, cell: CellPlan, evaluation: Evaluation, name: str, measured: Sequence[dict[str, Any]], hooks: Hooks
) -> None:
    for seed, diverged_at, fields in zip(plan.seeds, evaluation.state["diverged_at"], measured, strict=True):
        if not diverged_at:
            hooks.record(
                records.Probe(
                    task=plan.task.name, cell=cell.label, seed=seed, step=evaluation.step, name=name, measured=fields
                )
            )


def _record_evaluation(plan: Plan, cell: CellPlan, evaluation: Evaluation, hooks: Hooks) -> None:
    for s, seed in enumerate(plan.seeds):
        diverged_at = int(evaluation.state["diverged_at"][s]) or None
        trained = evaluation.updates[s] > 0
        hooks.record(
            records.Evaluation(
                task=plan.task.name,
                cell=cell.label,
                seed=seed,
                step=evaluation.step,
                train_loss=float(evaluation.train_loss[s]) if trained else None,
                gradient_norm=float(evaluation.gradient_norm[s]) if trained else None,
                clipped_share=float(evaluation.clipped_share[s]) if trained and _clips(plan, cell) else None,
                # A diverged seed keeps its parameters from before the divergence, which are no result of training.
                validation_loss=None if diverged_at else float(evaluation.measured["loss"][s]),
                validation_metric=None if diverged_at else float(evaluation.measured[plan.task.validation_metric][s]),
                metrics={} if diverged_at else {name: float(a[s]) for name, a in evaluation.measured.items()},
                diverged_at=diverged_at,
                time={"train_seconds": evaluation.train_seconds},
            )
        )


def _on_training(
    task: Task, measured: Mapping[str, np.ndarray], member: int, diverged_at: int | None
) -> dict[str, float | None]:
    """Returns a member's loss and metric on the training examples, without the noise of training."""
    fields = {"train_set_loss": "loss", "train_set_metric": task.metric}
    return {field: None if diverged_at else float(measured[name][member]) for field, name in fields.items()}


def _clips(plan: Plan, cell: CellPlan) -> bool:
    return clip_of(plan.config.optimizer, cell.scalars) is not None


def _clipped_share(trained: TrainingResult, member: int) -> float | None:
    """Returns the share of clipped updates among all updates of a member; None without updates."""
    counts = [(e.updates[member], e.clipped_share[member]) for e in trained.evaluations if e.updates[member] > 0]
    updates = sum(updates for updates, _ in counts)
    return float(sum(updates * share for updates, share in counts) / updates) if updates else None


def _record_results(
    plan: Plan,
    cell: CellPlan,
    trained: TrainingResult,
    tested: Mapping[str, np.ndarray],
    on_training: Mapping[str, np.ndarray] | None,
    causes: Mapping[int, str | None],
    answer: Mapping[str, Any] | None,
    hooks: Hooks,
    run_seconds: float,
) -> None:
    task, state, seconds = plan.task, trained.evaluations[-1].state, trained.train_seconds
    steps = [evaluation.step for evaluation in trained.evaluations]
    updates = int(state["step"].sum())
    for s, seed in enumerate(plan.seeds):
        diverged_at = int(state["diverged_at"][s]) or None
        curve = trained.curve(task.validation_metric, s)
        selected = int(trained.selected_step[s])
        # Only evaluations up to a seed's last update count.
        own = sum(step <= int(state["step"][s]) for step in steps)
        hooks.record(
            records.Result(
                task=task.name,
                cell=cell.label,
                seed=seed,
                updates=int(state["step"][s]),
                train_loss=None if diverged_at else float(state["last_loss"][s]),
                # Only a diverged seed can end between two evaluations.
                validation_metric=curve[steps.index(selected)] if selected in steps and not diverged_at else None,
                test_loss=None if diverged_at else float(tested["loss"][s]),
                test_metric=None if diverged_at else float(tested[task.metric][s]),
                test_metrics={} if diverged_at else {name: float(a[s]) for name, a in tested.items()},
                steps_to_solve=solved_at(steps[:own], curve[:own], task.threshold, task.validation_direction),
                selected_step=selected,
                diverged_at=diverged_at,
                last_good_loss=float(state["last_loss"][s]),
                clipped_share=_clipped_share(trained, s) if _clips(plan, cell) else None,
                **({} if on_training is None else _on_training(task, on_training, s, diverged_at)),
                diverged_in=causes.get(s),
                answer=answer,
                time={
                    "ms_per_step": 1e3 * seconds / max(updates, 1),
                    "train_seconds": seconds,
                    "run_seconds": run_seconds,
                },
            )
        )
