"""The word problem of a finite group: predict the product of a sequence of elements after every step.

State tracking in the form of Merrill, Petty and Sabharwal 2024 (arXiv 2404.08819; code jopetty/word-problem), with
their groups of order 60 and S5. Inputs from a set of generators follow Liu et al. 2022 (arXiv 2210.10749).
One recurrent layer can track any finite group. For A5 and S5, which aren't solvable, the problem is complete for NC1,
and a transformer or a linear state-space model of fixed depth can't solve it at every length unless NC1 = TC0.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gru_research.config import choose
from gru_research.metrics import mean
from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .base import Generated, Task, alike, check_share, correct, cross_entropy
from .constant_baseline import best_constant
from .input_encoders import Tokens
from .length_generalization import evaluation_lengths
from .output_decoders import Classes

# Generators as permutations of points. S5 and A5 follow Liu et al.: a rotation and a swap; the cycles (0 1 x).
GENERATORS: dict[str, tuple[tuple[int, ...], ...]] = {
    "s5": ((1, 2, 3, 4, 0), (1, 0, 2, 3, 4)),
    "a5": ((1, 2, 0, 3, 4), (1, 3, 2, 0, 4), (1, 4, 2, 3, 0)),
    "a4xz5": ((1, 2, 0, 3, 4, 5, 6, 7, 8), (1, 3, 2, 0, 4, 5, 6, 7, 8), (0, 1, 2, 3, 5, 6, 7, 8, 4)),
    "z60": ((*range(1, 60), 0),),
}


def word_problem(
    group: Literal["s5", "a5", "a4xz5", "z60"] = "a5",
    tokens: Literal["elements", "generators"] = "elements",
    length: int = 20,
    test_length: int = 80,
    validation_size: int = 1000,
    test_size: int = 2000,
    threshold: float = 0.99,
) -> Task:
    """Predict the product of all elements so far, at every step.

    `group` is all permutations of five things ("s5", 120 elements), the even ones ("a5", 60), the product of the even
    permutations of four things and the cyclic group of order 5 ("a4xz5", 60), or the cyclic group of order 60 ("z60").
    Elements are numbered in lexicographic order, so 0 is the identity; in z60, element i has number i. The product of
    x1 .. xt is x1 x2 .. xt with (p q)(i) = p(q(i)), as in both sources. (The other order is the same problem with every
    element renamed to its inverse.)

    `tokens` are all elements, as in Merrill et al., or the identity (token 0) and a few generators (1, 2, ...), as in
    Liu et al. Tokens are drawn uniformly, and the answer can be any element.

    A training sequence has `length` steps, each with an answer: every prefix is a shorter problem. Test sequences have
    `test_length` steps, and only steps after `length` are scored. A `test_length` of 0 means the training length.
    """
    choose("group", group, GENERATORS)
    choose("tokens", tokens, ("elements", "generators"))
    check_share("threshold", threshold)
    first_scored, longest = evaluation_lengths(length, test_length, 1, 1)
    elements, products_GG = multiplication_table(GENERATORS[group])
    used = elements if tokens == "elements" else [elements[0], *GENERATORS[group]]
    used_V = np.array([elements.index(element) for element in used], np.int32)

    def maker(steps: int, first_scored: int) -> Callable[[PRNGKey, int], Batch]:
        def make(key: PRNGKey, batch_size: int) -> Batch:
            """Returns tokens `inputs [B, T]`, elements `targets [B, T]`, and `scored [B, T]`."""
            inputs_BT = jax.random.randint(key, (batch_size, steps), 0, len(used))
            table_GG = jnp.asarray(products_GG)
            # Multiplication is associative, so the scan takes log T steps instead of T.
            targets_BT = lax.associative_scan(lambda p, q: table_GG[p, q], jnp.asarray(used_V)[inputs_BT], axis=1)
            scored_BT = jnp.broadcast_to(jnp.arange(1, steps + 1) >= first_scored, targets_BT.shape)
            return {"inputs": inputs_BT, "targets": targets_BT, "scored": scored_BT}

        return make

    first_G = np.bincount(used_V, minlength=len(elements)) / len(used)
    share, commonest = best_constant(
        first_G, products_GG[:, used_V], np.arange(len(elements)), range(first_scored, longest + 1)
    )
    return Task(
        name=f"word_problem-{group}" + ("-generators" if tokens == "generators" else ""),
        data=Generated(maker(length, 1), validation_size, test_size, maker(longest, first_scored)),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length,), jnp.int32)}, len(elements), "every", len(used)),
        loss=scored_loss,
        metrics={"accuracy": mean(scored_accuracy, "max")},
        metric="accuracy",
        threshold=threshold,
        trivial={f"always the element {commonest}, on test": share},
        length=length,
        scaling="The baseline tends to 1/order of the group; the state must survive every step, so errors build up.",
        encode=Tokens(len(used)),
        decode=Classes(),
    )


def multiplication_table(generators: tuple[tuple[int, ...], ...]) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Returns the elements of the generated group, in lexicographic order, and their products `[G, G]`.

    The entry at row p and column q is p after q: `(p q)(i) = p(q(i))`.
    """

    def times(p: tuple[int, ...], q: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(p[i] for i in q)

    identity = tuple(range(len(generators[0])))
    found, new = {identity}, [identity]
    while new:
        new = list({times(p, q) for p in new for q in generators} - found)
        found.update(new)
    elements = sorted(found)
    number = {element: i for i, element in enumerate(elements)}
    return elements, np.array([[number[times(p, q)] for q in elements] for p in elements], np.int32)


def scored_loss(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's cross-entropy in nats, the mean over scored steps, from logits `[B, T, C]`, class numbers
    `targets [B, T]` and `scored [B, T]`."""
    return alike(jnp.mean(cross_entropy(outputs, batch["targets"]), -1, where=batch["scored"]))


def scored_accuracy(outputs: Array, batch: Batch) -> tuple[Array, Array]:
    """Returns each example's share of scored steps with the right element."""
    return alike(jnp.mean(correct(outputs, batch["targets"]), -1, where=batch["scored"]))
