"""Tasks of sequences with targets: a class, a label at each step, or numbers."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import FileError
from gru_research.metrics import mean
from gru_research.spec import Spec

from ..base import ACCURACY, Stored, Task, class_loss
from ..input_encoders import Tokens, Vectors
from ..output_decoders import Classes
from . import sequence_metrics
from .categorical import Categorical, many_whole, unknown_as, vocabulary
from .categorical import ordered as in_order
from .examples import Examples
from .scaling import Scale, Values
from .tokenization import tokenize

Sets = Mapping[str, Examples]


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts learned from the training examples, as plain JSON.

    Attributes:
      kind: "classification", "tagging" or "regression".
      stepwise: whether each step has a target.
      steps, features: T of the longest training sequence, and I; 0 for tokens.
      counted: whether sequences differ in length.
      vocabulary: the tokens, `UNKNOWN` last; empty for numbers.
      unit: the unit of tokenisation; "" if inputs are arrays.
      limit: the maximum number of units that are read; 0 reads all.
      classes: the names of classes or labels; empty for regression.
      outputs: the names of the target numbers; empty for classes.
      inputs_scale, targets_scale: the scales of numbers.
      trivial: the metric of each trivial answer by name.
      rare: whether training contains `UNKNOWN`, i.e. tokens that occur fewer than `min_count` times.
    """

    kind: str
    stepwise: bool
    steps: int
    features: int
    counted: bool
    vocabulary: Sequence[str]
    unit: str
    limit: int
    classes: Sequence[str]
    outputs: Sequence[str]
    inputs_scale: Scale
    targets_scale: Scale
    trivial: Mapping[str, float]
    rare: bool = False

    @classmethod
    def of(cls, learned: Mapping[str, Any]) -> "Facts":
        """Converts JSON to facts."""
        scales = {name: Scale(**learned[name]) for name in ("inputs_scale", "targets_scale")}
        return cls(**{**learned, **scales})


def learn(sets: Sets, *, unit: str = "", limit: int = 0, min_count: int = 1, normalise: bool = True) -> Facts:
    """Returns the facts of the training set alone. `trivial` holds the trivial answers' metric on the test set.

    Raises:
      FileError: training has one class; another set has a class that training lacks, or numbers of another shape.
    """
    train, nothing = sets["train"], Scale([], [])
    inputs, targets, real = train.inputs, train.targets, train.real
    tokens = isinstance(inputs, Categorical)
    classes: list[str] = []
    targets_scale = nothing
    if isinstance(targets, Categorical):
        classes = in_order(targets.counts(train.asked))
        if len(classes) < 2:
            raise FileError(f"{train.path}: all of training has the class {classes[0]!r}, and must have two or more")
    else:
        targets_scale = Scale.of(targets[train.asked], normalise)
    for split, examples in sets.items():
        _check(split, examples, train, classes)
    counts = inputs.counts(real) if isinstance(inputs, Categorical) else {}
    known = vocabulary(counts, min_count) if tokens else []
    facts = Facts(
        kind=train.kind,
        stepwise=train.stepwise,
        steps=int(train.lengths.max()),
        features=0 if tokens else inputs.shape[-1],
        counted=train.counted,
        vocabulary=known,
        unit=unit,
        limit=limit,
        classes=classes,
        outputs=train.outputs,
        inputs_scale=nothing if tokens else Scale.of(inputs[real], normalise),
        targets_scale=targets_scale,
        trivial={},
        rare=not set(counts) <= set(known[:-1]),
    )
    return dataclasses.replace(facts, trivial=_trivial(facts, train, sets["test"]))


def inferred(facts: Facts) -> list[str]:
    """Returns a sentence on what the arrays imply for the task."""
    numbers = "a number" if facts.features == 1 else f"{facts.features} numbers"
    read = "tokens, being whole numbers" if facts.vocabulary else f"{numbers} a step"
    return [f"inputs are {read}, and asked for is {facts.kind}{' at every step' * facts.stepwise} (kind)"]


