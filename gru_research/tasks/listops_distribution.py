"""The distributions of the lengths and the values of ListOps trees.

Levels count from 0; a tree at a level has depth level + 1. At level `max_depth` - 1 it is a digit. At a lower level it
is a digit with probability 3/4, else an operator with 2 to `max_args` trees of the next level.
"""

import math
from typing import NamedTuple

import numpy as np

DIGIT = 0.75
VALUES = 10


class LengthDistribution(NamedTuple):
    """Probabilities of lengths in tokens at D levels.

    Attributes:
      tree: `[D, N + 1]`, for one tree.
      arguments: `[D, A + 1, N + 1]`, for 0 to A trees together.
    """

    tree: np.ndarray
    arguments: np.ndarray


def length_distribution(length: int, max_depth: int, max_args: int) -> LengthDistribution:
    """Returns the probabilities of all lengths from 0 to `length`."""
    tree = np.zeros((max_depth, length + 1))
    arguments = np.zeros((max_depth, max_args + 1, length + 1))
    tree[:-1, 1], tree[-1, 1] = DIGIT, 1
    for level in reversed(range(max_depth)):
        if level < max_depth - 1:
            tree[level, 2:] += (1 - DIGIT) * arguments[level + 1, 2:, :-2].mean(0)
        arguments[level, 0, 0] = 1
        for number in range(1, max_args + 1):
            arguments[level, number] = np.convolve(arguments[level, number - 1], tree[level])[: length + 1]
    return LengthDistribution(tree, arguments)


def value_distribution(min_length: int, length: int, max_depth: int, max_args: int) -> np.ndarray:
    """Returns `[10]`, the share of each value among trees of `min_length` to `length` tokens.

    A tree of n tokens has the weight z^n. The weights of its values follow from the weights of the next level. At
    points z on a circle, the weights are a Fourier transform over lengths. The circle's radius is slightly below 1 to
    suppress lengths beyond the transform's: the error is below 1e-10 of all trees.
    """
    points = 1 << (4 * (int(length) + 1) - 1).bit_length()
    radius = 10 ** (-12 / points)
    z = radius * np.exp(-2j * np.pi * np.arange(points // 2 + 1) / points)
    digits = np.full((VALUES, 1), 1 / VALUES) * z
    values = digits
    for _ in range(max_depth - 1):
        lists = np.mean([_list_values(values, number) for number in range(2, max_args + 1)], 0)
        values = DIGIT * digits + (1 - DIGIT) * z**2 * lists
    of_length = np.fft.irfft(values, points)[:, : length + 1] / radius ** np.arange(length + 1)
    shares = of_length[:, min_length:].sum(1)
    return shares / shares.sum()


def _list_values(values: np.ndarray, number: int) -> np.ndarray:
    """Returns weights `[10, Z]` of the values of an operator, a mean over the four, on `number` trees `[10, Z]`."""
    at_most = np.cumsum(values, 0)
    at_least = np.cumsum(values[::-1], 0)[::-1]
    maximum = np.diff(at_most**number, axis=0, prepend=0)
    minimum = -np.diff(at_least**number, axis=0, append=0)
    # A sum modulo 10: the characters of the cyclic group multiply.
    total = np.fft.ifft(np.fft.fft(values, axis=0) ** number, axis=0)
    return (maximum + minimum + total + _median(at_most, at_least, number)) / 4


def _median(at_most: np.ndarray, at_least: np.ndarray, number: int) -> np.ndarray:
    """Returns weights of the median, rounded down. `at_most, at_least [10, Z]` are one tree's cumulative weights."""
    half = (number + 1) // 2
    more = at_most[-1] - at_most
    # The half-th smallest is at most v if at least `half` are.
    orders = sum(math.comb(number, n) * at_most**n * more ** (number - n) for n in range(half, number + 1))
    lower = np.diff(orders, axis=0, prepend=0)
    if number % 2:
        return lower
    # An even number of trees has two middle values. They are a < b if half of the values are at most a, including an a,
    # and half are at least b, including a b.
    low = np.diff(at_most**half, axis=0, prepend=0)
    high = -np.diff(at_least**half, axis=0, append=0) * math.comb(number, half)
    median = np.zeros_like(lower)
    for a in range(VALUES):
        equal = lower[a].copy()
        for b in range(a + 1, VALUES):
            median[(a + b) // 2] += low[a] * high[b]
            equal -= low[a] * high[b]
        median[a] += equal
    return median
