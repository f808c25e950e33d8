"""Regular languages, trained on short strings and tested on longer ones.

From "Neural Networks and the Chomsky Hierarchy" (Delétang et al. 2022, arXiv 2207.02098): parity check, modular
arithmetic (simple) and cycle navigation, as its code defines them (google-deepmind/neural_networks_chomsky_hierarchy).
A finite automaton solves each at any length, so a model that learns the rule also solves the long test strings.

The length of each string is uniform: 1 to `length` for training, above `length` to `test_length` for the test set. The
paper uses 40 and 500. Its score is the mean accuracy over the longer lengths, which the test accuracy here estimates.
(The paper gives a whole batch one length and reports the best of ten seeds; we draw a length for each string and report
every seed.) Strings are padded at the end with token 0, and the output is read at their last real step.
"""

import re
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gru_research.masks import length_mask
from gru_research.spec import Spec
from gru_research.types import Array, Arrays, Batch, PRNGKey

from .base import ACCURACY, Generated, Task, check_share, class_loss
from .constant_baseline import best_constant
from .input_encoders import Tokens, characters_of
from .length_generalization import evaluation_lengths, longest_up_to, sample_lengths
from .output_decoders import Classes


def parity(
    length: int = 40,
    test_length: int = 500,
    validation_size: int = 1000,
    test_size: int = 2000,
    threshold: float = 0.99,
) -> Task:
    """Classify the number of ones as even (class 0) or odd (class 1). Each token is 0 or 1 with equal probability.

    Both classes are equally likely at every length.
    """

    def tokens(key: PRNGKey, shape: tuple[int, int]) -> Array:
        return jax.random.randint(key, shape, 0, 2)

    def answer(tokens_BT: Array, real_BT: Array) -> Array:
        return jnp.sum(tokens_BT * real_BT, -1) % 2

    states = np.arange(2)
    return _task(
        name="parity",
        lengths=(length, test_length, 1),
        sizes=(validation_size, test_size),
        threshold=threshold,
        vocabulary=2,
        classes=2,
        tokens=tokens,
        answer=answer,
        latents=lambda tokens_BT: {"parity so far": jnp.cumsum(tokens_BT, -1) % 2},
        automaton=(np.full(2, 1 / 2), (states[:, None] + states) % 2, states),
        written=("01", characters_of),
        answers=("even", "odd"),
        scaling="The baseline is 1/2 at every length; one bit must be flipped and kept over the whole string.",
    )


