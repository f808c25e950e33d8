"""Lengths of training and test sequences for length generalisation."""

import jax

from gru_research.types import Array, PRNGKey


def evaluation_lengths(length: int, test_length: int, shortest: int, step: int = 1) -> tuple[int, int]:
    """Returns the shortest and the longest length of the test set, for training on lengths up to `length`.

    Lengths are `shortest`, `shortest + step`, ...; the test set has all lengths above `length` and up to `test_length`.
    A `test_length` of 0 means the training lengths.

    Raises:
      ValueError: `length` is below `shortest + step`, or `test_length` leaves no length.
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
    """Returns the longest of `shortest`, `shortest + step`, ... that isn't above `length`."""
    return shortest + (length - shortest) // step * step


def sample_lengths(key: PRNGKey, batch_size: int, shortest: int, longest: int, step: int = 1) -> Array:
    """Returns lengths `[B]`, uniform over `shortest`, `shortest + step`, ..., `longest`."""
    return shortest + step * jax.random.randint(key, (batch_size,), 0, (longest - shortest) // step + 1)
