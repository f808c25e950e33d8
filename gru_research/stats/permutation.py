"""The exact permutation test of two cells over paired seeds."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.seed_values import pairs


@dataclasses.dataclass(frozen=True)
class PermutationTest:
    """A two-sided permutation test of two cells, x and y.

    Attributes:
      effect: the statistic, above 0 if x is better. Each test states its unit.
      p: the share of relabellings whose effect is at least as far from 0.
      smallest_p: the smallest p possible with this number of seeds, for any difference. Ties may raise it.
      exact: whether all relabellings were counted, not a random sample.
      ties: the number of pairs without a difference; None if seeds aren't paired.
    """

    effect: float
    p: float
    smallest_p: float
    exact: bool = True
    ties: int | None = None


def paired_permutation_test(x: ArrayLike, y: ArrayLike) -> PermutationTest:
    """Tests x against y over paired seeds: the exact two-sided sign-flip test of signed ranks (Wilcoxon 1945).

    If the cells are equal, x and y of a seed are exchangeable, so all 2**n sign patterns are equally likely. The
    statistic is T = sum of sign(d) rank(|d|) over the differences d, with mid-ranks for ties. Pairs without a
    difference are ranked first and then left out (Pratt 1959). Ranks are well defined for infinite values: a seed that
    failed in one cell only has the largest difference, a seed that failed in both (inf - inf) has none. p is the share
    of patterns with |T| at least as large. The distribution of T is the convolution of its terms, so p is exact for any
    n (n = 1000 takes about a second).

    p is therefore at least 2 / 2**n: with 5 seeds, 0.0625. With `ties` pairs without a difference, it is at least
    2 / 2**(n - ties).

    Differences are ranked, so another scale of the metric, such as its logarithm, may give other ranks. Choose the
    scale before looking at the results.

    Args:
      x, y: [S], scores of the same seeds in the same order; higher is better (`as_scores`).

    Returns:
      `effect` is T divided by its largest possible value: the matched-pairs rank-biserial correlation in [-1, 1]
      (Kerby 2014). It is 0 if no pair differs.

    Raises:
      ValueError: no seeds, NaN, or different numbers of seeds in x and y.
    """
    ranks = signed_ranks(*pairs(x, y))
    # Mid-ranks are multiples of 1/2. Doubled, they are integers, which compare exactly.
    doubled = np.rint(2 * ranks).astype(np.int64)
    terms = np.abs(doubled[doubled != 0])
    total = int(terms.sum())
    null = np.zeros(total + 1)  # the distribution of the sum of the positive terms
    null[0] = 1.0
    for term in terms:
        null[term:] = (null[term:] + null[:-term]) / 2
        null[:term] /= 2
    observed = abs(int(doubled.sum()))
    p = float(null[np.abs(2 * np.arange(total + 1) - total) >= observed].sum())
    return PermutationTest(
        effect=float(doubled.sum() / total) if total else 0.0,
        p=min(p, 1.0),
        smallest_p=2.0 ** (1 - ranks.size),
        ties=ranks.size - terms.size,
    )


def signed_ranks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns sign(d) rank(|d|) for d = x - y, with mid-ranks from 1, and 0 where x = y: [S]."""
    distances, signs = differences(x, y)
    _, group, counts = np.unique(distances, return_inverse=True, return_counts=True)
    return signs * midranks(counts)[group]


def differences(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns |x - y| and sign(x - y), both 0 for equal infinities: [S], [S]."""
    # Equal values keep the initial 0. For equal infinities the subtraction would give NaN.
    found = np.subtract(x, y, out=np.zeros_like(x), where=x != y)
    return np.abs(found), np.sign(found)


def midranks(counts: np.ndarray) -> np.ndarray:
    """Returns the mid-rank of each group of ties, from the sizes [..., G] of the groups in ascending order of value."""
    return np.cumsum(counts, axis=-1) - (counts - 1) / 2
