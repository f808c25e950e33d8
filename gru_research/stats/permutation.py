"""The exact test of paired seeds: could the difference be the luck of which cell got which run?"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from gru_research.stats.seed_values import pairs


@dataclasses.dataclass(frozen=True)
class PermutationTest:
    """A two-sided permutation test of two cells, x and y.

    Attributes:
      effect: the statistic; above 0 where x is the better, in the unit that the test states.
      p: how often a random relabelling gives an effect at least as far from 0.
      smallest_p: the smallest p that so many seeds can give, however large the difference. Ties may raise it.
      exact: all relabellings were counted; else a random sample of them.
      ties: how many pairs don't differ, which say nothing; None where seeds aren't paired.
    """

    effect: float
    p: float
    smallest_p: float
    exact: bool = True
    ties: int | None = None


def paired_permutation_test(x: ArrayLike, y: ArrayLike) -> PermutationTest:
    """The sign-flip test of the signed ranks of x - y over paired seeds, two-sided and exact (Wilcoxon 1945).

    Where the cells are equal, x and y of a seed could as well be exchanged: all 2**n patterns of signs are equally
    likely. The statistic is T = sum of sign(d) rank(|d|) of the differences d, with mid-ranks for ties; pairs
    without a difference are ranked first and then left out (Pratt 1959). Ranks are what infinite values leave
    well defined: a seed that failed in one cell alone is the largest difference, in both cells (inf - inf) none.
    p is the share of patterns with |T| as large or larger; the distribution of T is the convolution of its terms,
    so that nothing is sampled, at any n (n = 1000 takes about a second).

    So p is never below 2 / 2**n: 5 seeds can't go below 0.0625. With `ties` pairs that don't differ,
    the smallest is 2 / 2**(n - ties).

    The ranks are of differences: another scale of the metric, such as its logarithm, ranks them otherwise. Choose
    the scale before looking.

    Args:
      x, y: [S], scores of the same seeds in the same order, more is better (`as_scores`).

    Returns:
      `effect` is T over its largest possible value, the matched-pairs rank-biserial correlation in [-1, 1]
      (Kerby 2014); 0 where no pair differs.

    Raises:
      ValueError: no seeds, NaN, or another number of seeds in x than in y.
    """
    ranks = signed_ranks(*pairs(x, y))
    # Mid-ranks are multiples of one half: twice them are integers, which compare exactly.
    doubled = np.rint(2 * ranks).astype(np.int64)
    terms = np.abs(doubled[doubled != 0])
    total = int(terms.sum())
    null = np.zeros(total + 1)  # of the sum of the positive terms
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
    """sign(d) rank(|d|) of d = x - y, mid-ranks from 1, 0 where x = y: [S]."""
    distances, signs = differences(x, y)
    _, group, counts = np.unique(distances, return_inverse=True, return_counts=True)
    return signs * midranks(counts)[group]


def differences(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|x - y| and sign(x - y), 0 for two equal infinities too: [S], [S]."""
    # Equal infinite values leave the 0 that stands there; their difference would be NaN.
    found = np.subtract(x, y, out=np.zeros_like(x), where=x != y)
    return np.abs(found), np.sign(found)


def midranks(counts: np.ndarray) -> np.ndarray:
    """The mid-rank of each group of tied values, from the groups' sizes [..., G] in ascending order."""
    return np.cumsum(counts, axis=-1) - (counts - 1) / 2