def warnings(sets: Sets, facts: Facts, auto: bool, min_count: int) -> list[str]:
    """Returns warnings about classes that a set lacks and tokens that training lacks. If the kind was inferred
    (`auto`), also warns about numbers that look like classes and classes that look like numbers."""
    said = []
    for split, examples in sets.items():
        targets, inputs, real = examples.targets, examples.inputs, examples.real
        if isinstance(targets, Categorical):
            there = targets.counts(examples.asked)
            if lacking := [name for name in facts.classes if name not in there]:
                said.append(f"{split}: no example of the class {', '.join(map(repr, lacking[:10]))}")
            if auto and split == "train" and many_whole(facts.classes):
                said.append(f"{len(facts.classes)} whole numbers are classes; kind='regression' reads them as numbers")
        elif auto and split == "train" and _classes_as_numbers(targets):
            said.append("targets are whole floats: stored as whole numbers they would be classes (kind)")
        if isinstance(inputs, Categorical) and split != "train":
            numbers = inputs.numbered(facts.vocabulary, len(facts.vocabulary) - 1)[real]
            if unknown := int((numbers == len(facts.vocabulary) - 1).sum()):
                said.append(f"{split}: {unknown:,} of {numbers.size:,} tokens {unknown_as(min_count)}")
    return said


def _classes_as_numbers(targets: np.ndarray) -> bool:
    return targets.shape[-1] == 1 and len(np.unique(targets)) <= 20 and bool((targets == np.floor(targets)).all())


def _check(split: str, examples: Examples, train: Examples, classes: Sequence[str]) -> None:
    here, there = (_layout(examples), _layout(train))
    if here != there:
        raise FileError(f"{examples.path}: {split} has {here}, and training {there}")
    if not isinstance(examples.targets, Categorical):
        return
    lacking = (examples.targets.numbered(classes) < 0) & examples.asked
    if lacking.any():
        index = tuple(np.argwhere(lacking)[0])
        name = examples.targets.names[examples.targets.ids[index]]
        drawn = "; another seed draws other shares" if examples.path == train.path else ""
        meant = "; kind='regression' reads whole numbers as numbers" if many_whole(classes) else ""
        raise FileError(
            f"{examples.place(int(index[0]))}: the class {name!r} is in {split} and not in training, which has "
            f"{', '.join(classes[:20])}{drawn}{meant}"
        )


def _layout(examples: Examples) -> str:
    inputs, targets = examples.inputs, examples.targets
    read = "tokens" if isinstance(inputs, Categorical) else f"{inputs.shape[-1]} features"
    asked = "classes" if isinstance(targets, Categorical) else f"{targets.shape[-1]} target numbers"
    return f"{read} and {asked}" + (" at every step" if examples.stepwise else "")


def _trivial(facts: Facts, train: Examples, test: Examples) -> dict[str, float]:
    """Returns the test metric of the most frequent training class or label, or of the training mean."""
    if isinstance(train.targets, Categorical) and isinstance(test.targets, Categorical):
        counts = train.targets.counts(train.asked)
        most = max(facts.classes, key=lambda name: counts[name])
        reached = test.targets.numbered([most])[test.asked] == 0
        return {f"always {most!r}": float(reached.mean())}
    assert not isinstance(train.targets, Categorical) and not isinstance(test.targets, Categorical)
    known, wanted = train.targets[train.asked], test.targets[test.asked]
    return {"always the mean of training": float(np.sqrt(np.square(wanted - known.mean(0)).mean()))}


