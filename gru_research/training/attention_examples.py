"""Collects a model's attention weights over the inputs of a few test examples, for its own answers."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gru_research.config import UserError
from gru_research.models import no_attention
from gru_research.run_files import AttentionExamples
from gru_research.tasks import Task
from gru_research.types import Batch, Params

from .evaluation import generate

EXAMPLES = 4
"""The number of examples chosen independently of the answers."""
PART = 500
"""The number of test examples prepared at once. Where no metric reads answers, only the first `PART` are answered."""


def has_attention(model: Any, task: Task) -> bool:
    """Whether the model has attention weights for its answers to examples that a report may show."""
    if task.application is not None and task.application.private:
        return False
    return task.spec.answers == "generated" and no_attention(model) is None


def check_attend(model: Any, task: Task, params: Params, batch: Batch) -> None:
    """Raises UserError where the model's `attend` doesn't return weights `[B, U, T]`. Only shapes are evaluated."""
    if not has_attention(model, task):
        return
    found = jax.eval_shape(model.attend, params, batch)
    wanted = (*batch["targets"].shape[:2], batch["inputs"].shape[1])
    if (shape := getattr(found, "shape", None)) != wanted:
        raise UserError(f"{task.name}: the model's attend gives {shape}, and must give weights [B, U, T]={wanted}")


def collect_attention(
    model: Any,
    task: Task,
    params: Params,
    seed: int,
    test: Mapping[str, np.ndarray],
    predictions: Mapping[str, np.ndarray],
) -> AttentionExamples:
    """Collects the first test examples of different lengths and, where all are right, the first wrong one.

    Args:
      params: the parameters of `seed`.
      test: the stored test set `[N, ...]`.
      predictions: the seed's answers: `tokens [N, U]` and `lengths [N]`; without them answers are generated again.
    """
    assert task.spec.generation is not None, task.name
    prepare, end = jax.jit(task.prepare), task.spec.generation.end

    def rows(which: slice | list[int]) -> dict[str, np.ndarray]:
        return {name: np.asarray(a) for name, a in prepare({name: a[which] for name, a in test.items()}).items()}

    first = rows(slice(PART))
    if "tokens" in predictions:
        tokens, lengths = predictions["tokens"], predictions["lengths"]
    else:
        tokens, lengths = _answers(model, task, params, first)
    places = first_of_different_lengths(first, EXAMPLES)
    if right(tokens[places], lengths[places], rows(places), end).all():
        wrong = first_wrong(tokens, lengths, rows, end)
        places += [] if wrong is None else [wrong]
    batch, tokens, lengths = rows(places), tokens[places], lengths[places]
    weights = np.asarray(jax.jit(model.attend)(params, batch | {"targets": tokens, "target_lengths": lengths}))
    steps, target_lengths = _steps(batch), lengths_of(batch, end)
    return AttentionExamples(
        seed=seed,
        examples=np.asarray(places),
        inputs=batch["inputs"][:, : steps.max()],
        lengths=steps,
        answers=tokens[:, : lengths.max()],
        answer_lengths=lengths,
        targets=batch["targets"][:, : target_lengths.max()],
        target_lengths=target_lengths,
        weights=weights[:, : lengths.max(), : steps.max()].astype(np.float32),
        right=right(tokens, lengths, batch, end),
        wrong_one=np.arange(len(places)) >= EXAMPLES,
    )


def _answers(model: Any, task: Task, params: Params, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    answers = jax.jit(lambda params, batch: generate(model, task, params, batch))(params, batch)
    return np.asarray(answers.tokens), np.asarray(answers.lengths)


def first_of_different_lengths(batch: Mapping[str, np.ndarray], count: int) -> list[int]:
    """Returns the indices of `count` examples, sorted: the first of each length, then the first others."""
    lengths = _steps(batch)
    firsts = sorted(np.unique(lengths, return_index=True)[1].tolist())
    others = [place for place in range(len(lengths)) if place not in firsts]
    return sorted([*firsts, *others][:count])


def first_wrong(
    tokens: np.ndarray, lengths: np.ndarray, rows: Callable[[slice], Mapping[str, np.ndarray]], end: int
) -> int | None:
    """Returns the index of the first test example whose answer isn't the target; None where all are right."""
    for begin in range(0, len(tokens), PART):
        part = slice(begin, min(begin + PART, len(tokens)))
        wrong = np.flatnonzero(~right(tokens[part], lengths[part], rows(part), end))
        if wrong.size:
            return begin + int(wrong[0])
    return None


def right(tokens: np.ndarray, lengths: np.ndarray, batch: Mapping[str, np.ndarray], end: int) -> np.ndarray:
    """Returns `[B]`, True where an answer equals its target. `tokens [B, N]` and `lengths [B]` include the end."""
    wanted = lengths_of(batch, end)
    steps = min(tokens.shape[1], batch["targets"].shape[1])
    same = tokens[:, :steps] == batch["targets"][:, :steps]
    same |= np.arange(steps) >= wanted[:, None]
    return same.all(1) & (lengths == wanted)


def lengths_of(batch: Mapping[str, np.ndarray], end: int) -> np.ndarray:
    """Returns the targets' numbers of tokens `[B]`: `target_lengths`, or up to the first end token, or all."""
    if "target_lengths" in batch:
        return batch["target_lengths"]
    ends = batch["targets"] == end
    return np.where(ends.any(1), ends.argmax(1) + 1, ends.shape[1])


def _steps(batch: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the inputs' numbers of steps `[B]`."""
    return batch["lengths"] if "lengths" in batch else np.full(len(batch["inputs"]), batch["inputs"].shape[1])
