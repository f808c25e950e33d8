"""Checks the shapes of a model's outputs and of a task's loss, answers and metrics before training."""

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax

from gru_research.config import UserError, choose
from gru_research.decoding import DECODERS
from gru_research.lookup import describe_error, first_line
from gru_research.metrics import Additive, Collected, Metric
from gru_research.models import Model
from gru_research.tasks import Task
from gru_research.tasks.base import Loss
from gru_research.types import Batch

from .attention_examples import check_attend
from .evaluation import generate


def check_outputs(model: Model, task: Task, what: str) -> None:
    """Raises UserError where a model can't be made or called, has no parameters, or has outputs of another shape than
    the task needs. `what` names the model in the message."""
    key, wanted = jax.random.key(0), task.spec.output_shape()
    batch = {name: jax.ShapeDtypeStruct((2, *a.shape), a.dtype) for name, a in task.spec.example.items()}
    try:
        params = jax.eval_shape(model.init, key, task.spec.example)
        # Called with a key, as in training, where a module may request a random stream that it isn't given.
        outputs = jax.eval_shape(model.apply, params, batch, key)
    except Exception as e:  # a user's model may raise anything; the user sees it
        raise UserError(f"{what} fails ({describe_error(e)})") from e
    if not any(math.prod(a.shape) for a in jax.tree.leaves(params)):
        raise UserError(f"{what} has no parameters to train")
    if wanted is None:
        return
    if task.spec.generation is not None and hasattr(outputs, "logs"):  # the targets' alone, see `models.base`
        outputs, wanted = outputs.logs, wanted[:-1]
    found = getattr(outputs, "shape", None)
    if found != (2, *wanted):
        shown = found or jax.tree.map(lambda a: a.shape, outputs)
        raise UserError(
            f"{what} gives outputs of shape {shown} for 2 examples, and {task.name} asks for {(2, *wanted)}"
        )


def check_measures(model: Model, task: Task, examples: Mapping[str, Any]) -> None:
    """Raises UserError where a task's loss, answers or metrics can't be computed from a model's outputs for such
    examples, or where the model's attention weights have a wrong shape."""
    batch = {name: jax.ShapeDtypeStruct((2, *a.shape[1:]), a.dtype) for name, a in examples.items()}
    params = jax.eval_shape(model.init, jax.random.key(0), task.spec.example)
    prepared = jax.eval_shape(task.prepare, batch)
    read = {"outputs": jax.eval_shape(model.apply, params, prepared)}
    if task.generates:
        for answer in (*task.answer_choices, task.answer):
            choose(f"{task.name}: answer's name", answer.get("name"), DECODERS)
            own = dataclasses.replace(task, answer=answer)
            try:
                read["answers"] = jax.eval_shape(partial(generate, model, own), params, prepared)
            except (TypeError, ValueError) as e:
                raise UserError(f"{task.name}: answer={dict(answer)!r} can't be generated ({first_line(e)})") from e
    check_attend(model, task, params, prepared)
    _check_measure(task, "loss", task.loss, read["outputs"], prepared)
    for name, metric in task.metrics.items():
        _check_measure(task, f"metric {name!r}", metric, read[metric.of], prepared)


def _check_measure(task: Task, name: str, measure: Metric | Loss, read: Any, batch: Batch) -> None:
    """Raises UserError where a loss or a metric can't be computed from its input."""
    function = measure.statistics if isinstance(measure, Additive | Collected) else measure
    of = measure.of if isinstance(measure, Additive | Collected) else "outputs"
    try:
        found = jax.eval_shape(function, read, batch)
    except Exception as e:  # a user's metric may raise anything; the user sees it
        raise UserError(f"{task.name}: its {name} doesn't fit the model's {of} ({first_line(e)})") from e
    shapes = [a.shape for a in jax.tree.leaves(found)]
    if isinstance(measure, Additive):
        fits, wanted = isinstance(found, Mapping) and set(shapes) == {(2,)}, "arrays [B] by name"
    elif isinstance(measure, Collected):
        fits = isinstance(found, Mapping) and shapes and all(shape[:1] == (2,) for shape in shapes)
        wanted = "arrays [B, ...] by name"
    else:
        fits, wanted = shapes == [(2,), (2,)], "(values [B], weights [B])"
    if not fits:
        raise UserError(f"{task.name}: its {name} gives arrays of shapes {shapes} for B=2, and must give {wanted}")
