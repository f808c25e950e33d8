"""Associative recall with several queries (MQAR: Arora, Eyuboglu et al. 2023, arXiv 2312.04927, and their code)."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.config import choose
from gru_research.metrics import mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .base import Generated, Task, alike, check_at_least, check_share, correct, cross_entropy
from .input_encoders import Tokens
from .output_decoders import Classes

BLANK = 0
FILLERS = ("blank", "random")
POWER = 0.01  # place i of a query has probability proportional to i ** (POWER - 1)


def associative_recall(
    pairs: int = 4,
    queries: int = 4,
    length: int = 64,
    vocabulary: int = 64,
    filler: Literal["blank", "random"] = "blank",
    validation_size: int = 1000,
    test_size: int = 5000,
    threshold: float = 0.99,
) -> Task:
    """Read `pairs` key-value pairs, then return the value of each repeated key.

    The first 2 `pairs` steps are key, value, key, value, ... With a `vocabulary` of V (V/2 rounded down), keys are
    tokens 1 .. V/2 - 1 and values are V/2 .. V - 1, each drawn without replacement. In the remaining steps, every
    second one from the first on is a possible place of a query. `queries` of the keys, in order of the pairs, are
    assigned to places drawn without replacement: place i (from 1) has probability proportional to i ** -0.99, so most
    queries are early. The other steps hold token 0 (`filler="blank"`, as in the source's figure 2, which queries every
    key once with V = 8192, and 64 steps with 4 pairs, 128 with 8, 256 with 16). With `filler="random"` they hold any
    token. Keys among these look like queries but aren't scored.

    The answer to a query is at its own step; targets are values, counted from 0. The metric is the share of correctly
    answered queries. Always giving the value of one fixed pair, such as the last, is right in 1 of `pairs`; a guess
    among all values is right in 1 of V/2.
    """
    check_at_least(1, pairs=pairs)
    if not 1 <= queries <= pairs:
        raise ValueError(f"queries={queries!r} must be from 1 to pairs={pairs!r}")
    if length < 2 * (pairs + queries):
        raise ValueError(f"length={length!r} must be at least {2 * (pairs + queries)}, 2 * (pairs + queries)")
    if vocabulary < 2 * pairs + 2:
        raise ValueError(f"vocabulary={vocabulary!r} must be at least {2 * pairs + 2}, 2 * pairs + 2")
    check_share("threshold", threshold)
    choose("filler", filler, FILLERS)
    values = vocabulary - vocabulary // 2

    def at_queries(outputs: Array, batch: Batch) -> Array:
        """Returns the logits `[B, Q, C]` at the queries, from `[B, T, C]`."""
        return jnp.take_along_axis(outputs, batch["query_steps"][..., None], 1)

    def loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        """Returns the mean cross-entropy over queries."""
        return alike(cross_entropy(at_queries(outputs, batch), batch["targets"]).mean(-1))

    def answered(outputs: Array, batch: Batch) -> tuple[Array, Array]:
        """Returns the share of correctly answered queries."""
        return alike(correct(at_queries(outputs, batch), batch["targets"]).mean(-1))

    def encode(raw: Any) -> dict[str, np.ndarray]:
        """All steps, or the first of them, to which blank ones are added."""
        inputs = Tokens(vocabulary)(raw)["inputs"]
        blanks = np.full(max(0, length - len(inputs)), BLANK, np.int32)
        return Tokens(vocabulary, steps=length)(np.concatenate([inputs, blanks]))

    return Task(
        name=f"associative_recall-{filler}",
        data=Generated(_batches(pairs, queries, length, vocabulary, filler), validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length,), jnp.int32)}, values, "every", vocabulary),
        loss=loss,
        metrics={"accuracy": mean(answered, "max")},
        metric="accuracy",
        threshold=threshold,
        trivial={"always the last pair's value": 1 / pairs},
        length=length,
        scaling="The baseline depends on the pairs alone; gaps grow with the length, but most stay short.",
        encode=encode,
        decode=Classes(tuple(range(vocabulary // 2, vocabulary))),
    )


def _batches(pairs: int, queries: int, length: int, vocabulary: int, filler: str) -> Callable[[PRNGKey, int], Batch]:
    """Returns the function that draws a batch from a key."""
    keys = vocabulary // 2 - 1
    values = vocabulary - vocabulary // 2
    places = (length - 2 * pairs) // 2
    log_density = (POWER - 1) * np.log(np.arange(1, places + 1, dtype=np.float32))

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns tokens `inputs [B, T]`, the steps of queries `query_steps [B, Q]`, and values `targets [B, Q]`."""
        keys_key, values_key, asked_key, places_key, filler_key = jax.random.split(key, 5)
        rows_B1 = jnp.arange(batch_size)[:, None]

        def distinct(key: PRNGKey, of: int, count: int) -> Array:
            """Returns `[B, count]` distinct numbers below `of`, in random order."""
            return jax.lax.top_k(jax.random.uniform(key, (batch_size, of)), count)[1].astype(jnp.int32)

        keys_BP, values_BP = 1 + distinct(keys_key, keys, pairs), distinct(values_key, values, pairs)
        asked_BQ = distinct(asked_key, pairs, queries).sort(-1)
        # Gumbel top-k: the largest values of noise plus log density are draws without replacement, in order.
        noise = jax.random.gumbel(places_key, (batch_size, places))
        steps_BQ = 2 * pairs + 2 * jax.lax.top_k(log_density + noise, queries)[1].astype(jnp.int32)

        inputs_BT = jnp.full((batch_size, length), BLANK, jnp.int32)
        if filler == "random":
            inputs_BT = jax.random.randint(filler_key, inputs_BT.shape, 0, vocabulary, jnp.int32)
        inputs_BT = inputs_BT.at[:, 0 : 2 * pairs : 2].set(keys_BP)
        inputs_BT = inputs_BT.at[:, 1 : 2 * pairs : 2].set(vocabulary // 2 + values_BP)
        inputs_BT = inputs_BT.at[rows_B1, steps_BQ].set(jnp.take_along_axis(keys_BP, asked_BQ, -1))
        return {"inputs": inputs_BT, "query_steps": steps_BQ, "targets": jnp.take_along_axis(values_BP, asked_BQ, -1)}

    return make
