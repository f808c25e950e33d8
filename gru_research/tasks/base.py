"""What a task is: data, a loss, a metric, and what counts as solved."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import DataDirs, load
from gru_research.types import Array, Batch, PRNGKey

Splits = Mapping[str, Mapping[str, np.ndarray]]


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
    """Data that lies on disk.

    Attributes:
      dataset: a name that `gru_research.data.load` knows.
      split: from the stored splits to "train", "validation" and "test".
      prepare: from a stored batch to `inputs` and `targets`, inside jit, so that what travels to the
        device is as small as what is stored.
      read: gives the three sets of a task that reads its data by itself, where the config says what of them.
    """

    dataset: str
    split: Callable[[Splits], Splits]
    prepare: Callable[[Batch], Batch]
    read: Callable[[], dict[str, Any]] | None = None

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
      example: one example as the model sees it, shapes and types only: `inputs [T, I]`, or `[T]` for tokens.
      output_size: C, how many numbers the model gives.
      readout: from which steps: "last", "mean" or "every".
      measure: `(outputs, batch) -> {name: [B]}`: for each example the "loss" and the metric, and where examples
        don't count alike their "weight", such as the number of steps that a mean over steps is of.
      metric, direction: what is reported, and whether less ("min") or more ("max") of it is better.
      threshold: the validation metric past which the task counts as solved.
      baseline, baseline_name: what a trivial answer reaches, and which that is.
      vocabulary: V where inputs are tokens.
      length: T, of the longest training sequence.
      scaling: one sentence, how the baseline and the difficulty change with the length.
      hidden: from a batch to the quantities `[B, T]` by name that a solver has to tell or to carry at each step, such
        as the sum so far: what probes look for in a state. None: the task names none.
    """

    name: str
    data: Generated | Stored
    example: Mapping[str, jax.ShapeDtypeStruct]
    output_size: int
    readout: Literal["last", "mean", "every"]
    measure: Callable[[Array, Batch], dict[str, Array]]
    metric: str
    direction: Literal["min", "max"]
    threshold: float
    baseline: float
    baseline_name: str
    vocabulary: int | None = None
    length: int | None = None
    scaling: str = ""
    hidden: Callable[[Batch], Mapping[str, Array]] | None = None

    def prepare(self, batch: Batch) -> Batch:
        """A batch as the model sees it, from one as the data give it."""
        return self.data.prepare(batch) if isinstance(self.data, Stored) else batch

    def summary(self) -> dict[str, Any]:
        """What a report says of the task."""
        return {
            field: getattr(self, field)
            for field in ("name", "metric", "direction", "threshold", "baseline", "baseline_name", "length", "scaling")
        }


def check_share(field: str, value: float) -> None:
    """Raises ValueError unless `value`, an accuracy for example, is above 0 and at most 1."""
    if not 0 < value <= 1:
        raise ValueError(f"{field}={value!r} must be above 0 and at most 1")


def squared_error(outputs: Array, batch: Batch) -> dict[str, Array]:
    """Mean squared error of each example: `outputs, targets [B, ...]` -> loss and mse `[B]`."""
    error = jnp.square(outputs - batch["targets"]).reshape(outputs.shape[0], -1).mean(-1)
    return {"loss": error, "mse": error}


def classification(outputs: Array, batch: Batch) -> dict[str, Array]:
    """Cross-entropy in nats and accuracy of each example: logits `[B, C]`, `targets [B]` class numbers."""
    targets = batch["targets"]
    log_probabilities = jax.nn.log_softmax(outputs.astype(jnp.float32))
    loss = -jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]
    return {"loss": loss, "accuracy": (outputs.argmax(-1) == targets).astype(jnp.float32)}
