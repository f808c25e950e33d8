"""What tests of several comparisons together allow to claim, and how many seeds it takes to claim anything."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.permutation import PermutationTest

Answer = Literal["better", "worse", "not shown", "too few seeds"]


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's adjusted p-values (Holm 1979): reject those at or below a level, and the chance of any false rejection
    among all is at most that level, however the tests depend on each other.

    With p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    Args:
      p_values: [M], M may be 0.

    Returns:
      [M], in the order given.

    Raises:
      ValueError: more than one axis, or a value outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values must be one axis; got the shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values={p.tolist()} must be from 0 to 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(p.size, 0, -1) * p[order]), 1.0)
    return adjusted


def seeds_needed_for_level(level: float = 0.05, tests: int = 1) -> int:
    """The fewest paired seeds with which `paired_permutation_test` can reject at all, after Holm's correction.

    The smallest n with tests * 2 / 2**n <= level: 6 for one test at 0.05, 7 for two or three.
    It says what is possible, not what is likely: for that see `seeds_needed`.

    Raises:
      ValueError: `level` isn't above 0 and below 1, or `tests` below 1.
    """
    check_level(level)
    if tests < 1:
        raise ValueError(f"tests={tests!r} must be at least 1")
    seeds = 1
    while tests * 2.0 ** (1 - seeds) > level:
        seeds += 1
    return seeds


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one of several tests allows to claim of x against y.

    Attributes:
      answer: "better" or "worse" where the adjusted p is at or below the level; "too few seeds" where no
        result whatever of so many seeds could have been; else "not shown", which isn't "equal".
      adjusted_p: Holm's, over all tests.
      smallest_p: the smallest adjusted p that so many seeds, in so many tests, can give.
    """

    answer: Answer
    adjusted_p: float
    smallest_p: float


def verdicts(tests: Sequence[PermutationTest], level: float = 0.05) -> list[Verdict]:
    """The verdicts of `tests` together, with Holm's correction over all of them, in their order.

    Raises:
      ValueError: `level` isn't above 0 and below 1.
    """
    check_level(level)
    adjusted = holm([test.p for test in tests])
    # Holm's adjusted p-values never fall where a p-value rises: this is the least that they can be.
    smallest = holm([test.smallest_p for test in tests])
    return [
        Verdict(_answer(test.effect, float(p), float(least), level), float(p), float(least))
        for test, p, least in zip(tests, adjusted, smallest, strict=True)
    ]


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} must be above 0 and below 1")


def _answer(effect: float, adjusted_p: float, smallest_p: float, level: float) -> Answer:
    if smallest_p > level:
        return "too few seeds"
    if adjusted_p > level:
        return "not shown"
    return "better" if effect > 0 else "worse"
