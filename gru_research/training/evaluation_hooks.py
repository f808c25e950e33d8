"""Probes: measurements at every evaluation beside the metrics. Each probe writes records under its name."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.analysis import gradient_flow, half_life
from gru_research.config import UserError, choose, split_names
from gru_research.layers import Bidirectional
from gru_research.models import SequenceModel
from gru_research.tasks import Task
from gru_research.types import Array, Batch, Params

from .seeds import OWN, SHARED, SeedAxis
from .state import TrainState

EXAMPLES = 32
"""Probes read the first `EXAMPLES` validation examples."""
_LAGS = 12

EvaluationHook = Callable[[TrainState], list[dict[str, Any]]]
"""Maps the members' states to the fields of one record per member."""


def check(names: str) -> None:
    """Raises UserError where one of the comma-separated names is not a key of `PROBES`."""
    for name in split_names(names):
        choose("config.probes", name, PROBES)


def check_fit(names: str, models: Mapping[str, Any], fields: Iterable[str]) -> None:
    """Raises UserError where one of the cells' models, by label, can't be probed on examples with these fields."""
    for label, model in models.items() if split_names(names) else ():
        if reason := unfit(model, fields):
            raise UserError(f"config.probes={names!r}: {label} {reason}")


def unfit(model: Any, fields: Iterable[str]) -> str | None:
    """Returns why gradients can't be traced back through a model on examples with these fields, as the end of a
    sentence that begins with the cell; None where they can."""
    if not isinstance(model, SequenceModel):
        return "isn't a model of kind='sequence', through whose layers a gradient is followed"
    if any(isinstance(layer, Bidirectional) for layer in model.stack.cells):
        return "is bidirectional: there is no one direction in which a gradient flows back"
    if amiss := [name for name in ("mask", "resets") if name in fields]:
        return f"reads sequences with {' and '.join(amiss)}: a lag isn't a number of steps there"
    return None


def prepare(
    names: str, model: Any, task: Task, validation: Mapping[str, Any], axis: SeedAxis
) -> dict[str, EvaluationHook]:
    """Returns the named probes for the members of an axis, after `check_fit` has accepted the model."""
    if not split_names(names):
        return {}
    examples = axis.put({name: np.asarray(a[:EXAMPLES]) for name, a in validation.items()}, SHARED)
    return {name: PROBES[name](model, task, axis, examples) for name in split_names(names)}


def prepare_gradient_flow(model: SequenceModel, task: Task, axis: SeedAxis, examples: Batch) -> EvaluationHook:
    """Returns a probe of the norm of the gradient by lag, traced back from the last output, where it has norm 1.

    Fields of a record: "of" names the gradient; `lags`, about 12; `log_norm`, natural logarithms, medians over the
    examples; `half_life` in steps, from the line through all lags. A null norm is 0 or not finite; a null half-life
    means that the gradient doesn't fall.
    """
    program = axis.shard_over_seeds(partial(_flow, model, task), OWN, SHARED)
    of = "loss" if reads_last_state(model) else "random direction"

    def probe(state: TrainState) -> list[dict[str, Any]]:
        log_norms, half_lives = axis.gather(program(state.params, examples))
        lags = geometric_lags(log_norms.shape[1])
        return [
            {"of": of, "lags": lags.tolist(), "log_norm": logs[lags - 1].tolist(), "half_life": float(steps)}
            for logs, steps in zip(log_norms, half_lives, strict=True)
        ]

    return probe


PROBES: dict[str, Callable[[SequenceModel, Task, SeedAxis, Batch], EvaluationHook]] = {
    "gradient_flow": prepare_gradient_flow
}
"""The probes that `config.probes` may name."""


def geometric_lags(steps: int, count: int = _LAGS) -> np.ndarray:
    """Returns about `count` lags from 1 to `steps`, geometrically spaced."""
    return np.unique(np.rint(np.geomspace(1, steps, count)).astype(int))


def _flow(model: SequenceModel, task: Task, params: Params, examples: Batch) -> tuple[Array, Array]:
    log_norms = loss_flow(model, task, params, task.prepare(examples))
    median = jnp.nanmedian(log_norms, axis=0)
    return median, half_life(median)


def loss_flow(model: SequenceModel, task: Task, params: Params, batch: Batch) -> Array:
    """Returns `gradient_flow` of the task's loss through the whole stack, `[B, T]`, from a gradient of norm 1 at the
    last output. Where the readout reads more than the last state, the gradient there has a random direction."""
    xs = inputs_of(model, params, batch)
    lengths = batch.get("lengths")
    cotangent = _loss_direction(model, task, params, batch) if reads_last_state(model) else None
    return gradient_flow(model.stack, params["stack"], xs, cotangent=cotangent, lengths=lengths)


def inputs_of(model: SequenceModel, params: Params, batch: Batch) -> Array:
    """Returns the bottom layer's inputs `[B, T, I]`: the batch's inputs, or their embedding."""
    inputs = jnp.asarray(batch["inputs"])
    return model.embedding.apply(params["embedding"], inputs) if model.embedding else inputs


def reads_last_state(model: SequenceModel) -> bool:
    """Whether outputs depend only on the top layer's last state."""
    return model.readout.mode == "last" and model.stack.connections == "plain"


def _loss_direction(model: SequenceModel, task: Task, params: Params, batch: Batch) -> Array:
    """Returns the gradient of each example's loss by its last state `[B, H]`, scaled to norm 1 unless it is 0."""
    carry, _ = model.stack.apply(params["stack"], inputs_of(model, params, batch), lengths=batch.get("lengths"))
    gradient = jax.grad(lambda last: task.loss(model.readout.apply(params["readout"], last, None), batch)[0].sum())(
        model.stack.hidden(carry)
    )
    norm = jnp.linalg.norm(gradient, axis=-1, keepdims=True)
    return gradient / jnp.where(norm > 0, norm, 1)
