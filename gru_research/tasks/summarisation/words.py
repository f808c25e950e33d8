"""Divides texts into words and joins them again; the vocabulary, in which words that training lacks have slots."""

import collections
import dataclasses
import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

END, UNKNOWN, BEGIN = "<end>", "<unknown>", "<begin>"
LONGEST_WORD = 40
"""The most letters of a word; what is longer is divided."""
_PART = rf"\w{{1,{LONGEST_WORD}}}"
_WORD = re.compile(rf"{_PART}(?:[-./,'\u2019@:&+]\w+)*|[^\w\s]")
_CLOSING, _OPENING = frozenset(".,:;!?%)]}…"), frozenset("([{$#")


def split_words(text: str, most: int | None = None) -> list[str]:
    """Returns the first `most` words and punctuation marks of a text. Marks within words, as in "e-mail" or
    "10/30/01", don't divide them."""
    found = (match.group()[:LONGEST_WORD] for match in _WORD.finditer(text))
    return list(itertools.islice(found, most))


def join_words(words: Iterable[str]) -> str:
    """Returns words as a text, with punctuation marks where they belong in English."""
    text, glue = "", True
    for word in words:
        text += word if glue or word in _CLOSING else f" {word}"
        glue = word in _OPENING
    return text


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The words of training, and a slot for each word of a document that training lacks.

    Tokens are `END`, the words that may be generated, `UNKNOWN`, `BEGIN`, the words that are only read and copied, and
    the slots. Slot k is the k-th different unknown word of a document.

    Attributes:
      words: all tokens but the slots, in the order of their numbers. A word is written as in most training summaries
        that have it, or in lower case; the case of letters makes no other difference.
      generated: G, the number of tokens that can be generated.
      slots: the number of slots: the most words of a document that are read.
    """

    words: Sequence[str]
    generated: int
    slots: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))

    @property
    def size(self) -> int:
        """The number of tokens, slots included."""
        return len(self.words) + self.slots

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens in the order of their numbers. A slot is called "<word-N>"."""
        return (*self.words, *(f"<word-{slot}>" for slot in range(self.slots)))

    @property
    def unknown(self) -> int:
        return self.generated

    @property
    def begin(self) -> int:
        return self.generated + 1

    @functools.cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each word, in lower case."""
        return {word.lower(): number for number, word in enumerate(self.words) if number not in self._marks}

    @property
    def _marks(self) -> tuple[int, ...]:
        return 0, self.unknown, self.begin

    def document(self, words: Sequence[str]) -> tuple[list[int], list[str]]:
        """Returns the tokens of a document's words, and the words that training lacks, in the order of their slots."""
        slots: dict[str, int] = {}
        names: list[str] = []
        found = []
        for word in words:
            number = self.numbers.get(word.lower())
            if number is None:
                if word.lower() not in slots:
                    slots[word.lower()] = len(names)
                    names.append(word)
                number = len(self.words) + slots[word.lower()]
            found.append(number)
        return found, names

    def summary(self, words: Sequence[str], names: Sequence[str]) -> list[int]:
        """Returns the tokens of a summary's words, without `END`, from the unknown words of its document. A word that
        can be neither generated nor copied from a slot is `UNKNOWN`."""
        slots = {name.lower(): len(self.words) + slot for slot, name in enumerate(names)}
        return [self.numbers.get(word.lower(), slots.get(word.lower(), self.unknown)) for word in words]

    def read(self, tokens: Sequence[int], names: Sequence[str]) -> list[str]:
        """Returns the words of a summary's tokens up to `END`."""
        end = next((n for n, token in enumerate(tokens) if token == 0), len(tokens))
        count = len(self.words)
        return [self.words[t] if t < count else names[t - count] for t in tokens[:end]]


def learn_vocabulary(
    documents: Sequence[Sequence[str]], summaries: Sequence[Sequence[str]], read: int, generated: int, slots: int
) -> Vocabulary:
    """Returns the vocabulary of the training words.

    Args:
      read: how often a word must occur in documents and summaries to be known.
      generated: how often a word must occur in summaries to be generated.
      slots: see `Vocabulary`.
    """
    said = collections.Counter(word.lower() for words in summaries for word in words)
    every = collections.Counter(word.lower() for words in documents for word in words) + said
    forms: dict[str, collections.Counter[str]] = {}
    for words in summaries:
        for word in words:
            forms.setdefault(word.lower(), collections.Counter())[word] += 1
    first = sorted(word for word, count in said.items() if count >= generated)
    rest = sorted(word for word, count in every.items() if count >= read and said[word] < generated)
    shown = [forms[word].most_common(1)[0][0] for word in first]
    # A form whose lower case is another word would get that word's number.
    shown = [form if form.lower() == word else word for form, word in zip(shown, first, strict=True)]
    return Vocabulary([END, *shown, UNKNOWN, BEGIN, *rest], 1 + len(first), slots)
