"""Sequences shorter and longer than those of training: which lengths are allowed, and how one is drawn."""

import jax

from gru_research.types import Array, PRNGKey


def evaluation_lengths(length: int, test_length: int, shortest: int, step: int = 1) -> tuple[int, int]:
    """The shortest and the longest sequence of the test set, for training on lengths up to `length`.

    Lengths are `shortest`, `shortest + step`, ...; the test set has all those above `length` and up to `test_length`.
    A `test_length` of 0 stands for training's own lengths.

    Raises:
      ValueError: a `length` below `shortest + step`, or a `test_length` that leaves no length.
    """
    if length < shortest + step:
        raise ValueError(f"length={length!r} must be at least {shortest + step}")
    longest = longest_up_to(length, shortest, step)
    if test_length == 0:
        return shortest, longest
    if test_length < longest + step:
        raise ValueError(f"test_length={test_length!r} must be 0 (as in training) or at least {longest + step}")
    return longest + step, longest_up_to(test_length, shortest, step)


def longest_up_to(length: int, shortest: int, step: int = 1) -> int:
    """The longest of `shortest`, `shortest + step`, ... that isn't above `length`."""
    return shortest + (length - shortest) // step * step


def sample_lengths(key: PRNGKey, batch_size: int, shortest: int, longest: int, step: int = 1) -> Array:
    """`[B]` lengths, each of `shortest`, `shortest + step`, ..., `longest` as likely as the others."""
    return shortest + step * jax.random.randint(key, (batch_size,), 0, (longest - shortest) // step + 1)
