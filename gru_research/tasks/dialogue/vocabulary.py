"""The vocabulary of dialogues: which words the bot generates, and which it only copies."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from gru_research.data.own_files import RESERVED, Dialogue, Fact

END = "<end>"
"""The token that ends an answer. Its number is 0."""
USER, BOT = "<user>", "<bot>"
"""The tokens before what the user says and before what the bot says."""
SLOTS = 128
"""The number of tokens for words that training lacks."""
RARE = 0.01
"""A word in a smaller share of the training dialogues is rare."""


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Numbers of words. A word that training lacks gets one of `SLOTS` further tokens, so that the bot can copy it;
    each such word of a dialogue gets another one.

    Attributes:
      words: the words in the order of their numbers: `END`, the words that the bot generates, and all others.
      generated: G, the number of words up to the last one that the bot generates.
      novel: numbers of words that training alone can't teach: those that the bot only copies, and rare ones. A part of
        the training examples has slots in their place.
    """

    words: Sequence[str]
    generated: int
    novel: Sequence[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "novel", tuple(self.novel))

    @property
    def size(self) -> int:
        """The number of tokens, slots included."""
        return len(self.words) + SLOTS

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens in the order of their numbers. A slot is called "<word-N>"."""
        return (*self.words, *(f"<word-{slot}>" for slot in range(SLOTS)))

    def numbers(self) -> dict[str, int]:
        """Returns the number of each word."""
        return {word: number for number, word in enumerate(self.words)}


def learn_vocabulary(train: Sequence[Dialogue], generate_all: bool = False) -> Vocabulary:
    """Returns the vocabulary of the training dialogues.

    The bot only copies a word if it occurs earlier in the dialogue whenever the bot says it. With `generate_all` the
    bot generates all of its words, and can copy them too.
    """
    generated: set[str] = set()
    said: set[str] = set()
    counts: collections.Counter[str] = collections.Counter()
    for dialogue in train:
        seen: set[str] = set()
        for part in dialogue:
            if isinstance(part, Fact):
                seen.update(part.words)
                continue
            seen.update(part.user)
            for word in part.bot:
                said.add(word)
                if word not in seen:
                    generated.add(word)
                seen.add(word)
        counts.update(seen)
    copied = said - generated
    rare = {word for word, count in counts.items() if count < RARE * len(train)}
    first = said if generate_all else generated
    words = [END, *sorted(first), *sorted((set(counts) | {USER, BOT}) - first)]
    novel = [number for number, word in enumerate(words) if word in copied | rare]
    return Vocabulary(words, 1 + len(first), novel)


@dataclasses.dataclass
class Numbering:
    """Numbers the words of one dialogue as they come, and names them again.

    Attributes:
      known: the number of each known word.
      slots: the slots for unknown words, in the order in which they are used. If there are more unknown words than
        slots, words share them.
      masked: known words that get a slot too.
    """

    known: Mapping[str, int]
    slots: Sequence[int]
    masked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._own: dict[str, int] = {}

    def number(self, word: str) -> int:
        """Returns the number of a word; an unknown one gets the next slot."""
        if word in self.known and word not in self.masked:
            return self.known[word]
        if word not in self._own:
            self._own[word] = len(self.known) + self.slots[len(self._own) % len(self.slots)]
        return self._own[word]

    def unknown(self) -> dict[int, str]:
        """Returns the unknown words so far by their numbers."""
        return {number: word for word, number in self._own.items()}


assert {END, USER, BOT} <= set(RESERVED)
