"""ListOps: nested lists of digits under MAX, MIN, MED and SM. The value of a list is a digit.

Nangia and Bowman 2018 (arXiv 1804.06028); the Long Range Arena has long lists, Tay et al. 2020 (arXiv 2011.04006,
code google-research/long-range-arena). Both draw trees as follows. With probability 3/4, and always at depth
`max_depth` (the root's depth is 1), a tree is a digit, uniform over 0 to 9. Otherwise it is one of the four operators,
uniform, with 2 to `max_args` arguments, uniform, which are trees one level deeper. An operator and its closing bracket
are two tokens. A tree is kept if its number of tokens is in range.

We draw from exactly this distribution without rejection, so a batch has a fixed cost inside jit. The length
distribution of every kind of subtree is computed once (`listops_distribution`). The total length is drawn first, then
the length of each argument from left to right, given the remaining tokens of its list. Each step of a scan over
positions writes one token, updates the value, and costs O(T) for an example.

Our sets differ from the published ones in three ways: batches are drawn independently, while the published sets hold no
tree twice; sequences are shorter by default; and we omit the parentheses that the published files print around every
pair. The Long Range Arena's set is `length=1999, min_length=501`. Nangia and Bowman's set has `max_depth=20,
max_args=5` and every length from 4 up.
"""

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gru_research.spec import Spec
from gru_research.types import Array, Batch, PRNGKey

from .base import ACCURACY, Generated, Task, check_share, class_loss
from .input_encoders import Tokens
from .listops_distribution import VALUES, LengthDistribution, length_distribution, value_distribution
from .output_decoders import Classes

TOKENS = (*"0123456789", "[MAX", "[MIN", "[MED", "[SM", "]")
"""The text of each token, in the order of their numbers."""
FIRST_OPERATOR, CLOSE = 10, 14
SHORTEST = 4
RAREST = 1e-6
"""The smallest share of trees whose length may be in range. Single precision can't resolve rarer trees."""


