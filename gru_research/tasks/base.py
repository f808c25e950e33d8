"""Defines a task: data, the spec that a model sees, a loss and metrics."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import DataDirs, load
from gru_research.masks import length_mask
from gru_research.metrics import Collected, Direction, Metric, mean
from gru_research.spec import Spec
from gru_research.types import Array, Arrays, Batch, PRNGKey

from .application import Application
from .input_encoders import default_encoder
from .output_decoders import Lazy, default_decoder

Splits = Mapping[str, Mapping[str, np.ndarray]]
PREDICTIONS = "predictions"
"""The name of the predictions in a run's test arrays, which also hold the arrays of each metric."""
Loss = Callable[[Any, Batch], tuple[Array, Array]]
"""`(outputs, batch) -> (values [B], weights [B])`."""


@dataclasses.dataclass(frozen=True)
class Generated:
    """Data generated inside jit. A batch is a function of a PRNG key: nothing is stored and no batch repeats.

    Attributes:
      make: `(key, batch_size) -> batch`, for training and validation.
      validation_size, test_size: the numbers of examples in the two fixed sets. Each set has its own key.
      make_test: makes the test set where its distribution differs from training, such as longer sequences.
    """

    make: Callable[[PRNGKey, int], Batch]
    validation_size: int
    test_size: int
    make_test: Callable[[PRNGKey, int], Batch] | None = None

    def __post_init__(self) -> None:
        check_at_least(1, validation_size=self.validation_size, test_size=self.test_size)

    def load(self, dirs: DataDirs) -> dict[str, dict[str, np.ndarray]]:
        """Returns the validation and test sets. There is no training set to load."""
        del dirs
        # Training keys are derived from the seed. These keys use a value that no seed can have.
        keys = jax.random.split(jax.random.fold_in(jax.random.key(0), 2**32 - 1))
        makers = {
            "validation": (self.make, self.validation_size),
            "test": (self.make_test or self.make, self.test_size),
        }
        return {
            split: {name: np.asarray(a) for name, a in jax.jit(make, static_argnums=1)(key, size).items()}
            for (split, (make, size)), key in zip(makers.items(), keys, strict=True)
        }


@dataclasses.dataclass(frozen=True)
class Stored:
    """Data on disk: a data set by name, or the sets that `read` returns.

    Attributes:
      dataset: a name that `gru_research.data.load` knows.
      split: converts the stored splits to "train", "validation" and "test".
      prepare: converts a stored batch to `inputs` and `targets` inside jit, so that transfers to the device are as
        small as the stored data.
      read: returns the three sets, arrays `[N, ...]` by name, for a task that reads its own data.
      padded: the stored arrays `[N, T, ...]` that are padded along T, each with the name of the array `[N]` of its
        lengths. Batches may be cut to their longest sequence: `prepare` and the loss then get a smaller T.
    """

    dataset: str = ""
    split: Callable[[Splits], Splits] = lambda stored: stored
    prepare: Callable[[Batch], Batch] = lambda batch: batch
    read: Callable[[], dict[str, Any]] | None = None
    padded: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.dataset and self.read is None:
            raise ValueError("dataset='' must name a data set, where nothing is read")

    def load(self, dirs: DataDirs) -> dict[str, Any]:
        """Returns the three sets as stored; "train" may be `DiskArrays`. Raises UserError if they aren't available."""
        if self.read is not None:
            return self.read()
        splits = self.split(load(self.dataset, dirs))
        return {split: dict(splits[split]) for split in ("train", "validation", "test")}


