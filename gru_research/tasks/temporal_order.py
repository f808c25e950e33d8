"""Temporal order (Hochreiter and Schmidhuber 1997, Neural Computation 9(8), section 5.6, tasks 6a and 6b)."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.spec import Spec
from gru_research.types import Batch, PRNGKey

from .base import ACCURACY, Generated, Task, check_share, class_loss
from .input_encoders import Tokens, characters_of
from .output_decoders import Classes

START, END, DISTRACTORS, X = 0, 1, 2, 6  # E; B; a, b, c, d are 2 .. 5; X is 6 and Y is 7
SYMBOLS = "EBabcdXY"
"""The source's symbol for each token."""
VOCABULARY = len(SYMBOLS)
# The range of each relevant symbol's position, ends included, in percent of the shortest length.
WINDOWS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}


def temporal_order(
    symbols: int = 2,
    length: int = 110,
    validation_size: int = 1000,
    test_size: int = 5000,
    threshold: float = 0.99,
) -> Task:
    """Classify the order of two relevant symbols X or Y (task 6a, 4 classes), or three (6b, 8 classes).

    A sequence starts with E, ends with B and holds distractors, a to d, in between. Two or three positions instead
    hold X or Y, each with probability 1/2. The length is uniform in S .. `length` with S = 10 length // 11, 100 .. 110
    as published. Positions count from 0, the E. They are uniform within S 10 // 100 .. S 20 // 100 and
    S 50 // 100 .. S 60 // 100, ends included (10 .. 20 and 50 .. 60 as published). For three symbols, the ranges are
    10 .. 20, 33 .. 43 and 66 .. 76 percent. The class after the last step is a binary number with X = 0 and Y = 1, the
    first symbol as the highest bit: XX is 0 (Q in the source), XY 1 (R), YX 2 (S), YY 3 (U), and so on.

    Shorter sequences are padded after B; `lengths` holds their lengths. The source uses one-hot inputs, here
    `model.embedding_size=0`. The source accepts an answer if every output is within 0.3 of its target; here the largest
    output decides. A constant class is right with probability 1/4 or 1/8.
    """
    if symbols not in WINDOWS:
        raise ValueError(f"symbols={symbols!r} must be 2 or 3")
    if length < 11:
        raise ValueError(f"length={length!r} must be at least 11: the windows of the symbols must be apart")
    check_share("threshold", threshold)
    shortest = 10 * length // 11
    first_K, last_K = np.array(WINDOWS[symbols]).T * shortest // 100

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns tokens `inputs [B, T]`, classes `targets [B]`, and `lengths [B]`."""
        lengths_key, places_key, symbols_key, distractors_key = jax.random.split(key, 4)
        lengths_B = jax.random.randint(lengths_key, (batch_size,), shortest, length + 1, jnp.int32)
        places_BK = jax.random.randint(places_key, (batch_size, symbols), first_K, last_K + 1)
        is_y_BK = jax.random.randint(symbols_key, (batch_size, symbols), 0, 2, jnp.int32)
        tokens_BT = jax.random.randint(distractors_key, (batch_size, length), DISTRACTORS, DISTRACTORS + 4, jnp.int32)
        tokens_BT = tokens_BT.at[jnp.arange(batch_size)[:, None], places_BK].set(X + is_y_BK)
        steps_T, ends_B1 = jnp.arange(length), lengths_B[:, None] - 1
        tokens_BT = jnp.where(steps_T == ends_B1, END, tokens_BT)
        return {
            "inputs": jnp.where((steps_T == 0) | (steps_T > ends_B1), START, tokens_BT),
            "targets": jnp.sum(is_y_BK << jnp.arange(symbols)[::-1], -1, dtype=jnp.int32),
            "lengths": lengths_B,
        }

    return Task(
        name=f"temporal_order-{symbols}",
        data=Generated(make, validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length,), jnp.int32)}, 2**symbols, "last", VOCABULARY),
        loss=class_loss,
        metrics=ACCURACY,
        metric="accuracy",
        threshold=threshold,
        trivial={"always the same class": 2.0**-symbols},
        length=length,
        scaling="The baseline is the same at every length; the gaps that memory must span grow in proportion.",
        encode=Tokens(VOCABULARY, tuple(SYMBOLS), beside=("lengths",), split=characters_of),
        decode=Classes(tuple("".join(order) for order in itertools.product("XY", repeat=symbols))),
    )