def listops(
    length: int = 100,
    min_length: int = 0,
    max_depth: int = 10,
    max_args: int = 10,
    validation_size: int = 1000,
    test_size: int = 2000,
    threshold: float = 0.9,
) -> Task:
    """Predict the value, 0 to 9, of an expression such as `[MAX 4 [SM 7 5 ] 0 ]`, read token by token (see `TOKENS`).

    SM is the sum modulo 10; MED is the median, rounded down between two digits. An expression has `min_length` to
    `length` tokens (`min_length` 0: a quarter of `length`, as in the Long Range Arena) and is padded at the end with
    token 0. A digit has at most `max_depth` - 1 operators around it; an operator has 2 to `max_args` arguments.

    The threshold of 0.9 is far above published results of recurrent networks in the Long Range Arena: 0.44 for a tanh
    RNN and 0.60 for an LRU (Orvieto et al. 2023, arXiv 2303.06349). The baseline is the exact share of the most
    frequent value.
    """
    min_length = min_length or max(SHORTEST, length // 4)
    _check(length, min_length, max_depth, max_args, threshold)
    odds = length_distribution(length, max_depth, max_args)
    kept = odds.tree[0, min_length:].sum()
    if kept < RAREST:
        raise ValueError(
            f"min_length={min_length!r} is out of reach: with max_depth={max_depth!r} and max_args={max_args!r} fewer "
            f"than one expression in {1 / RAREST:,.0f} has so many tokens; choose a lower one"
        )
    shares = value_distribution(min_length, length, max_depth, max_args)
    sample = _sampler(odds, min_length)

    def make(key: PRNGKey, batch_size: int) -> Batch:
        """Returns tokens `inputs [B, T]`, `lengths [B]`, values `targets [B]`."""
        tokens_BT, lengths_B, values_B = jax.vmap(sample)(jax.random.split(key, batch_size))
        return {"inputs": tokens_BT, "lengths": lengths_B, "targets": values_B}

    return Task(
        name="listops",
        data=Generated(make, validation_size, test_size),
        spec=Spec({"inputs": jax.ShapeDtypeStruct((length,), jnp.int32)}, VALUES, "last", len(TOKENS)),
        loss=class_loss,
        metrics=ACCURACY,
        metric="accuracy",
        threshold=threshold,
        trivial={f"always {shares.argmax()}": float(shares.max())},
        length=length,
        scaling="The baseline is 0.13 at a length of 20 and 0.16 from 100 on; longer expressions nest deeper.",
        encode=Tokens(len(TOKENS), TOKENS, beside=("lengths",), split=tokens_of),
        decode=Classes(),
    )


def tokens_of(text: str) -> list[str]:
    """Returns the tokens of an expression, without parentheses. Brackets need no blanks around them."""
    return re.findall(r"\[\w*|\]|[^\s\[\]()]+", text)


def _check(length: int, min_length: int, max_depth: int, max_args: int, threshold: float) -> None:
    if not SHORTEST <= length <= 4000:
        raise ValueError(f"length={length!r} must be from {SHORTEST} to 4000")
    if not SHORTEST <= min_length <= length:
        raise ValueError(f"min_length={min_length!r} must be 0 (a quarter of length) or from {SHORTEST} to {length}")
    if not 2 <= max_depth <= 40:
        raise ValueError(f"max_depth={max_depth!r} must be from 2 to 40")
    if not 2 <= max_args <= 20:
        raise ValueError(f"max_args={max_args!r} must be from 2 to 20")
    check_share("threshold", threshold)


class _Stack(NamedTuple):
    """The open lists of D levels, outermost first. Level 0 isn't a list; its only argument is the whole expression.

    Attributes:
      level: `[]`, the innermost open level.
      arguments, tokens: `[D]`, the number of arguments and tokens left in each level's list, without its bracket.
      operator: `[D]`, 0 MAX, 1 MIN, 2 MED, 3 SM.
      counts: `[D, 10]`, the counts of its arguments' values.
    """

    level: Array
    arguments: Array
    tokens: Array
    operator: Array
    counts: Array


def _sampler(odds: LengthDistribution, min_length: int) -> Callable[[PRNGKey], tuple[Array, Array, Array]]:
    """Returns `key -> tokens [T], length [], value []`, from the result of `length_distribution`."""
    levels, length = odds.tree.shape[0], odds.tree.shape[1] - 1
    tree_DN, arguments_DAN = (np.asarray(a, np.float32) for a in odds)
    sizes_N = np.arange(length + 1)

    def draw_argument(stack: _Stack, draws: Array) -> tuple[Array, Array]:
        """Returns the number of tokens of the next argument, and its number of arguments if it is a list."""
        here, tokens = stack.level, stack.tokens[stack.level]
        # The later arguments must fit the remaining tokens.
        left_N = tokens - sizes_N
        behind = jnp.maximum(stack.arguments[here] - 1, 0)
        behind_N = jnp.asarray(arguments_DAN)[here, behind, jnp.maximum(left_N, 0)]
        size = _categorical(draws[:2], jnp.where(left_N >= 0, jnp.asarray(tree_DN)[here] * behind_N, 0))
        inner_A = jnp.asarray(arguments_DAN)[jnp.minimum(here + 1, levels - 1), 2:, jnp.maximum(size - 2, 0)]
        return size, 2 + _categorical(draws[2:4], inner_A)

    def write(stack: _Stack, draws: Array) -> tuple[_Stack, Array]:
        """Returns the next stack and one token. `draws [5]` are uniform in [0, 1)."""
        here = stack.level
        full = stack.arguments[here] == 0
        done, closing = full & (here == 0), full & (here > 0)
        size, arguments = draw_argument(stack, draws)
        size = jnp.where(full, 0, size)
        opening = size > 1
        operator, digit = (draws[4] * 4).astype(jnp.int32), (draws[4] * VALUES).astype(jnp.int32)
        value = jnp.where(closing, _value(stack.counts[here], stack.operator[here]), digit)

        level_D = jnp.arange(levels)
        here_D, opened_D = level_D == here, opening & (level_D == here + 1)
        # A digit is added to its list; the value of a closing list is added to the list around it.
        receives_D = ~opening & ~done & (level_D == here - closing)
        counts_DV = jnp.where(opened_D[:, None], 0, stack.counts)
        behind = _Stack(
            level=here + opening - closing,
            arguments=jnp.where(opened_D, arguments, stack.arguments - (here_D & ~full)),
            tokens=jnp.where(opened_D, size - 2, stack.tokens - here_D * size),
            operator=jnp.where(opened_D, operator, stack.operator),
            counts=counts_DV + (receives_D[:, None] & (jnp.arange(VALUES) == value)),
        )
        token = jnp.where(closing, CLOSE, jnp.where(opening, FIRST_OPERATOR + operator, digit))
        return behind, jnp.where(done, 0, token)

    def sample(key: PRNGKey) -> tuple[Array, Array, Array]:
        length_key, draws_key = jax.random.split(key)
        total = _categorical(jax.random.uniform(length_key, (2,)), jnp.where(sizes_N >= min_length, tree_DN[0], 0))
        zeros_D = jnp.zeros(levels, jnp.int32)
        empty = _Stack(
            level=jnp.zeros((), jnp.int32),
            arguments=zeros_D.at[0].set(1),
            tokens=zeros_D.at[0].set(total),
            operator=zeros_D,
            counts=jnp.zeros((levels, VALUES), jnp.int32),
        )
        end, tokens_T = lax.scan(write, empty, jax.random.uniform(draws_key, (length, 5)))
        return tokens_T, total, jnp.argmax(end.counts[0]).astype(jnp.int32)

    return sample


def _categorical(uniforms: Array, weights: Array) -> Array:
    """Returns an index with probability proportional to `weights [N]`; `uniforms [2]` are in [0, 1).

    A block of about sqrt(N) indices is drawn first, then an index in it. A cumulative sum over all N costs far more.
    """
    side = math.isqrt(weights.shape[0] - 1) + 1
    weights_RK = jnp.pad(weights, (0, side * side - weights.shape[0])).reshape(side, side)
    row = _inverse(uniforms[0], weights_RK.sum(1))
    return row * side + _inverse(uniforms[1], weights_RK[row])


def _inverse(uniform: Array, weights: Array) -> Array:
    """Returns the first index whose cumulative share of `weights [N]` exceeds `uniform []`."""
    cumulative = jnp.cumsum(weights)
    # Parallel sums aren't always monotonic. The chosen index always has a positive weight: the uniform is far enough
    # below 1 that its product with the largest sum is less than that sum.
    reached = jnp.where(weights > 0, cumulative, -1)
    return jnp.argmax(reached > uniform * reached.max()).astype(jnp.int32)


def _value(counts: Array, operator: Array) -> Array:
    """Returns the value of a list from the count of each digit, `counts [10]`."""
    number = counts.sum()
    until = jnp.cumsum(counts)
    # The n-th smallest value, from 0, is the number of digits whose cumulative count is at most n.
    low, high = jnp.sum(until <= (number - 1) // 2), jnp.sum(until <= number // 2)
    maximum, minimum = jnp.sum(until < number), jnp.sum(until <= 0)
    total = jnp.sum(counts * jnp.arange(VALUES)) % VALUES
    return jnp.stack([maximum, minimum, (low + high) // 2, total])[operator].astype(jnp.int32)
