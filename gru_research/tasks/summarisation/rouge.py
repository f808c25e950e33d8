"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): the F1 of n-grams, and of the longest common subsequence, with stemming."""

import collections
import functools
import re
from collections.abc import Sequence
from typing import Any

from gru_research.config import UserError

NAMES = ("rouge_1", "rouge_2", "rouge_l")
SIGNATURE = "F1, Porter stemming of words with more than 3 letters, L over the whole text"
"""How ROUGE is computed here. Other packages stem other words, or take L over sentences."""
SHORTEST = 4
"""Words with fewer letters aren't stemmed, as in the original program."""
_SEPARATORS = re.compile(r"[\W_]+")
Tokens = tuple[str, ...]


def tokens(text: str) -> Tokens:
    """Returns the lower-case words of a text, stemmed. Punctuation separates words and isn't counted.

    Letters and digits of all scripts count; Google's rouge-score takes those of ASCII alone.
    """
    return tuple(_stemmed(word) for word in _SEPARATORS.split(text.lower()) if word)


def rouge(summary: Sequence[str], reference: Sequence[str]) -> tuple[float, float, float]:
    """Returns ROUGE-1, ROUGE-2 and ROUGE-L, each from 0 to 1, from the words of `tokens`.

    The F1 of n-grams is 2 M / (S + R), with the numbers of n-grams of the summary (S), of the reference (R) and of both
    (M); for L, these are the numbers of words and the length of the longest common subsequence. It is 0 for M = 0.
    """
    common = _longest_common(summary, reference)
    of_l = _f1(common, len(summary), len(reference))
    return _of_ngrams(summary, reference, 1), _of_ngrams(summary, reference, 2), of_l


def mean_rouge(summaries: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Returns the means of ROUGE over texts, in per cent, by `NAMES`.

    Args:
      references: one or more for each summary; the best one counts, for each of the three measures.
    """
    each = [
        [max(values) for values in zip(*(rouge(tokens(one), tokens(other)) for other in others), strict=True)]
        for one, others in zip(summaries, references, strict=True)
    ]
    return {name: 100 * sum(row[n] for row in each) / len(each) for n, name in enumerate(NAMES)}


def _f1(both: int, summary: int, reference: int) -> float:
    return 2 * both / (summary + reference) if both else 0.0


def _of_ngrams(summary: Sequence[str], reference: Sequence[str], size: int) -> float:
    one, other = (
        collections.Counter(zip(*(words[n:] for n in range(size)), strict=False)) for words in (summary, reference)
    )
    return _f1((one & other).total(), one.total(), other.total())


def _longest_common(summary: Sequence[str], reference: Sequence[str]) -> int:
    """Returns the length of the longest common subsequence."""
    before = [0] * (len(reference) + 1)
    for word in summary:
        row = [0]
        for n, other in enumerate(reference):
            row.append(before[n] + 1 if word == other else max(row[n], before[n + 1]))
        before = row
    return before[-1]


@functools.lru_cache(maxsize=2**18)
def _stemmed(word: str) -> str:
    return word if len(word) < SHORTEST else _stemmer().stemWord(word)


@functools.cache
def _stemmer() -> Any:
    try:
        import snowballstemmer
    except ImportError as e:
        raise UserError("ROUGE needs snowballstemmer: pip install 'gru_research[applications]'") from e
    return snowballstemmer.stemmer("porter")