@dataclasses.dataclass(frozen=True)
class Task:
    """A task: data, inputs and outputs, a loss and metrics.

    Attributes:
      name: the key in `TASKS`, followed by the variant if there are several.
      data: the source of examples.
      spec: what a model may know of the task.
      loss: `(outputs, batch) -> (values [B], weights [B])`. Training minimises the weighted mean of the values. A
        weight is, for example, the number of steps that a value averages.
      metrics: by name; always includes "loss", the mean of `loss`.
      metric: the metric that is compared on the test set.
      validation_metric: the metric for curves, model selection and tuning; "" is `metric`. If it reads outputs, no
        answers are generated during training, and records of evaluations have the metrics of outputs only.
      threshold: the value of the validation metric past which the task counts as solved; None: no such value.
      trivial: the `metric` of trivial answers on the test set, by their names.
      answer: how answers are generated for metrics of "answers": a name of `decoding.DECODERS` and its options.
      answer_choices: further ways that compete after training: each cell's test set is answered in the way whose
        answers have the best `metric` on the validation set. (): `answer` is the only one.
      length: T of the longest training sequence.
      scaling: one sentence on how trivial answers and the difficulty change with the length.
      latents: converts a batch to quantities `[B, T]` by name that a solver must compute or carry at each step, such
        as the running sum. Probes look for them in a state. None: no latents.
      encode: converts raw input (a text, an array, or a dict of arrays) to one example as the model sees it, without a
        batch axis. Raises ValueError with one line that says what is wrong with the input. None: an encoder that fits
        `spec` and the vocabulary "inputs" (see `input_encoders`).
      decode: converts one example's output, a row of the model's outputs or of `decoding.Answers`, to a readable JSON
        value. None: a decoder that fits `spec` and the vocabulary "targets" (see `output_decoders`). A decoder with a
        method `mean` can combine several seeds.
      continues: whether an answer continues its input with generated tokens, as in a language model. `decode` then
        reads those tokens `[N]`.
      vocabularies: the words of each field's tokens, in the order of their numbers. They are saved with a run.
      learned: facts from the training data as plain JSON, such as normalisation and shapes. It is saved with a run. A
        task function with a parameter `learned` receives it when the run is loaded, and then reads no data before
        `data.load`.
      files: the user's own files that hold the data. A run records their paths and checksums.
      warnings: sentences that a user should read before training, such as that a set lacks a class.
      application: what a report and `predict` need beyond this, for an application. None: the task isn't one.
    """

    name: str
    data: Generated | Stored
    spec: Spec
    loss: Loss
    metrics: Mapping[str, Metric]
    metric: str
    validation_metric: str = ""
    threshold: float | None = None
    trivial: Mapping[str, float] = dataclasses.field(default_factory=dict)
    answer: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"name": "greedy"})
    answer_choices: tuple[Mapping[str, Any], ...] = ()
    length: int | None = None
    scaling: str = ""
    latents: Callable[[Batch], Arrays] | None = None
    encode: Callable[[Any], dict[str, np.ndarray]] = None  # pyright: ignore[reportAssignmentType]  # filled in
    decode: Callable[[Any], Any] = None  # pyright: ignore[reportAssignmentType]  # filled in
    continues: bool = False
    vocabularies: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    learned: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()
    application: Application | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", {"loss": mean(self.loss, "min"), **self.metrics})
        object.__setattr__(self, "validation_metric", self.validation_metric or self.metric)
        for field in ("metric", "validation_metric"):
            if getattr(self, field) not in self.metrics:
                raise ValueError(f"{field}={getattr(self, field)!r} must be one of {', '.join(self.metrics)}")
        for name in self.metrics:
            if not name or "/" in name or name == PREDICTIONS:
                raise ValueError(f"metrics: the name {name!r} must be other than {PREDICTIONS!r}, and without '/'")
        if self.generates and self.spec.generation is None:
            names = [name for name, metric in self.metrics.items() if metric.of == "answers"]
            raise ValueError(
                f"metrics: {', '.join(names)} of generated answers needs spec.answers='generated', here "
                f"{self.spec.answers!r}"
            )
        if self.application is not None:
            self.application.check(self.metrics, self.trivial)
        # A copy with another spec gets its own encoder and decoder.
        if self.encode is None or isinstance(self.encode, Lazy):
            object.__setattr__(self, "encode", Lazy(self._input_form))
        if self.decode is None or isinstance(self.decode, Lazy):
            object.__setattr__(self, "decode", Lazy(self._answer_form))

    def _input_form(self) -> Any:
        return default_encoder(self.spec, self.vocabularies.get("inputs", ()), [*self.spec.example, *self._generated()])

    def _answer_form(self) -> Any:
        names = self.vocabularies.get("targets", ())
        if self.continues:
            return default_decoder(self.spec, names or self.vocabularies.get("inputs", ()), tokens=True)
        targets = self._generated().get("targets") if self.loss not in (class_loss, squared_error) else None
        whole = targets is not None and jnp.issubdtype(targets.dtype, jnp.integer)
        return default_decoder(self.spec, names, classes=bool(names) or self.loss is class_loss or whole)

    def _generated(self) -> Mapping[str, Any]:
        """Returns a generated batch's shapes and dtypes by name, without computing it; empty for stored data."""
        if not isinstance(self.data, Generated):
            return {}
        make = self.data.make
        return jax.eval_shape(lambda key: make(key, 1), jax.random.key(0))

    @property
    def direction(self) -> Direction:
        """Whether a lower or a higher `metric` is better."""
        return self.metrics[self.metric].direction

    @property
    def validation_direction(self) -> Direction:
        return self.metrics[self.validation_metric].direction

    @property
    def baseline(self) -> float | None:
        """The `metric` of the best trivial answer; None if there is none."""
        best = min if self.direction == "min" else max
        return best(self.trivial.values(), default=None)

    @property
    def generates(self) -> bool:
        """Whether a metric reads generated answers."""
        return any(metric.of == "answers" for metric in self.metrics.values())

    @property
    def validation_metrics(self) -> tuple[str, ...]:
        """The metrics that are measured during training."""
        whole = self.metrics[self.validation_metric].of == "answers"
        return tuple(name for name, metric in self.metrics.items() if whole or metric.of == "outputs")

    @property
    def samples(self) -> bool:
        """Whether answers to raw inputs are drawn token by token after them."""
        return self.continues or (self.application is not None and self.application.samples)

    def prepare(self, batch: Batch) -> Batch:
        """Converts a batch of `data` to a batch as the model sees it."""
        return self.data.prepare(batch) if isinstance(self.data, Stored) else batch

    def summary(self) -> dict[str, Any]:
        """Returns the facts about the task that a report states."""
        fields = ("name", "metric", "validation_metric", "threshold", "length", "scaling")
        own = {} if self.application is None else {"application": self.application.summary()}
        return (
            {field: getattr(self, field) for field in fields}
            | own
            | {
                "trivial": dict(self.trivial),
                "directions": {name: metric.direction for name, metric in self.metrics.items()},
                "signatures": {
                    name: metric.signature
                    for name, metric in self.metrics.items()
                    if isinstance(metric, Collected) and metric.signature
                },
            }
        )


