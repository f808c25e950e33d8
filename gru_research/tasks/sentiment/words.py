"""Divides a text into words as the treebanks do, and numbers the words of training."""

import collections
import re
from collections.abc import Collection, Iterable, Sequence

from ..files.categorical import vocabulary

NEGATIONS = (
    "not", "n't", "no", "never", "nothing", "nobody", "none", "nor", "neither", "nowhere", "cannot", "without",
    "hardly", "barely", "scarcely",
)  # fmt: skip
"""Words that turn what a sentence says, in English."""
_APOSTROPHE = str.maketrans({"\u2019": "'", "\u2018": "'"})
_WORD = re.compile(
    r"<\w+>|\[\w+\]"  # marks such as <unknown> and [NAME]
    r"|\w+?(?=(?:n't|'(?:s|re|ve|d|ll|m))\b)|n't\b|'(?:s|re|ve|d|ll|m)\b"  # does n't, it 's
    r"|\w+(?:[-./,']\w+)*"  # well-made, 1.5, o'clock
    r"|[.!?]{2,}|[^\w\s]"  # ..., !!, punctuation
)


def split_words(text: str, known: Collection[str] = ()) -> list[str]:
    """Returns the words and punctuation marks of a text, in lower case.

    A part between blanks that is among the `known` words stays whole, so that a text in the form of the training texts
    keeps its words.
    """
    found: list[str] = []
    for part in text.lower().translate(_APOSTROPHE).split():
        found += [part] if part in known else _WORD.findall(part)
    return found


def words_of_training(texts: Iterable[Sequence[str]], min_count: int) -> list[str]:
    """Returns the words that occur at least `min_count` times, in order, followed by `UNKNOWN`."""
    return vocabulary(collections.Counter(word for text in texts for word in text), min_count)