def arrays(examples: Examples, facts: Facts) -> dict[str, np.ndarray]:
    """Returns a set's arrays for training: `inputs`, `targets`, and `lengths` if `counted`. Padding is 0."""
    steps = int(examples.lengths.max())
    real = examples.real[:, :steps]
    if isinstance(examples.inputs, Categorical):
        inputs = np.where(real, examples.inputs.numbered(facts.vocabulary, len(facts.vocabulary) - 1)[:, :steps], 0)
    else:
        inputs = np.where(real[..., None], facts.inputs_scale.scaled(examples.inputs[:, :steps]), np.float32(0))
    if isinstance(examples.targets, Categorical):
        targets = examples.targets.numbered(facts.classes)
        targets = np.where(real, targets[:, :steps], 0) if facts.stepwise else targets
    else:
        targets = facts.targets_scale.scaled(examples.targets)
        targets = np.where(real[..., None], targets[:, :steps], np.float32(0)) if facts.stepwise else targets
    made = {"inputs": inputs, "targets": targets}
    return made | {"lengths": examples.lengths} if facts.counted else made


def make(name: str, facts: Facts, read: Callable[[], dict[str, Any]], **fields: Any) -> Task:
    """Returns the task of `facts`. `read` returns the sets, and `fields` are the other fields of Task."""
    tokens = len(facts.vocabulary) or None
    shape = (facts.steps,) if tokens else (facts.steps, facts.features)
    example = {"inputs": jax.ShapeDtypeStruct(shape, jnp.int32 if tokens else jnp.float32)}
    if facts.counted:
        example["lengths"] = jax.ShapeDtypeStruct((), jnp.int32)
    size = len(facts.classes) or len(facts.outputs)
    if facts.kind == "regression":
        loss = sequence_metrics.errors(jnp.square, facts.stepwise)
        metrics = sequence_metrics.error_metrics(facts.targets_scale.std, facts.stepwise)
    elif facts.kind == "tagging":
        loss, metrics = (
            sequence_metrics.tagging_loss,
            {"accuracy": mean(sequence_metrics.tagging_accuracy, "max"), **sequence_metrics.F1},
        )
    else:
        loss, metrics = class_loss, {**ACCURACY, **sequence_metrics.F1}
    words = {"inputs": facts.vocabulary, "targets": facts.classes}
    padded = ("inputs", *(("targets",) if facts.stepwise else ())) if facts.counted else ()
    return Task(
        name=name,
        data=Stored(read=read, padded=dict.fromkeys(padded, "lengths")),
        spec=Spec(example, size, "every" if facts.stepwise else "last", tokens),
        loss=loss,
        metrics=metrics,
        metric="rmse" if facts.kind == "regression" else "accuracy",
        trivial=facts.trivial,
        length=facts.steps,
        scaling="It is the data's: another length is another data set.",
        encode=functools.partial(_encode, facts),
        decode=Classes(tuple(facts.classes)) if facts.classes else Values(facts.targets_scale, tuple(facts.outputs)),
        vocabularies={field: tuple(names) for field, names in words.items() if names},
        **fields,
    )


def _encode(facts: Facts, raw: Any) -> dict[str, np.ndarray]:
    """Converts a text, or an array `[T, I]` or (I = 1) `[T]` in the file's units, to one example. Tokens that training
    lacks are `UNKNOWN`."""
    steps, beside = (None, ("lengths",)) if facts.counted else (facts.steps, ())
    if not facts.vocabulary:
        example = Vectors(facts.features, steps, beside)(raw)
        return example | {"inputs": facts.inputs_scale.scaled(example["inputs"])}
    split = functools.partial(tokenize, unit=facts.unit) if facts.unit else str.split
    words = tuple(facts.vocabulary)
    form = Tokens(len(words), words, steps, beside, split, len(words) - 1, facts.rare)
    if isinstance(raw, Mapping):
        return form({**raw, "inputs": _spelled(facts, raw.get("inputs"))})
    return form(_spelled(facts, raw))


def _spelled(facts: Facts, raw: Any) -> Any:
    """Converts an array of tokens to a text, because token numbers in the file differ from the model's."""
    if facts.unit or isinstance(raw, str):
        return tokenize(raw, facts.unit)[: facts.limit] if facts.limit else raw
    return " ".join(map(str, np.asarray(raw).ravel().tolist()))