def check_at_least(least: int, **values: int) -> None:
    """Raises ValueError for the first of `values`, by the names of their fields, that is below `least`."""
    for field, value in values.items():
        if value < least:
            raise ValueError(f"{field}={value!r} must be at least {least}")


def check_share(field: str, value: float) -> None:
    """Raises ValueError unless `value`, an accuracy for example, is above 0 and at most 1."""
    if not 0 < value <= 1:
        raise ValueError(f"{field}={value!r} must be above 0 and at most 1")


def alike(values: Array) -> tuple[Array, Array]:
    """Returns values `[B]` with a weight of 1 for each example."""
    return values, jnp.ones_like(values)


def over_steps(values: Array, lengths: Array | None) -> tuple[Array, Array]:
    """Returns each example's mean of `values [B, T]` over its real steps, weighted by their number: a set's mean is
    then over all steps. Without `lengths [B]` all steps are real."""
    if lengths is None:
        return values.mean(1), jnp.full(len(values), values.shape[1], jnp.float32)
    real = length_mask(lengths, values.shape[1])
    return jnp.where(real, values, 0).sum(1) / jnp.maximum(lengths, 1), lengths.astype(jnp.float32)


def squared_error(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's mean squared error `[B]` and weight, from `outputs, targets [B, ...]`."""
    return alike(jnp.square(outputs - batch["targets"]).reshape(outputs.shape[0], -1).mean(-1))


def cross_entropy(outputs: Array, targets: Array) -> Array:
    """Returns the cross-entropy `[...]` in nats, from logits `[..., C]` and class numbers `targets [...]`."""
    log_probabilities = jax.nn.log_softmax(outputs.astype(jnp.float32))
    return -jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]


def correct(outputs: Array, targets: Array) -> Array:
    """Returns float32 `[...]`: 1 where the target has the largest of the logits `[..., C]`, else 0."""
    return (outputs.argmax(-1) == targets).astype(jnp.float32)


def class_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's cross-entropy in nats, from logits `[B, C]` and class numbers `targets [B]`."""
    return alike(cross_entropy(outputs, batch["targets"]))


def class_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns 1 for each example with the right class, else 0, from logits `[B, C]` and `targets [B]`."""
    return alike(correct(outputs, batch["targets"]))


ACCURACY = {"accuracy": mean(class_accuracy, "max")}
SQUARED_ERROR = {"mse": mean(squared_error, "min")}
