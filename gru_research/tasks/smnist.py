"""Sequential MNIST: a handwritten digit, read as a sequence (Le, Jaitly and Hinton, arXiv 1504.00941)."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.spec import Spec
from gru_research.types import Array, Batch

from .base import ACCURACY, Splits, Stored, Task, check_share, class_loss
from .input_encoders import Image

VALIDATION_SIZE = 5000
SIDE = 28
# NumPy guarantees RandomState's stream. 92916 is the seed of the permutation in the code of the unitary RNN
# (arXiv 1511.06464) and of recurrent batch normalisation (arXiv 1603.09025).
PERMUTATION_SEED = 92916


def smnist(order: Literal["pixels", "permuted", "rows"] = "pixels", pool: int = 1, threshold: float = 0.95) -> Task:
    """Classify the digit of an image that is read as a sequence.

    `order` converts an image to a sequence: "pixels" one by one, row after row, 784 x 1; "permuted", the same after one
    fixed permutation, `RandomState(92916).permutation(784)`, which separates neighbouring pixels; "rows", a row at a
    time, 28 x 28. Pixels are scaled to 0 .. 1. The last 5,000 of the 60,000 training images are the validation set.
    `pool` shortens sequences: squares of pool x pool pixels become their mean, so 2 leaves 196 of 784 steps, with
    their own permutation. The published task has 1.
    """
    if pool < 1 or SIDE % pool:
        raise ValueError(f"pool={pool!r} must divide {SIDE}")
    side = SIDE // pool
    shape = (side, side) if order == "rows" else (side * side, 1)
    permutation = np.random.RandomState(PERMUTATION_SEED).permutation(side * side)
    check_share("threshold", threshold)

    def split(stored: Splits) -> Splits:
        train = stored["train"]
        return {
            "train": {name: a[:-VALIDATION_SIZE] for name, a in train.items()},
            "validation": {name: a[-VALIDATION_SIZE:] for name, a in train.items()},
            "test": stored["test"],
        }

    def arranged(pixels: Array) -> Array:
        """Converts pixels `[..., 28, 28]` from 0 to 1 to sequences `[..., T, I]`."""
        if pool > 1:
            pixels = pixels.reshape(*pixels.shape[:-2], side, pool, side, pool).mean((-3, -1))
        pixels = pixels.reshape(*pixels.shape[:-2], side * side)
        if order == "permuted":
            pixels = pixels[..., permutation]
        return pixels.reshape(*pixels.shape[:-1], *shape)

    def prepare(batch: Batch) -> Batch:
        """Converts bytes `image [B, 28, 28]` and `label [B]` to `inputs [B, T, I]` and `targets [B]`."""
        return {"inputs": arranged(batch["image"].astype(jnp.float32) / 255), "targets": batch["label"]}

    return Task(
        name=f"smnist-{order}" + (f"-pool{pool}" if pool > 1 else ""),
        data=Stored("mnist", split, prepare),
        spec=Spec({"inputs": jax.ShapeDtypeStruct(shape, jnp.float32)}, 10, "last"),
        loss=class_loss,
        metrics=ACCURACY,
        metric="accuracy",
        threshold=threshold,
        trivial={"always the digit 1": 0.1135},
        length=shape[0],
        scaling="The same image is 28 steps by rows, 784 by pixels, fewer when pooled; the baseline doesn't change.",
        encode=Image((SIDE, SIDE), lambda pixels: np.asarray(arranged(jnp.asarray(pixels)))),
    )
