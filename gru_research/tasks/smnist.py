"""Sequential MNIST: a handwritten digit, read as a sequence (Le, Jaitly and Hinton, arXiv 1504.00941)."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.types import Batch

from .base import Splits, Stored, Task, classification

VALIDATION_SIZE = 5000
SIDE = 28
# numpy promises that RandomState's stream never changes. 92916 is the seed that the code of the unitary
# RNN (arXiv 1511.06464) and of recurrent batch normalisation (arXiv 1603.09025) use for theirs.
PERMUTATION = np.random.RandomState(92916).permutation(SIDE * SIDE)

SHAPES = {"pixels": (SIDE * SIDE, 1), "permuted": (SIDE * SIDE, 1), "rows": (SIDE, SIDE)}


def smnist(order: Literal["pixels", "permuted", "rows"] = "pixels", threshold: float = 0.95) -> Task:
    """Which digit was it?

    `order` is how an image becomes a sequence: "pixels" one by one, row after row, 784 x 1; "permuted",
    the same after one fixed permutation, `RandomState(92916).permutation(784)`, which leaves no pixel
    near its neighbours; "rows", a row at a time, 28 x 28. Pixels are scaled to 0 .. 1. Of the 60,000
    training images the last 5,000 are the validation set.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold!r} must be above 0 and at most 1")

    def split(stored: Splits) -> Splits:
        train = stored["train"]
        return {
            "train": {name: a[:-VALIDATION_SIZE] for name, a in train.items()},
            "validation": {name: a[-VALIDATION_SIZE:] for name, a in train.items()},
            "test": stored["test"],
        }

    def prepare(batch: Batch) -> Batch:
        """`image [B, 28, 28]` bytes and `label [B]` to `inputs [B, T, I]` and `targets [B]`."""
        pixels = batch["image"].reshape(-1, SIDE * SIDE)
        if order == "permuted":
            pixels = pixels[:, PERMUTATION]
        inputs = pixels.reshape(-1, *SHAPES[order]).astype(jnp.float32) / 255
        return {"inputs": inputs, "targets": batch["label"]}

    return Task(
        name=f"smnist-{order}",
        data=Stored("mnist", split, prepare),
        example={"inputs": jax.ShapeDtypeStruct(SHAPES[order], jnp.float32)},
        output_size=10,
        readout="last",
        measure=classification,
        metric="accuracy",
        direction="max",
        threshold=threshold,
        baseline=0.1135,
        baseline_name="always the digit 1",
        length=SHAPES[order][0],
        scaling="The same image is 28 steps by rows and 784 by pixels; the baseline doesn't change.",
    )
