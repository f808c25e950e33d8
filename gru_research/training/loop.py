"""Training one cell, all seeds side by side: read it top to bottom."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import ShuffledBatches, chunk
from gru_research.stats import solved_at
from gru_research.tasks import Generated, Stored

from .checkpoint import save_parameters
from .plan import CellPlan, Plan
from .seeds import SeedAxis
from .state import TrainState, init_state
from .step import Sums, evaluate, run_updates

UPDATES_PER_CALL = 50
"""At most so many updates between two looks at the clock, at Ctrl-C and at the progress line."""
EVALUATION_BATCH = 500

Record = Callable[..., None]
"""Writes a record: `record(kind, **fields)`."""


class InterruptedRun(Exception):
    """Training was asked to stop, and did so between two calls."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a cell's training stands: what a progress line shows."""

    cell: str
    step: int
    updates: int
    train_seconds: float
    validation_metric: float | None


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What a run tells whom: each record, the progress after each call, and whether to go on."""

    record: Record
    progress: Callable[[Progress], None] = lambda progress: None
    stopping: Callable[[], bool] = lambda: False


@dataclasses.dataclass(frozen=True)
class Programs:
    """The compiled programs of a cell, and how long compiling them took."""

    train: Callable[..., tuple[TrainState, Sums]]
    evaluate: Callable[..., dict[str, Any]]
    compile_seconds: float


def train_cell(
    plan: Plan,
    cell: CellPlan,
    sets: Mapping[str, Mapping[str, np.ndarray]],
    axis: SeedAxis,
    hooks: Hooks,
    workdir: Path,
) -> None:
    """Trains all seeds of one cell, evaluates them as the config asks, tests them once, saves their parameters.

    Raises:
      InterruptedRun: `hooks.stopping()` said so.
    """
    config, task = plan.config, plan.task
    size = min(EVALUATION_BATCH, *(len(next(iter(sets[split].values()))) for split in ("validation", "test")))
    validation, test = (
        [axis.put_shared(batch) for batch in evaluation_batches(sets[split], size)] for split in ("validation", "test")
    )
    state = axis.start(partial(init_state, cell.model, cell.optimizer, task.example))
    next_batches = batch_maker(plan, sets, axis)
    programs = _compile(plan, cell, axis, state, next_batches(0), validation[0])
    hooks.record("cell", task=task.name, **cell.record(), time={"compile_seconds": programs.compile_seconds})

    history: list[dict[str, np.ndarray]] = []
    steps: list[int] = []
    pending: list[Sums] = []  # since the last evaluation
    step, train_seconds = 0, 0.0
    while True:
        if step % config.eval_every == 0 or step == config.updates:
            measured = _score(programs, axis, state, validation)
            steps.append(step)
            history.append(measured)
            _record_evaluation(plan, cell, axis.gather(_small(state)), step, pending, measured, train_seconds, hooks)
            pending = []
        metrics = [float(m) for m in history[-1][task.metric]]
        hooks.progress(Progress(cell.label, step, config.updates, train_seconds, float(np.median(metrics))))
        if step == config.updates:
            break
        if hooks.stopping():
            raise InterruptedRun
        until = min(step + UPDATES_PER_CALL, config.updates, (step // config.eval_every + 1) * config.eval_every)
        batches = next_batches(step)
        started = time.perf_counter()
        state, sums = jax.block_until_ready(programs.train(state, batches, jnp.int32(until)))
        train_seconds += time.perf_counter() - started
        pending.append(axis.gather(sums))
        step = until

    tested = _score(programs, axis, state, test)
    _record_results(plan, cell, axis.gather(_small(state)), steps, history, tested, train_seconds, hooks)
    save_parameters(workdir, cell.label, axis.seeds, axis.gather(state.params))


def evaluation_batches(examples: Mapping[str, np.ndarray], size: int) -> list[dict[str, np.ndarray]]:
    """A set `[N, ...]` as batches `[size, ...]`, all alike so that one program serves every set.

    Copies fill up the last one; `weight [size]` is 0 for them and 1 for the others.
    """
    total = len(next(iter(examples.values())))
    missing = -total % size
    weight = np.concatenate([np.ones(total, np.float32), np.zeros(missing, np.float32)])
    filled = {name: np.concatenate([a, a[:missing]]) for name, a in examples.items()} | {"weight": weight}
    return [{name: a[i : i + size] for name, a in filled.items()} for i in range(0, total, size)]


def _score(
    programs: Programs, axis: SeedAxis, state: TrainState, batches: Sequence[Mapping[str, jax.Array]]
) -> dict[str, np.ndarray]:
    """For each seed the means `[S]` over a set of what the task measures."""
    sums = [programs.evaluate(state, batch) for batch in batches]
    total = {name: np.stack([axis.gather(part[name]) for part in sums]).sum(0, dtype=np.float64) for name in sums[0]}
    weight = total.pop("weight")
    return {name: a / weight for name, a in total.items()}


def batch_maker(
    plan: Plan, sets: Mapping[str, Mapping[str, np.ndarray]], axis: SeedAxis
) -> Callable[[int], dict[str, jax.Array]]:
    """From a step to the stored batches `[S, K, B, ...]` of the next call; to nothing where data are generated."""
    if isinstance(plan.task.data, Generated):
        return lambda step: {}
    assert isinstance(plan.task.data, Stored)
    sources = [ShuffledBatches(sets["train"], plan.config.batch_size, seed) for seed in axis.padded_seeds]
    steps = min(UPDATES_PER_CALL, plan.config.eval_every, plan.config.updates)
    return lambda step: axis.put(chunk(sources, step, steps))


def _compile(plan: Plan, cell: CellPlan, axis: SeedAxis, state: TrainState, batches: Any, examples: Any) -> Programs:
    """Compiles ahead, so that no timing holds compilation."""
    train = partial(run_updates, cell.model, cell.optimizer, plan.task, plan.config.batch_size)
    score = partial(evaluate, cell.model, plan.task)
    started = time.perf_counter()
    programs = (
        axis.spread(train, shared=1, donate=(0,)).lower(state, batches, jnp.int32(0)).compile(),
        axis.spread(score, shared=1).lower(state, examples).compile(),
    )
    return Programs(*programs, compile_seconds=time.perf_counter() - started)


def _small(state: TrainState) -> dict[str, Any]:
    return {"step": state.step, "diverged_at": state.diverged_at, "last_loss": state.last_loss}


def _record_evaluation(
    plan: Plan,
    cell: CellPlan,
    state: Mapping[str, np.ndarray],
    step: int,
    pending: Sequence[Sums],
    measured: Mapping[str, np.ndarray],
    train_seconds: float,
    hooks: Hooks,
) -> None:
    for s, seed in enumerate(plan.seeds):
        diverged_at = int(state["diverged_at"][s]) or None
        updates, loss, norm = (sum(float(part[i][s]) for part in pending) for i in range(len(Sums._fields)))
        hooks.record(
            "evaluation",
            task=plan.task.name,
            cell=cell.label,
            seed=seed,
            step=step,
            train_loss=loss / updates if updates else None,
            gradient_norm=norm / updates if updates else None,
            # What a diverged seed kept is no result: it would be better than what it had become.
            validation_loss=None if diverged_at else float(measured["loss"][s]),
            validation_metric=None if diverged_at else float(measured[plan.task.metric][s]),
            diverged_at=diverged_at,
            time={"train_seconds": train_seconds},
        )


def _record_results(
    plan: Plan,
    cell: CellPlan,
    state: Mapping[str, np.ndarray],
    steps: list[int],
    history: list[dict[str, np.ndarray]],
    tested: Mapping[str, np.ndarray],
    train_seconds: float,
    hooks: Hooks,
) -> None:
    task = plan.task
    updates = int(state["step"].sum())
    for s, seed in enumerate(plan.seeds):
        diverged_at = int(state["diverged_at"][s]) or None
        curve = [
            None if diverged_at and step >= diverged_at else float(measured[task.metric][s])
            for step, measured in zip(steps, history, strict=True)
        ]
        hooks.record(
            "result",
            task=task.name,
            cell=cell.label,
            seed=seed,
            updates=int(state["step"][s]),
            train_loss=None if diverged_at else float(state["last_loss"][s]),
            validation_metric=curve[-1],
            test_loss=None if diverged_at else float(tested["loss"][s]),
            test_metric=None if diverged_at else float(tested[task.metric][s]),
            steps_to_solve=solved_at(steps, curve, task.threshold, task.direction),
            diverged_at=diverged_at,
            last_good_loss=float(state["last_loss"][s]),
            time={"ms_per_step": 1e3 * train_seconds / max(updates, 1), "train_seconds": train_seconds},
        )
