"""The multiplication problem (Hochreiter and Schmidhuber 1997, Neural Computation 9(8), section 5.5), simple form."""

import jax
import jax.numpy as jnp

from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .adding import marked_numbers
from .base import SQUARED_ERROR, Generated, Task, check_at_least, squared_error

VARIANCE = 7 / 144  # the variance of a product of two numbers from U[0, 1): 1/9 - 1/16


def multiplication(
    length: int = 100, validation_size: int = 1000, test_size: int = 5000, threshold: float = 0.0016
) -> Task:
    """Multiply the two marked numbers of a sequence.

    Each of `length` steps holds a number from U[0, 1) and a marker. The marker is 1 at one random step of each half
    and 0 elsewhere. The target after the last step is the product of the two marked numbers. The constant answer 1/4
    has a mean squared error of 7/144, the variance of the product. An integrator can compute a sum but not a product:
    the first number must be stored until the second. The threshold is the square of 0.04, the source's error limit.

    The numbers follow the source; the markers follow the task `adding`. The source draws the length from T .. T + T/10,
    marks one of the first ten steps and one of the first T/2 - 1 others, and marks the first and last step with -1.
    """
    check_at_least(2, length=length)
    if not 0 < threshold < VARIANCE:
        raise ValueError(f"threshold={threshold!r} must be above 0 and below the baseline, 7/144 = 0.0486")

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns `inputs [B, T, 2]`, `targets [B, 1]`."""
        inputs_BT2, numbers_BT, marked_BT = marked_numbers(key, batch_size, length)
        product_B1 = jnp.prod(jnp.where(marked_BT, numbers_BT, 1), -1, keepdims=True)
        return {"inputs": inputs_BT2, "targets": product_B1}

    return Task(
        name="multiplication",
        data=Generated(make, validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length, 2), jnp.float32)}, 1, "last"),
        loss=squared_error,
        metrics=SQUARED_ERROR,
        metric="mse",
        threshold=threshold,
        trivial={"always 1/4": VARIANCE},
        length=length,
        latents=running_product,
        scaling="The baseline is the same at every length; memory must span up to the whole length.",
    )


def running_product(batch: Batch) -> dict[str, Array]:
    """Returns the marker and the running product of the marked numbers (1 before the first), `[B, T]` each."""
    numbers_BT, marked_BT = batch["inputs"][..., 0], batch["inputs"][..., 1]
    return {"marker": marked_BT, "running product": jnp.cumprod(jnp.where(marked_BT > 0, numbers_BT, 1), -1)}
