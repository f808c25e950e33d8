"""The adding problem (Hochreiter and Schmidhuber 1997, in the form of Le, Jaitly and Hinton, arXiv 1504.00941)."""

import jax
import jax.numpy as jnp

from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .base import SQUARED_ERROR, Generated, Task, check_at_least, squared_error


def adding(length: int = 100, validation_size: int = 1000, test_size: int = 5000, threshold: float = 0.01) -> Task:
    """Add the two marked numbers of a sequence.

    Each of `length` steps holds a number from U[0, 1) and a marker. The marker is 1 at one random step of each half
    and 0 elsewhere. The target after the last step is the sum of the two marked numbers. The constant answer 1 has a
    mean squared error of 1/6, the variance of the sum. A lower error needs memory over up to `length` steps.
    """
    check_at_least(2, length=length)
    if threshold <= 0:
        raise ValueError(f"threshold={threshold!r} must be above 0")

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns `inputs [B, T, 2]`, `targets [B, 1]`."""
        inputs_BT2, numbers_BT, marked_BT = marked_numbers(key, batch_size, length)
        return {"inputs": inputs_BT2, "targets": jnp.sum(numbers_BT * marked_BT, -1, keepdims=True)}

    return Task(
        name="adding",
        data=Generated(make, validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length, 2), jnp.float32)}, 1, "last"),
        loss=squared_error,
        metrics=SQUARED_ERROR,
        metric="mse",
        threshold=threshold,
        trivial={"always 1": 1 / 6},
        length=length,
        latents=running_sum,
        scaling="The baseline is the same at every length; memory must span up to the whole length.",
    )


def running_sum(batch: Batch) -> dict[str, Array]:
    """Returns the marker and the running sum of the marked numbers, `[B, T]` each."""
    numbers_BT, marked_BT = batch["inputs"][..., 0], batch["inputs"][..., 1]
    return {"marker": marked_BT, "running sum": jnp.cumsum(numbers_BT * marked_BT, -1)}


def marked_numbers(key: PRNGKey, batch_size: int, length: int) -> tuple[Array, Array, Array]:
    """Returns inputs `[B, T, 2]`, numbers `[B, T]` from U[0, 1) and markers `[B, T]`, with one marker in each half."""
    numbers_key, first_key, second_key = jax.random.split(key, 3)
    half = length // 2
    numbers_BT = jax.random.uniform(numbers_key, (batch_size, length))
    first_B = jax.random.randint(first_key, (batch_size,), 0, half)
    second_B = jax.random.randint(second_key, (batch_size,), half, length)
    steps_T = jnp.arange(length)
    marked_BT = (steps_T == first_B[:, None]) | (steps_T == second_B[:, None])
    return jnp.stack([numbers_BT, marked_BT.astype(numbers_BT.dtype)], -1), numbers_BT, marked_BT
