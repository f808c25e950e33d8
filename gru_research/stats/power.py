"""Estimates from the observed seeds how many seeds a claim would need."""

import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.multiple_tests import check_level, seeds_needed_for_level
from gru_research.stats.permutation import differences, midranks
from gru_research.stats.seed_values import pairs

# The most seeds for which all sign patterns are counted. 11 seeds have 1,024, without opposites.
_MOST_COUNTED = 11
# There are at least 1 / level random patterns, and memory grows with their number times resamples.
_SMALLEST_LEVEL = 1e-4


def expected_power(
    x: ArrayLike, y: ArrayLike, seeds: int, level: float = 0.05, resamples: int = 1000, seed: int = 0
) -> float:
    """Returns the probability that `seeds` new seeds, distributed like the observed ones, show "x better than y".

    It draws `resamples` samples of `seeds` pairs with replacement from the observed pairs. The result is the share of
    samples whose `paired_permutation_test` has p <= level and an effect above 0: the bootstrap estimate of the power
    of a rank test (Collings and Hamilton 1988). Up to 11 seeds, p counts all sign patterns. With more seeds it uses m
    random patterns, the same for all samples, as (k + 1) / (m + 1); m is 1,024, or more for small levels. The standard
    error of the share from resampling is at most 0.5 / sqrt(resamples).

    The observed pairs represent the population, which limits the estimate. The effect observed on a few seeds is as
    likely too large as too small. A comparison chosen because its effect looks large is usually overestimated, so the
    power is optimistic. If all observed pairs favour x, so do all samples. Use the power to plan the next experiment,
    never to explain this one: power at the observed effect only restates the p-value (Hoenig and Heisey 2001).

    Args:
      x, y: [S], scores of the same seeds in the same order; higher is better (`as_scores`).
      seeds: the number of seeds of the next experiment, at least 1.
      level: at least 0.0001. For one of m comparisons with Holm's correction, level / m is conservative.

    Raises:
      ValueError: no seeds, NaN, different numbers of seeds in x and y, or an option out of range.
    """
    first, second = pairs(x, y)
    check_level(level)
    if level < _SMALLEST_LEVEL:
        raise ValueError(f"level={level!r} must be at least {_SMALLEST_LEVEL}")
    if seeds < 1:
        raise ValueError(f"seeds={seeds!r} must be at least 1")
    if resamples < 1:
        raise ValueError(f"resamples={resamples!r} must be at least 1")
    rng = np.random.default_rng(seed)
    ranks = _resampled_signed_ranks(first, second, seeds, resamples, rng)
    sums = ranks.sum(axis=1)
    # Ranks are multiples of 1/2, so sums are exact and equal sums compare as equal.
    flipped = np.abs(np.abs(ranks) @ _signs(seeds, level, rng))
    as_far = (flipped >= np.abs(sums)[:, None]).sum(axis=1)
    added = seeds > _MOST_COUNTED
    p = (as_far + added) / (flipped.shape[1] + added)
    return float(((p <= level) & (sums > 0)).mean())


def seeds_needed(
    x: ArrayLike,
    y: ArrayLike,
    power: float = 0.8,
    level: float = 0.05,
    most: int = 200,
    resamples: int = 1000,
    seed: int = 0,
) -> int | None:
    """Returns the fewest paired seeds that show "x better than y" with probability `power`; None: more than `most`.

    It bisects over `expected_power` and shares its limits: above all, it is optimistic. The result is at least
    `seeds_needed_for_level`, and equal to it if all observed pairs favour x, even a single one. It is None if the
    observed pairs favour y or none differs.

    Raises:
      ValueError: as `expected_power`; `power` isn't above 0 and below 1, or `most` below 1.
    """
    first, second = pairs(x, y)
    if not 0 < power < 1:
        raise ValueError(f"power={power!r} must be above 0 and below 1")
    if most < 1:
        raise ValueError(f"most={most!r} must be at least 1")

    def enough(seeds: int) -> bool:
        return expected_power(first, second, seeds, level, resamples, seed) >= power

    low, high = seeds_needed_for_level(level), most
    if low > high or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _resampled_signed_ranks(
    x: np.ndarray, y: np.ndarray, seeds: int, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Returns `signed_ranks` of resamples of `seeds` observed pairs: [R, seeds]."""
    distances, signs = differences(x, y)
    _, group = np.unique(distances, return_inverse=True)
    groups = int(group.max()) + 1
    drawn = rng.integers(x.size, size=(resamples, seeds))
    # Pairs drawn twice tie, so ranks follow from the number of draws of each distinct |difference|.
    cells = group[drawn] + groups * np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=groups * resamples).reshape(resamples, groups)
    return signs[drawn] * np.take_along_axis(midranks(counts), group[drawn], axis=1)


def _signs(seeds: int, level: float, rng: np.random.Generator) -> np.ndarray:
    """Returns sign patterns as float64 [seeds, P]: all of them without opposites, or random ones for many seeds."""
    if seeds > _MOST_COUNTED:
        # About 10 / level patterns resolve p well. More than 4,096 are used only if the level couldn't be reached.
        patterns = max(1024, min(math.ceil(10 / level), 4096), math.ceil(1 / level))
        return rng.choice([-1.0, 1.0], size=(seeds, patterns))
    # The bits of 0, 1, 2, ... The last sign is fixed, as the opposite pattern gives the same distance from 0.
    bits = np.arange(2 ** (seeds - 1)) >> np.arange(seeds)[:, None] & 1
    return 1.0 - 2.0 * bits
