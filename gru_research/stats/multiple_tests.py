"""Verdicts of several tests with Holm's correction, and the fewest seeds that any claim needs."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.permutation import PermutationTest

Answer = Literal["better", "worse", "not shown", "too few seeds"]


def holm(p_values: ArrayLike) -> np.ndarray:
    """Returns Holm's adjusted p-values (Holm 1979).

    If all tests with an adjusted p at or below a level are rejected, the probability of any false rejection is at most
    that level, for any dependence between the tests.

    With p_(1) <= ... <= p_(m): adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)).

    Args:
      p_values: [M]; M may be 0.

    Returns:
      [M], in the given order.

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
    """Returns the fewest paired seeds with which `paired_permutation_test` can reject, after Holm's correction.

    It is the smallest n with tests * 2 / 2**n <= level: 6 for one test at 0.05, 7 for two or three tests. A rejection
    is then possible, not likely; `seeds_needed` estimates when it is likely.

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
    """The verdict of one of several tests on x against y.

    Attributes:
      answer: "better" or "worse" if the adjusted p is at or below the level; "too few seeds" if no result of this
        number of seeds could reach the level; otherwise "not shown", which doesn't mean "equal".
      adjusted_p: Holm's adjusted p, over all tests.
      smallest_p: the smallest adjusted p possible with these numbers of seeds and tests.
    """

    answer: Answer
    adjusted_p: float
    smallest_p: float


def verdicts(tests: Sequence[PermutationTest], level: float = 0.05) -> list[Verdict]:
    """Returns the verdicts of `tests` in their order, with Holm's correction over all of them.

    Raises:
      ValueError: `level` isn't above 0 and below 1.
    """
    check_level(level)
    adjusted = holm([test.p for test in tests])
    # Holm's adjusted p-values increase with the p-values, so the smallest p-values give lower bounds.
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
