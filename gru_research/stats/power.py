"""How many seeds a claim would have needed, guessed from the seeds that there are."""

import math

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.multiple_tests import check_level, seeds_needed_for_level
from gru_research.stats.permutation import differences, midranks
from gru_research.stats.seed_values import pairs

# Up to so many seeds all patterns of signs, but for opposites, are counted: 1,024.
_MOST_COUNTED = 11
# Random patterns are at least 1 / level, and memory is as many times resamples.
_SMALLEST_LEVEL = 1e-4


def expected_power(
    x: ArrayLike, y: ArrayLike, seeds: int, level: float = 0.05, resamples: int = 1000, seed: int = 0
) -> float:
    """The chance that `seeds` new seeds would show "x better than y", if they were like those observed.

    The share of `resamples` samples of `seeds` pairs, drawn with replacement from the observed pairs, whose
    `paired_permutation_test` has p <= level and an effect above 0: the bootstrap estimate of the power of a rank
    test (Collings and Hamilton 1988). p counts all patterns of signs up to 11 seeds; beyond, m random ones, the
    same for all samples, as (k + 1) / (m + 1), where m is 1,024, and more for small levels. The standard error of
    the share is at most 0.5 / sqrt(resamples), of sampling alone.

    Its limits: the observed pairs stand for the population. The observed effect of a few seeds is as likely too
    large as too small, and a comparison that is looked at because it seems large is too large more often than
    not, so the power is optimistic; pairs that all favour x can't know that others wouldn't. Use it to plan the
    next experiment, never to explain this one: power at the observed effect is the p-value in other words
    (Hoenig and Heisey 2001).

    Args:
      x, y: [S], scores of the same seeds in the same order, more is better (`as_scores`).
      seeds: of the experiment to come, at least 1.
      level: at least 0.0001; for one of m comparisons with Holm's correction level / m is on the safe side.

    Raises:
      ValueError: no seeds, NaN, another number of seeds in x than in y, or an option out of range.
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
    # Ranks are multiples of one half, so that sums are exact and equal ones compare as equal.
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
    """The fewest paired seeds with which "x better than y" has the chance `power` to be shown; None: more than `most`.

    Found by bisection over `expected_power`, whose limits are its own; above all it is optimistic. Never below
    `seeds_needed_for_level`, which is the answer where all observed pairs favour x, were there but one of them.
    None where the observed pairs favour y or none differs.

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
    """`signed_ranks` of resamples of `seeds` of the observed pairs: [R, seeds]."""
    distances, signs = differences(x, y)
    _, group = np.unique(distances, return_inverse=True)
    groups = int(group.max()) + 1
    drawn = rng.integers(x.size, size=(resamples, seeds))
    # Pairs drawn twice tie, so ranks follow from how often each size of difference was drawn.
    cells = group[drawn] + groups * np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=groups * resamples).reshape(resamples, groups)
    return signs[drawn] * np.take_along_axis(midranks(counts), group[drawn], axis=1)


def _signs(seeds: int, level: float, rng: np.random.Generator) -> np.ndarray:
    """Patterns of signs as float64 [seeds, P]: up to opposites all of them, or random ones."""
    if seeds > _MOST_COUNTED:
        # Ten of them below the level keep p from being coarse; more than 4,096 only where it couldn't be reached.
        patterns = max(1024, min(math.ceil(10 / level), 4096), math.ceil(1 / level))
        return rng.choice([-1.0, 1.0], size=(seeds, patterns))
    # The bits of 0, 1, 2, ...: the last sign stays, as the opposite pattern is as far from 0.
    bits = np.arange(2 ** (seeds - 1)) >> np.arange(seeds)[:, None] & 1
    return 1.0 - 2.0 * bits
