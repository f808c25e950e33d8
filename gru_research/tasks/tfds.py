"""A task of any data set that TFDS prepared as array_record. The config maps features to inputs and targets."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as datasets

from gru_research.config import UserError
from gru_research.data import DataDirs, DiskArrays, Layout, check_splits, examples, open_prepared
from gru_research.spec import Spec
from gru_research.types import Batch

from .base import ACCURACY, SQUARED_ERROR, Stored, Task, class_loss, squared_error
from .features import Inputs, Targets, as_inputs, as_targets, find, value_of
from .input_encoders import Image, Tokens, Vectors
from .output_decoders import Classes, Numbers

BASELINE_EXAMPLES = 5000


def tfds(
    dataset: str,
    inputs: str = "",
    targets: str = "",
    lengths: str = "",
    train: str = "train[:90%]",
    validation: str = "train[90%:]",
    test: str = "test",
    max_length: int = 0,
    cut: bool = False,
    order: Literal["rows", "pixels"] = "rows",
    vocabulary: int = 0,
    classes: int = 0,
    threshold: float | None = None,
    memory: float = 2.0,
    dirs: DataDirs = DataDirs(),
) -> Task:
    """Predicts a class or numbers from a sequence, for any data set that is prepared in `data_dir`.

    Args:
      dataset: "name[/config][:version]".
      inputs: the input feature; "a/b" is b in the group a.
        Text is read byte by byte, with a vocabulary of 256.
        An image is read by `order`, a row or a pixel at a time, scaled to 0 .. 1.
        Integers over time are tokens if the feature or `vocabulary` gives the vocabulary size.
        Other features over time, of shape [T] or [T, ...], are read as numbers.
      targets: the target feature. An integer is a class (cross-entropy, accuracy); the feature or `classes` gives the
        number of classes. Floats of a fixed count are regression targets (mean squared error).
      lengths: the feature with the true lengths of sequences that are stored padded.
      train, validation, test: parts in TFDS's notation that don't overlap.
      max_length: T for sequences of different lengths. They are padded to it, and the model reads the true lengths.
      cut: whether longer sequences are truncated; otherwise they are an error.
      threshold: None is halfway from the best trivial answer to perfect: (1 + accuracy) / 2, or mse / 2.
      memory: in GiB. A larger training set stays on disk and is read batch by batch; the other sets must fit.

    Trivial answers on the test set, from the first 5,000 examples of training and test: the most frequent training
    class; or the mean target and, if a step has as many numbers as the targets, the last step repeated.
    """
    _check_range(max_length, vocabulary, classes, memory, threshold)
    builder = open_prepared(dataset, dirs)
    features = builder.info.features
    read = as_inputs(
        inputs, find(features, "inputs", inputs), max_length=max_length, cut=cut, order=order, vocabulary=vocabulary
    )
    asked = as_targets(targets, find(features, "targets", targets), classes)
    if lengths:
        _check_lengths(lengths, find(features, "lengths", lengths))
    parts = {"train": train, "validation": validation, "test": test}
    check_splits(builder, parts)
    fields = _Fields(builder, dataset, inputs, targets, lengths, read, asked, cut)
    trivial = fields.trivial(train, test)
    if threshold is None:
        threshold = (1 + max(trivial.values())) / 2 if asked.classes else min(trivial.values()) / 2
    return Task(
        name=f"tfds-{dataset}".replace("/", "-").replace(":", "-"),
        data=Stored(
            dataset,
            lambda splits: splits,
            fields.prepare,
            lambda: fields.sets(parts, memory),
            {"inputs": "lengths"} if read.counted else {},
        ),
        spec=Spec(
            {"inputs": jax.ShapeDtypeStruct(read.shape, jnp.int32 if read.vocabulary else jnp.float32)},
            asked.size,
            "last",
            read.vocabulary,
        ),
        loss=class_loss if asked.classes else squared_error,
        metrics=ACCURACY if asked.classes else SQUARED_ERROR,
        metric="accuracy" if asked.classes else "mse",
        threshold=threshold,
        trivial=trivial,
        length=read.shape[0],
        encode=fields.form(),
        decode=Classes(fields.names) if asked.classes else Numbers(),
        scaling="The length is the data set's; with cut=True a smaller max_length may hide what the target depends on.",
    )


def _image_form(feature: Any, shape: tuple[int, ...], beside: tuple[str, ...]) -> Image:
    dtype = np.dtype(feature.np_dtype)
    most = int(np.iinfo(dtype).max) if dtype.kind == "u" else 1
    return Image(tuple(feature.shape), lambda pixels: pixels.reshape(shape), most, beside)


def _check_range(max_length: int, vocabulary: int, classes: int, memory: float, threshold: float | None) -> None:
    for field, value in {"max_length": max_length, "vocabulary": vocabulary, "classes": classes}.items():
        if value < 0:
            raise ValueError(f"{field}={value!r} must be 0 (as the data set says) or more")
    if memory < 0:
        raise ValueError(f"memory={memory!r} must be 0 or more GiB")
    if threshold is not None and threshold < 0:
        raise ValueError(f"threshold={threshold!r} must be 0 or more")


def _check_lengths(path: str, feature: Any) -> None:
    if feature.shape != () or np.dtype(feature.np_dtype).kind not in "iu":
        raise ValueError(f"lengths={path!r} ({type(feature).__name__} of shape {feature.shape}) must be a whole number")


def _ended(inputs: np.ndarray, length: int) -> np.ndarray:
    """Returns a row with its padding set to 0. Stored padding is arbitrary and may be NaN."""
    if length >= len(inputs) or inputs.dtype.kind != "f":
        return inputs
    return np.concatenate([inputs[:length], np.zeros_like(inputs[length:])])


@dataclasses.dataclass(frozen=True)
class _Fields:
    """The features of a data set to read: `inputs`, `targets`, and `lengths` if sequences differ in length."""

    builder: Any
    dataset: str
    inputs: str
    targets: str
    lengths: str
    read: Inputs
    asked: Targets
    cut: bool

    @property
    def counted(self) -> bool:
        return self.read.counted or bool(self.lengths)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes; empty if the data set has none."""
        found = getattr(find(self.builder.info.features, "targets", self.targets), "names", None)
        return tuple(found) if found and len(found) == self.asked.classes else ()

    def form(self) -> Callable[[Any], dict[str, np.ndarray]]:
        """Returns the encoder of one input: text, an image, tokens or numbers."""
        feature, shape = find(self.builder.info.features, "inputs", self.inputs), self.read.shape
        beside, steps = (("lengths",), None) if self.counted else ((), shape[0])
        if isinstance(feature, datasets.features.Image):
            return _image_form(feature, shape, beside)
        if self.read.vocabulary is None:
            return Vectors(int(np.prod(shape[1:])), steps, beside)
        is_text = feature.shape == ()
        return Tokens(self.read.vocabulary, (), steps, beside, split=str.encode if is_text else str.split)

    def sets(self, parts: Mapping[str, str], memory: float) -> dict[str, Any]:
        """Returns arrays by set and name. Raises UserError if validation or test is larger than `memory` GiB."""
        arrays = {split: self._arrays(part) for split, part in parts.items()}
        small = {split: a.nbytes <= memory * 2**30 for split, a in arrays.items()}
        for split in ("validation", "test"):
            if not small[split]:
                raise UserError(
                    f"{split}={parts[split]!r} takes {arrays[split].nbytes / 2**30:.3g} GiB, more than memory={memory} "
                    f"allows: name a part of it"
                )
        return {split: a.in_memory() if small[split] else a for split, a in arrays.items()}

    def trivial(self, train: str, test: str) -> dict[str, float]:
        """Returns the metric of each trivial answer by name."""
        known, wanted = (self._targets(part).astype(np.float64) for part in (train, test))
        if self.asked.classes:
            most = np.bincount(known.astype(np.int64)).argmax()
            return {f"always class {most}": float((wanted == most).mean())}
        found = {"always the mean target": float(np.square(wanted - known.mean(0)).mean())}
        if self.read.vocabulary is None and self.read.shape[1:] == (self.asked.size,):
            repeated = self._last_steps(test).astype(np.float64)
            found["repeating the last step"] = float(np.square(wanted - repeated).mean())
        return found

    def prepare(self, batch: Batch) -> Batch:
        return {**batch, "inputs": self.read.prepare(batch["inputs"])}

    def _arrays(self, part: str) -> DiskArrays:
        layouts = {"inputs": self.read.layout, "targets": self.asked.layout}
        if self.counted:
            layouts["lengths"] = Layout((), np.dtype(np.int32))
        features = {self.inputs, self.targets, self.lengths or self.inputs}
        return DiskArrays(examples(self.builder, part, features), layouts, self._row, self._what(part))

    def _targets(self, part: str) -> np.ndarray:
        """Returns the first `BASELINE_EXAMPLES` targets of a part."""
        arrays = DiskArrays(
            examples(self.builder, part, {self.targets}),
            {"targets": self.asked.layout},
            lambda example: {"targets": self.asked.row(value_of(example, self.targets))},
            self._what(part),
        )
        return arrays["targets"][:BASELINE_EXAMPLES]

    def _last_steps(self, part: str) -> np.ndarray:
        """Returns the last real step of a part's first `BASELINE_EXAMPLES` inputs; zeros for an empty sequence."""
        arrays = self._arrays(part)
        stored = arrays.take(np.arange(min(BASELINE_EXAMPLES, arrays.rows)))
        inputs = np.asarray(self.read.prepare(stored["inputs"]))  # pyright: ignore[reportArgumentType]
        lengths = stored.get("lengths", np.full(len(inputs), inputs.shape[1]))
        last = inputs[np.arange(len(inputs)), np.maximum(lengths, 1) - 1]
        return np.where(lengths[:, None] > 0, last, 0)

    def _row(self, example: Any) -> dict[str, Any]:
        inputs, length = self.read.row(value_of(example, self.inputs))
        row = {"inputs": inputs, "targets": self.asked.row(value_of(example, self.targets))}
        if not self.counted:
            return row
        if self.lengths:
            true = value_of(example, self.lengths)
            if true < 0 or (true > length and not self.cut):
                raise UserError(f"lengths={self.lengths!r} says {true} of a sequence of {length} steps")
            length = min(true, length)
        return row | {"inputs": _ended(inputs, length), "lengths": length}

    def _what(self, part: str) -> str:
        return f"dataset={self.dataset!r} in {self.builder.data_dir}, {part!r}"
