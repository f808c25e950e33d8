"""BLEU of a corpus from what it counts in each sentence, and a paired bootstrap over sentences.

Papineni et al., ACL 2002; Koehn, EMNLP 2004. Scores are those of sacrebleu (Post 2018, arXiv 1804.08771), and so is the
test, except that resamples are drawn by counts.
"""

import dataclasses

import numpy as np

from gru_research.stats import bootstrap

ORDERS = 4
COUNTS = 2 + 2 * ORDERS
"""Numbers counted in a sentence: words given, words wanted, right 1- to 4-grams, given 1- to 4-grams."""


def corpus_bleu(sums: np.ndarray) -> np.ndarray:
    """Returns BLEU, 0 to 100, `[...]` from sums of counts `[..., 10]`.

    Where no n-gram of an order is right, half an n-gram counts as right for the first such order, a quarter for the
    next, and so on (sacrebleu's "exp" smoothing). A corpus that is too short for 4-grams has 0.
    """
    sums = np.asarray(sums, np.float64)
    given, wanted = sums[..., 0], sums[..., 1]
    right, total = sums[..., 2 : 2 + ORDERS], sums[..., 2 + ORDERS :]
    logs, halvings = np.zeros(sums.shape[:-1]), np.zeros(sums.shape[:-1])
    for n in range(ORDERS):
        none = (right[..., n] == 0) & (total[..., n] > 0)
        halvings = halvings + none
        share = np.where(none, 0.5**halvings, right[..., n]) / np.maximum(total[..., n], 1)
        with np.errstate(divide="ignore"):
            logs = logs + np.log(share)
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.where(given < wanted, np.exp(1 - wanted / given), 1.0)
    # Without one right word there is no translation, which smoothing doesn't change.
    return np.where((right[..., 0] > 0) & (total > 0).all(-1), 100 * brevity * np.exp(logs / ORDERS), 0.0)


@dataclasses.dataclass(frozen=True)
class PairedBleu:
    """Two systems on the same sentences.

    Attributes:
      x, y: their BLEU.
      difference: x - y with the ends of its percentile interval over resampled sentences.
      p: how probable a difference this large is if sentences alone make it, by the resampled differences.
    """

    x: float
    y: float
    difference: bootstrap.Estimate
    p: float


def paired_bleu(
    x: np.ndarray, y: np.ndarray, confidence: float = 0.95, resamples: int = bootstrap.RESAMPLES, seed: int = 0
) -> PairedBleu:
    """Compares two systems by a bootstrap over sentences: each resample holds the same sentences of both.

    It says how far the sentences of the test set decide the comparison. Another training seed is another system, which
    it says nothing of.

    Args:
      x, y: counts `[N, 10]` of the same N sentences.

    Raises:
      ValueError: other shapes, no sentences, or an option out of range.
    """
    bootstrap.check_options(confidence, resamples)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] != COUNTS or not len(x):
        raise ValueError(f"x {x.shape} and y {y.shape} must be counts [N, {COUNTS}] of the same sentences")
    drawn = bootstrap.resample_counts(len(x), resamples, np.random.default_rng(seed))
    resampled = corpus_bleu(drawn @ x) - corpus_bleu(drawn @ y)
    one, other = (float(corpus_bleu(counts.sum(0))) for counts in (x, y))
    centred = np.abs(resampled) - np.abs(resampled).mean()
    p = (np.sum(centred > abs(one - other)) + 1) / (resamples + 1)
    return PairedBleu(one, other, bootstrap.Estimate(one - other, *bootstrap.interval(resampled, confidence)), float(p))
