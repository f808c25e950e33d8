"""Naive Bayes on the words and pairs of words of a text: the answer that a network must beat."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from scipy import sparse

Texts = Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class NaiveBayes:
    """The multinomial model (McCallum and Nigam 1998) of which words and pairs of adjacent words a text has, not how
    often (Wang and Manning, ACL 2012, do the same). Words and pairs that training lacks are left out.

    Attributes:
      numbers: the number of each word and pair of training.
      counts: `[G, C]`, in how many texts of each class each word and pair is.
      texts: `[C]`, the number of texts of each class.
    """

    numbers: dict[tuple[str, ...], int]
    counts: np.ndarray
    texts: np.ndarray

    @classmethod
    def of(cls, texts: Texts, members: np.ndarray) -> "NaiveBayes":
        """Counts in N texts, of which `members [N, C]` says which belong to each class."""
        numbers: dict[tuple[str, ...], int] = {}
        found = [[numbers.setdefault(gram, len(numbers)) for gram in _grams(text)] for text in texts]
        members = members.astype(np.float64)
        return cls(numbers, np.asarray(_matrix(found, len(numbers)).T @ members), members.sum(0))

    def scores(self, texts: Texts, smoothing: float = 1.0) -> np.ndarray:
        """Returns the log joint probability `[N, C]` of each text with each class, up to one constant. `smoothing` is
        added to each count."""
        likelihood = np.log(self.counts + smoothing) - np.log((self.counts + smoothing).sum(0))
        found = [[self.numbers[gram] for gram in _grams(text) if gram in self.numbers] for text in texts]
        with np.errstate(divide="ignore"):  # a class may have no text
            return np.log(self.texts) + np.asarray(_matrix(found, len(self.numbers)) @ likelihood)


def best_class(train: Texts, classes: np.ndarray, asked: Texts, count: int) -> np.ndarray:
    """Returns the most probable of `count` classes `[M]` of each text `asked`, from N texts of `classes [N]`."""
    return NaiveBayes.of(train, np.eye(count)[classes]).scores(asked).argmax(1)


@dataclasses.dataclass(frozen=True)
class LabelBayes:
    """A model of two classes for each label: the texts with the label, and those without it."""

    both: NaiveBayes

    @classmethod
    def of(cls, texts: Texts, labels: np.ndarray) -> "LabelBayes":
        """Counts in N texts with `labels [N, C]`."""
        having = labels.astype(bool)
        return cls(NaiveBayes.of(texts, np.concatenate([having, ~having], 1)))

    def likely(self, texts: Texts, smoothing: float) -> np.ndarray:
        """Returns booleans `[M, C]`: which labels of each text are more probable than not."""
        having, lacking = np.split(self.both.scores(texts, smoothing), 2, axis=1)
        return having > lacking


def _grams(text: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the words and pairs of a text, each once. Their order is fixed, and with it the rounding of sums."""
    return list(dict.fromkeys([*((word,) for word in text), *itertools.pairwise(text)]))


def _matrix(found: Sequence[Sequence[int]], size: int) -> sparse.csr_array:
    """Returns the matrix `[N, size]` of zeros and ones, with ones at the `found` columns of each row."""
    ends = np.cumsum([0, *map(len, found)])
    columns = np.fromiter(itertools.chain.from_iterable(found), np.int64, int(ends[-1]))
    return sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(found), size))
