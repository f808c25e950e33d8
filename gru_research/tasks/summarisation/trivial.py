"""Trivial summaries: the beginning of a document, and the most frequent summary of training."""

import collections
import re
from collections.abc import Callable, Mapping, Sequence

from .reading import Pair
from .rouge import mean_rouge

SENTENCE = "the first sentence"
LEAD_8 = "the first 8 words"
LEAD_15 = "the first 15 words"
FREQUENT = "the most frequent summary"
_END = re.compile(r"(?<=[.!?])\s+")


def first_sentence(document: str) -> str:
    """Returns the text up to the first ".", "!" or "?" that a blank or a new line follows."""
    return _END.split(document.strip(), maxsplit=1)[0]


def first_words(document: str, count: int) -> str:
    """Returns the first words, separated by blanks."""
    return " ".join(document.split(None, count)[:count])


def trivial_answers(train: Sequence[Pair], test: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Returns ROUGE of the trivial summaries of the test set, in per cent, by answer and metric. Of equally frequent
    summaries the first is taken."""
    frequent = collections.Counter(pair.summary for pair in train).most_common(1)[0][0]
    answers: Mapping[str, Callable[[str], str]] = {
        SENTENCE: first_sentence,
        LEAD_8: lambda document: first_words(document, 8),
        LEAD_15: lambda document: first_words(document, 15),
        FREQUENT: lambda document: frequent,
    }
    right = [[pair.summary] for pair in test]
    found = {}
    for name, answer in answers.items():
        given = [answer(pair.document) for pair in test]
        found[name] = mean_rouge(given, right)
        if any(pair.others for pair in test):
            several = mean_rouge(given, [[pair.summary, *pair.others] for pair in test])
            found[name] |= {f"{metric}_best": value for metric, value in several.items()}
    return found
