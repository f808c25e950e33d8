"""Describes the arrays of an exported function: how raw input becomes inputs, and how outputs are read."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from gru_research.tasks import Stored, Task
from gru_research.tasks.files.categorical import UNKNOWN
from gru_research.tasks.input_encoders import Image, Tokens, Vectors
from gru_research.tasks.output_decoders import Lazy

Scaling = dict[str, dict[str, list[float]]]
"""`mean` and `std` of "inputs" and "outputs", where training scaled them: one number per entry of the last axis."""


def scaling(learned: Mapping[str, Any]) -> Scaling:
    """Returns how a task on the user's own files scales numbers; empty for tokens, classes and every other task.

    Args:
      learned: what the task took from its training data.
    """
    facts = _facts(learned)
    if "scale" in facts:
        scale = facts["scale"]
        steps = {part: [scale[part][column] for column in facts["targets"]] for part in ("mean", "std")}
        return {"inputs": dict(scale), "outputs": {part: row * facts["horizon"] for part, row in steps.items()}}
    found = {"inputs": facts.get("inputs_scale"), "outputs": facts.get("targets_scale")}
    return {name: dict(scale) for name, scale in found.items() if scale and scale["mean"]}


def array_meanings(task: Task) -> dict[str, str]:
    """Describes "inputs" and "outputs" in sentences; no "outputs" where the function's description is enough."""
    scaled, outputs = scaling(task.learned), ""
    if "outputs" in scaled:
        outputs = (
            f"`outputs * std + mean` are {_columns(_facts(task.learned))}, in the units of the training file; `std` "
            "and `mean` are those of `scaling.outputs`."
        )
    elif len(task.vocabularies.get("targets", ())) == task.spec.output_size and task.spec.generation is None:
        outputs = "The last axis of `outputs` has a logit for each name in `vocabularies.targets`, in their order."
    return {"inputs": _inputs(task, scaled), **({"outputs": outputs} if outputs else {})}


def _inputs(task: Task, scaled: Scaling) -> str:
    encode, facts = task.encode, _facts(task.learned)
    if "inputs" in scaled:
        columns = f" Features are {', '.join(facts['columns'])}." if "columns" in facts else ""
        last = f" Give the last {facts['length']} steps of a series, as training did." if "columns" in facts else ""
        return (
            "`inputs` are `(x - mean) / std`, where `x` has the units of the training file; `mean` and `std`, one "
            f"number for each feature, are those of `scaling.inputs`.{columns}{last}"
        )
    if facts or isinstance(encode, Tokens | Vectors | Lazy):
        return _numbers(task) if task.spec.vocabulary is None else _tokens(task, facts)
    if isinstance(encode, Image):
        return (
            f"`inputs` are the pixels of an image {list(encode.shape)}, divided by {encode.most}, in the order that "
            "the task's `encode` gives them."
        )
    tokens = f" {_tokens(task, facts)}" if task.spec.vocabulary is not None else ""
    learned = " What it took from training is in `learned`." if task.learned else ""
    return f"The task's `encode` makes `inputs` of raw input. {_said_of(encode)}{tokens}{learned}"


def _numbers(task: Task) -> str:
    if isinstance(task.data, Stored) and task.data.prepare is not Stored.prepare:
        return "`inputs` are numbers as the task's `prepare` makes them of its data."
    return "`inputs` are the task's numbers as they are."


def _tokens(task: Task, facts: Mapping[str, Any]) -> str:
    words = task.vocabularies.get("inputs")
    if not words:
        return f"`inputs` are tokens, whole numbers below {task.spec.vocabulary}."
    cut = {
        "words": " A text is cut into words and punctuation marks.",
        "characters": " A text is cut into characters.",
    }.get(facts.get("unit", ""), "")
    cut += f" The first {facts['limit']} are read." if facts.get("limit") else ""
    unknown = f" What isn't there is {words[-1]}." if facts and words[-1] == UNKNOWN else ""
    return f"`inputs` are tokens: positions in `vocabularies.inputs`, from 0.{cut}{unknown}"


def _said_of(encode: Any) -> str:
    """Returns the first paragraph of the docstring of `encode`, in quotation marks."""
    while isinstance(encode, functools.partial):
        encode = encode.func
    text = inspect.getdoc(encode) if inspect.isroutine(encode) else inspect.getdoc(type(encode))
    first = " ".join((text or "").split("\n\n")[0].split())
    return f'It says: "{first}"' if first else "It has no docstring: read its code."


def _columns(facts: Mapping[str, Any]) -> str:
    if "columns" not in facts:
        return ", ".join(facts["outputs"])
    names = ", ".join(facts["columns"][column] for column in facts["targets"])
    return names if facts["horizon"] == 1 else f"{names} of the next {facts['horizon']} steps, step after step"


def _facts(learned: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what a task on the user's own files took from its training data; empty for every other task."""
    return learned.get("facts", {}) if "reading" in learned else {}