def modular_arithmetic(
    length: int = 40,
    test_length: int = 500,
    modulus: int = 5,
    validation_size: int = 1000,
    test_size: int = 2000,
    threshold: float = 0.99,
) -> Task:
    """Predict the value of an expression such as `1 + 2 * 3 - 4`, modulo `modulus` (2 to 20).

    Numbers 0 to `modulus` - 1 are their own tokens, and the operators `+`, `-` and `*` are the next three; all are
    drawn uniformly. `*` binds tighter than `+` and `-`, which are evaluated from left to right; there are no brackets.
    An expression has an odd length, so the longest is `length` or one less. Products are more often 0, mainly in short
    expressions: modulo 5, the answer is 0 in 20.6 % of expressions up to length 39 and in 20.0 % of the test set.
    """
    if not 2 <= modulus <= 20:
        raise ValueError(f"modulus={modulus!r} must be from 2 to 20")

    def tokens(key: PRNGKey, shape: tuple[int, int]) -> Array:
        numbers_key, operators_key = jax.random.split(key)
        numbers_BT = jax.random.randint(numbers_key, shape, 0, modulus)
        operators_BT = jax.random.randint(operators_key, shape, modulus, modulus + 3)
        return jnp.where(jnp.arange(shape[1]) % 2, operators_BT, numbers_BT)

    def answer(tokens_BT: Array, real_BT: Array) -> Array:
        # Padding becomes "+ 0".
        numbers_KB = jnp.where(real_BT, tokens_BT, 0)[:, 2::2].T
        operators_KB = jnp.where(real_BT, tokens_BT - modulus, 0)[:, 1::2].T

        def step(carry: tuple[Array, Array], pair: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            return _apply(*carry, *pair, modulus), None

        first_B = tokens_BT[:, 0]
        (total_B, term_B), _ = lax.scan(step, (jnp.zeros_like(first_B), first_B), (operators_KB, numbers_KB))
        return (total_B + term_B) % modulus

    return _task(
        name=f"modular_arithmetic-{modulus}",
        lengths=(length, test_length, 2),
        sizes=(validation_size, test_size),
        threshold=threshold,
        vocabulary=modulus + 3,
        classes=modulus,
        tokens=tokens,
        answer=answer,
        automaton=_arithmetic_automaton(modulus),
        written=([*map(str, range(modulus)), *"+-*"], lambda text: re.findall(r"\d+|\S", text)),
        scaling="The baseline falls to 1/modulus as expressions grow; the running sum and product must be kept.",
    )


def cycle_navigation(
    length: int = 40,
    test_length: int = 500,
    cycle: int = 5,
    validation_size: int = 1000,
    test_size: int = 2000,
    threshold: float = 0.99,
) -> Task:
    """Predict the end of a walk from place 0 on a cycle of `cycle` places (2 to 100).

    Tokens 0, 1 and 2, equally likely, move by -1, 0 and +1. Short walks often end near their start: for 5 places, the
    end is 0 in 21.0 % of walks up to length 40 and in 20.0 % of the test set.
    """
    if not 2 <= cycle <= 100:
        raise ValueError(f"cycle={cycle!r} must be from 2 to 100")

    def tokens(key: PRNGKey, shape: tuple[int, int]) -> Array:
        return jax.random.randint(key, shape, 0, 3)

    def answer(tokens_BT: Array, real_BT: Array) -> Array:
        return jnp.sum((tokens_BT - 1) * real_BT, -1) % cycle

    places = np.arange(cycle)
    following = (places[:, None] + np.array([-1, 0, 1])) % cycle
    return _task(
        name=f"cycle_navigation-{cycle}",
        lengths=(length, test_length, 1),
        sizes=(validation_size, test_size),
        threshold=threshold,
        vocabulary=3,
        classes=cycle,
        tokens=tokens,
        answer=answer,
        latents=lambda tokens_BT: {"place so far": jnp.cumsum(tokens_BT - 1, -1) % cycle},
        automaton=(np.bincount(following[0], minlength=cycle) / 3, following, places),
        written=("-0+", characters_of),
        scaling="The baseline falls to 1/cycle as walks grow; the place must be kept over the whole walk.",
    )


def _apply(total: Array, term: Array, operator: Array, number: Array, modulus: int) -> tuple[Array, Array]:
    """Returns the sum of completed terms and the current product after `operator` (0 +, 1 -, 2 *) and `number`."""
    product = operator == 2
    new_total = jnp.where(product, total, total + term)
    new_term = jnp.where(product, term * number, jnp.where(operator == 1, -number, number))
    return new_total % modulus, new_term % modulus


def _arithmetic_automaton(modulus: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the automaton for `best_constant`. A state is a sum and a product; a step is an operator and a number."""
    totals, terms = (a.ravel() for a in np.mgrid[:modulus, :modulus])
    operators, numbers = (a.ravel() for a in np.mgrid[:3, :modulus])
    new = [np.asarray(a) for a in _apply(totals[:, None], terms[:, None], operators, numbers, modulus)]  # pyright: ignore[reportArgumentType]
    return np.where(totals == 0, 1 / modulus, 0), new[0] * modulus + new[1], (totals + terms) % modulus


def _task(
    *,
    name: str,
    lengths: tuple[int, int, int],
    sizes: tuple[int, int],
    threshold: float,
    vocabulary: int,
    classes: int,
    tokens: Callable[[PRNGKey, tuple[int, int]], Array],
    answer: Callable[[Array, Array], Array],
    automaton: tuple[np.ndarray, np.ndarray, np.ndarray],
    scaling: str,
    written: tuple[Sequence[str], Callable[[str], Sequence[str]]],
    answers: tuple[str, ...] = (),
    latents: Callable[[Array], Arrays] | None = None,
) -> Task:
    """Returns the task.

    Args:
      lengths: `length`, `test_length` and the step between lengths.
      tokens: `(key, [B, T])`, draws a batch.
      answer: `(tokens, real)`, returns the classes.
      automaton: the arguments of `best_constant`; one step of it is `step` tokens.
      written: the text of each token, and the function that splits a text into tokens.
      answers: the names of the classes.
    """
    length, test_length, step = lengths
    test_shortest, test_longest = evaluation_lengths(length, test_length, 1, step)
    check_share("threshold", threshold)

    def maker(shortest: int, longest: int) -> Callable[[PRNGKey, int], Batch]:
        def make(key: PRNGKey, batch_size: int) -> Batch:
            """Returns tokens `inputs [B, T]`, `lengths [B]`, class numbers `targets [B]`."""
            lengths_key, tokens_key = jax.random.split(key)
            lengths_B = sample_lengths(lengths_key, batch_size, shortest, longest, step)
            real_BT = length_mask(lengths_B, longest)
            tokens_BT = jnp.where(real_BT, tokens(tokens_key, (batch_size, longest)), 0)
            return {"inputs": tokens_BT, "lengths": lengths_B, "targets": answer(tokens_BT, real_BT)}

        return make

    longest = longest_up_to(length, 1, step)
    asked = (1 + (n - 1) // step for n in range(test_shortest, test_longest + 1, step))
    share, commonest = best_constant(*automaton, asked)
    return Task(
        name=name,
        data=Generated(maker(1, longest), *sizes, maker(test_shortest, test_longest)),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((longest,), jnp.int32)}, classes, "last", vocabulary),
        loss=class_loss,
        metrics=ACCURACY,
        metric="accuracy",
        threshold=threshold,
        trivial={f"always {commonest}, on test": share},
        length=longest,
        scaling=scaling,
        encode=Tokens(vocabulary, tuple(written[0]), beside=("lengths",), split=written[1]),
        decode=Classes(answers),
        latents=None if latents is None else lambda batch: latents(batch["inputs"]),
    )
