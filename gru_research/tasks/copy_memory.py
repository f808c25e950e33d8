"""Copy memory (Arjovsky, Shah and Bengio 2016, arXiv 1511.06464, section 4.1; Bai et al. 2018, arXiv 1803.01271)."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import choose
from gru_research.metrics import mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .base import Generated, Task, alike, check_at_least, correct, cross_entropy
from .input_encoders import Tokens
from .output_decoders import Classes

FORMS = ("arjovsky", "bai")


def copy_memory(
    length: int = 100,
    symbols: int = 10,
    categories: int = 8,
    form: Literal["arjovsky", "bai"] = "arjovsky",
    validation_size: int = 1000,
    test_size: int = 5000,
    threshold_fraction: float = 0.1,
) -> Task:
    """Recall `symbols` tokens of `categories` kinds after a delay of `length` steps.

    In the `form` "arjovsky", the symbols are 0 .. categories - 1. The inputs are the symbols, `length - 1` blanks
    (`categories`), one delimiter (`categories + 1`), and `symbols` blanks. The targets are `length + symbols` blanks,
    then the symbols in order. Bai et al. published GRU and LSTM results in the form "bai": blank is 0, the symbols are
    1 .. categories, and the delimiter `categories + 1` repeats until the end, so that it need not be remembered. Both
    forms have `length + 2 symbols` steps, `length + 20` as published, and an output at every step.

    The loss and the metric, `nll`, are the cross-entropy in nats, averaged over all steps. `accuracy` is the share of
    recalled symbols. The best answer without memory is blank, then a uniform guess. Its `nll` is
    symbols ln(categories) / (length + 2 symbols), and the threshold is `threshold_fraction` of it.
    """
    check_at_least(1, length=length, symbols=symbols)
    check_at_least(2, categories=categories)
    if not 0 < threshold_fraction < 1:
        raise ValueError(f"threshold_fraction={threshold_fraction!r} must be above 0 and below 1")
    choose("form", form, FORMS)
    first, blank, held = (0, categories, 1) if form == "arjovsky" else (1, 0, symbols + 1)
    delimiter = categories + 1
    steps = length + 2 * symbols
    baseline = symbols * math.log(categories) / steps

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns tokens `inputs` and `targets [B, T]`."""
        symbols_BK = jax.random.randint(key, (batch_size, symbols), first, first + categories, jnp.int32)

        def constant(token: int, count: int) -> Array:
            return jnp.full((batch_size, count), token, jnp.int32)

        after = constant(blank, symbols + 1 - held)
        return {
            "inputs": jnp.concatenate([symbols_BK, constant(blank, length - 1), constant(delimiter, held), after], 1),
            "targets": jnp.concatenate([constant(blank, length + symbols), symbols_BK], 1),
        }

    def loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        """Returns the mean cross-entropy over all steps, from logits `[B, T, C]` and targets `[B, T]`."""
        return alike(cross_entropy(outputs, batch["targets"]).mean(-1))

    def recalled(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        """Returns the share of recalled symbols."""
        return alike(correct(outputs, batch["targets"])[:, -symbols:].mean(-1))

    def encode(raw: Any) -> dict[str, np.ndarray]:
        """The symbols, to which the blanks and the delimiter are added, or all steps."""
        inputs = Tokens(categories + 2)(raw)["inputs"]
        if len(inputs) != symbols:
            return Tokens(categories + 2, steps=steps)(inputs)
        constant = [(blank, length - 1), (delimiter, held), (blank, symbols + 1 - held)]
        return {"inputs": np.concatenate([inputs, *(np.full(count, token, np.int32) for token, count in constant)])}

    return Task(
        name=f"copy_memory-{form}",
        data=Generated(make, validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((steps,), jnp.int32)}, categories + 2, "every", categories + 2),
        loss=loss,
        metrics={"nll": mean(loss, "min"), "accuracy": mean(recalled, "max")},
        metric="nll",
        threshold=threshold_fraction * baseline,
        trivial={"blank, then a uniform guess": baseline},
        length=steps,
        scaling=(
            f"Memory must span length + {symbols} steps; the baseline falls as 1/steps, because blanks cost nothing, "
            "and the threshold with it."
        ),
        encode=encode,
        decode=Classes(last=symbols),
    )
