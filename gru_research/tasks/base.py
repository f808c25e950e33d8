"""What a task is: data, what a model may know of them, a loss and metrics."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import DataDirs, load
from gru_research.metrics import Collected, Direction, Metric, mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .input_encoders import default_encoder
from .output_decoders import Lazy, default_decoder

Splits = Mapping[str, Mapping[str, np.ndarray]]
PREDICTIONS = "predictions"
"""What a run's test arrays call the predictions, beside what they keep of each metric."""
Loss = Callable[[Any, Batch], tuple[Array, Array]]
"""`(outputs, batch) -> (values [B], weights [B])`."""


@dataclasses.dataclass(frozen=True)
class Generated:
    """Data made inside jit: a batch is a function of a key, so that nothing is stored and nothing repeats.

    Attributes:
      make: `(key, batch_size) -> batch`, for training and validation.
      validation_size, test_size: how many examples the two fixed sets hold; each has a key of its own.
      make_test: makes the test set where it is another than training's, of longer sequences for example.
    """

    make: Callable[[PRNGKey, int], Batch]
    validation_size: int
    test_size: int
    make_test: Callable[[PRNGKey, int], Batch] | None = None

    def __post_init__(self) -> None:
        for field in ("validation_size", "test_size"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field}={getattr(self, field)!r} must be at least 1")

    def load(self, dirs: DataDirs) -> dict[str, dict[str, np.ndarray]]:
        """The validation and test sets; there is no training set to load."""
        del dirs
        # Training keys start from the seed; these start where no seed can be.
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
    """Data that lies on disk: a data set by name, or whatever `read` gives.

    Attributes:
      dataset: a name that `gru_research.data.load` knows.
      split: from the stored splits to "train", "validation" and "test".
      prepare: from a stored batch to `inputs` and `targets`, inside jit, so that what travels to the
        device is as small as what is stored.
      read: gives the three sets, arrays `[N, ...]` by name, of a task that reads its data by itself.
    """

    dataset: str = ""
    split: Callable[[Splits], Splits] = lambda stored: stored
    prepare: Callable[[Batch], Batch] = lambda batch: batch
    read: Callable[[], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        if not self.dataset and self.read is None:
            raise ValueError("dataset='' must name a data set, where nothing is read")

    def load(self, dirs: DataDirs) -> dict[str, Any]:
        """The three sets as stored; "train" may be `DiskArrays`. Raises UserError where they can't be had."""
        if self.read is not None:
            return self.read()
        splits = self.split(load(self.dataset, dirs))
        return {split: dict(splits[split]) for split in ("train", "validation", "test")}


@dataclasses.dataclass(frozen=True)
class Task:
    """A task: what goes in, what comes out, and how good an output is.

    Attributes:
      name: as in the literal dict of tasks, with the variant where it has some.
      data: where examples come from.
      spec: what a model may know of it.
      loss: `(outputs, batch) -> (values [B], weights [B])`: what training minimises is the mean of the values, weighted
        where examples don't count alike, such as by the number of steps that a mean over steps is of.
      metrics: by name; "loss" is the mean of `loss`, and always there.
      metric: the one that is compared, on the test set.
      validation_metric: the one that curves show, and that selects and tunes; "" is `metric`.
      threshold: the validation metric past which the task counts as solved; None: nothing counts as that.
      trivial: what trivial answers reach on the test set, in `metric`, by their names.
      answer: how answers are generated for metrics of "answers", a name of `decoding.DECODERS` and its options.
      length: T, of the longest training sequence.
      scaling: one sentence, how trivial answers and the difficulty change with the length.
      latents: from a batch to the quantities `[B, T]` by name that a solver has to tell or to carry at each step, such
        as the sum so far: what probes look for in a state. None: the task names none.
      encode: from raw input (a text, an array, or a dict of arrays) to one example as the model sees it, without a
        batch axis. It raises ValueError with one line that says what is wrong with the input. None: what fits `spec`
        and the vocabulary "inputs" (see `input_encoders`).
      decode: from one example's output, a row of the model's outputs or of `decoding.Answers`, to a plain JSON value
        that a person reads. None: what fits `spec` and the vocabulary "targets" (see `output_decoders`). One that has
        `mean` can answer for several seeds together.
      continues: the answer to an input is its continuation: the tokens that the model generates behind it, as of a
        language model; `decode` reads those tokens `[N]` then.
      vocabularies: the words of tokens by the name of their field, in the order of their numbers; they are saved with a
        run.
      learned: what the task took from its training data, as plain JSON: normalisation, shapes. It is saved with
        a run. A task's function that has a parameter `learned` gets it back when the run is loaded, and then reads no
        data before `data.load`.
      files: the user's own files that its data come from; a run records their paths and check sums.
      warnings: sentences that a user should read before training, such as that a set lacks a class.
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
    length: int | None = None
    scaling: str = ""
    latents: Callable[[Batch], Mapping[str, Array]] | None = None
    encode: Callable[[Any], dict[str, np.ndarray]] = None  # pyright: ignore[reportAssignmentType]  # filled in
    decode: Callable[[Any], Any] = None  # pyright: ignore[reportAssignmentType]  # filled in
    continues: bool = False
    vocabularies: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    learned: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    files: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()

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
        # A copy with another spec gets forms of its own.
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
        """Shapes and types of a batch by name, where batches are made; nothing is computed."""
        if not isinstance(self.data, Generated):
            return {}
        make = self.data.make
        return jax.eval_shape(lambda key: make(key, 1), jax.random.key(0))

    @property
    def direction(self) -> Direction:
        """Whether less or more of `metric` is better."""
        return self.metrics[self.metric].direction

    @property
    def validation_direction(self) -> Direction:
        return self.metrics[self.validation_metric].direction

    @property
    def baseline(self) -> float | None:
        """What the best of the trivial answers reaches; None where none is named."""
        best = min if self.direction == "min" else max
        return best(self.trivial.values(), default=None)

    @property
    def generates(self) -> bool:
        """Whether a metric reads generated answers."""
        return any(metric.of == "answers" for metric in self.metrics.values())

    def prepare(self, batch: Batch) -> Batch:
        """A batch as the model sees it, from one as the data give it."""
        return self.data.prepare(batch) if isinstance(self.data, Stored) else batch

    def summary(self) -> dict[str, Any]:
        """What a report says of the task."""
        fields = ("name", "metric", "validation_metric", "threshold", "length", "scaling")
        return {field: getattr(self, field) for field in fields} | {
            "trivial": dict(self.trivial),
            "directions": {name: metric.direction for name, metric in self.metrics.items()},
            "signatures": {
                name: metric.signature
                for name, metric in self.metrics.items()
                if isinstance(metric, Collected) and metric.signature
            },
        }


def check_share(field: str, value: float) -> None:
    """Raises ValueError unless `value`, an accuracy for example, is above 0 and at most 1."""
    if not 0 < value <= 1:
        raise ValueError(f"{field}={value!r} must be above 0 and at most 1")


def alike(values: Array) -> tuple[Array, Array]:
    """Values `[B]` of examples that count alike, with their weights."""
    return values, jnp.ones_like(values)


def squared_error(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Mean squared error of each example: `outputs, targets [B, ...]` -> `[B]`, with weights."""
    return alike(jnp.square(outputs - batch["targets"]).reshape(outputs.shape[0], -1).mean(-1))


def cross_entropy(outputs: Array, targets: Array) -> Array:
    """In nats: logits `[..., C]`, `targets [...]` class numbers, to `[...]`."""
    log_probabilities = jax.nn.log_softmax(outputs.astype(jnp.float32))
    return -jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]


def correct(outputs: Array, targets: Array) -> Array:
    """1 where the largest logit is the target's, else 0: logits `[..., C]`, `targets [...]`, to float32 `[...]`."""
    return (outputs.argmax(-1) == targets).astype(jnp.float32)


def class_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Cross-entropy in nats of each example: logits `[B, C]`, `targets [B]` class numbers."""
    return alike(cross_entropy(outputs, batch["targets"]))


def class_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Whether each example's class is right: logits `[B, C]`, `targets [B]`."""
    return alike(correct(outputs, batch["targets"]))


ACCURACY = {"accuracy": mean(class_accuracy, "max")}
SQUARED_ERROR = {"mse": mean(squared_error, "min")}
