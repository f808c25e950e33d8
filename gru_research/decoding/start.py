"""Before the first token: the model's state and logits, and whether model and end token can serve."""

from typing import Any

import jax
import jax.numpy as jnp

from gru_research.cells.checks import shown, whole
from gru_research.models import Generator
from gru_research.types import Array, Batch, Params


def started(model: Generator, params: Params, batch: Batch, end: int | None) -> tuple[Any, Array]:
    """`model.start(params, batch)`: the state, and the logits `[B, V]` of the first token.

    Raises ValueError where the model can't generate, where `end` is no token of its vocabulary, or where a state can't
    be chosen from by rows or isn't the same kind of state after a step.
    """
    name = type(model).__name__
    missing = [method for method in ("start", "step") if not callable(getattr(model, method, None))]
    if missing:
        raise ValueError(f"model={shown(model)} can't generate: it lacks {' and '.join(missing)} (models.Generator)")
    state, logits = model.start(params, batch)
    if jnp.ndim(logits) != 2 or not jnp.issubdtype(jnp.result_type(logits), jnp.floating):
        raise ValueError(f"{name}.start gave logits {_kind(logits)}; they must be floating-point numbers [B, V]")
    rows, vocabulary = jnp.shape(logits)
    if end is not None:
        whole("end", end, 0, "a token of the model's vocabulary", most=vocabulary - 1)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.shape(leaf)[:1] != (rows,):
            where = jax.tree_util.keystr(path)
            raise ValueError(f"{name}.start gave state{where} {_kind(leaf)}; its first axis must be the batch, {rows}")
    _check_step(name, model, params, state, logits)
    return state, logits


def _check_step(name: str, model: Generator, params: Params, state: Any, logits: Array) -> None:
    """Raises ValueError where a step changes the kind of the state or the shape of the logits."""
    tokens_B = jnp.zeros(logits.shape[0], jnp.int32)
    after, next_logits = jax.eval_shape(model.step, params, state, tokens_B)
    if jax.tree.structure(after) != jax.tree.structure(state):
        trees = [shown(jax.tree.structure(tree)) for tree in (after, state)]
        raise ValueError(f"{name}.step gave the state {trees[0]}; it must be one as {name}.start gives, {trees[1]}")
    pairs = zip(
        jax.tree_util.tree_leaves_with_path((state, logits)), jax.tree.leaves((after, next_logits)), strict=True
    )
    for (path, before), found in pairs:
        what = "logits" if path[0] == jax.tree_util.SequenceKey(1) else f"state{jax.tree_util.keystr(path[1:])}"
        if _kind(before) != _kind(found):
            raise ValueError(f"{name}.step gave {what} {_kind(found)}; {name}.start gave {_kind(before)}")


def _kind(array: Any) -> str:
    return f"{jnp.result_type(array)}{list(jnp.shape(array))}"
