"""Translations that need no model: the source itself, and the translation of the most similar training sentence."""

import collections
import itertools
import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from .scores import Kind, score

COPY, NEAREST = "the source itself", "the translation of the nearest training sentence"
KINDS: tuple[Kind, ...] = ("bleu", "bleu_lowercase", "chrf")
ROWS = 256
"""The number of test sentences that are compared at once with all of training."""


def trivial_answers(
    train: tuple[Sequence[str], Sequence[str]], test: tuple[Sequence[str], Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Returns the metrics of the trivial translations of `test`, source and target texts, by name."""
    neighbours = nearest(train[0], test[0])
    given = {COPY: list(test[0]), NEAREST: [train[1][n] for n in neighbours.tolist()]}
    return {name: {kind: score(kind, texts, test[1]) for kind in KINDS} for name, texts in given.items()}


def nearest(train: Sequence[str], test: Sequence[str]) -> np.ndarray:
    """Returns the position in `train` of the text most similar to each of `test`, `[N]`.

    It has the highest cosine of the counts of words and pairs of words, in lower case; of equal ones it is the first.
    """
    known: dict[str, int] = {}
    of_train = _counts(train, known, grow=True)
    of_test = _counts(test, known, grow=False)
    norms = np.sqrt(np.asarray(of_train.multiply(of_train).sum(1)).ravel())
    found = [
        np.asarray((of_test[start : start + ROWS] @ of_train.T).todense() / np.maximum(norms, 1)).argmax(1)
        for start in range(0, len(test), ROWS)
    ]
    return np.concatenate(found)


def _counts(texts: Sequence[str], known: dict[str, int], grow: bool) -> csr_matrix:
    """Returns counts `[N, F]` of features whose columns `known` holds; new ones are added if they may `grow`."""
    rows, columns, values = [], [], []
    for n, text in enumerate(texts):
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        features = collections.Counter([*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))])
        for feature, count in features.items():
            column = known.setdefault(feature, len(known)) if grow else known.get(feature)
            if column is not None:
                rows.append(n)
                columns.append(column)
                values.append(count)
    return csr_matrix((np.array(values, float), (rows, columns)), (len(texts), max(1, len(known))))
