"""From what was said to a model's inputs, and from tokens to the bot's words."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from gru_research.decoding import greedy, sample
from gru_research.types import Batch, Params, PRNGKey

from .vocabulary import BOT, SLOTS, USER, Numbering, Vocabulary


@dataclasses.dataclass(frozen=True)
class Encode:
    """The beginning of a dialogue as a stream that the bot continues."""

    vocabulary: Vocabulary

    def __call__(self, raw: Any) -> dict[str, np.ndarray]:
        """Returns `inputs [T]`, `said [T]`, True at the bot's own words, and `lengths`.

        Args:
          raw: what the user says, a text; or a list of what user and bot said in turn, which ends with the user.

        Raises:
          TypeError: other than texts.
          ValueError: a list that ends with the bot.
        """
        given = [raw] if isinstance(raw, str) else list(raw)
        if not all(isinstance(text, str) for text in given):
            raise TypeError("a dialogue must be a text, or a list of texts")
        if len(given) % 2 == 0:
            raise ValueError(f"a dialogue of {len(given)} texts must end with the user: user, bot, user, ...")
        numbering = Numbering(self.vocabulary.numbers(), range(SLOTS))
        words: list[str] = []
        said: list[bool] = []
        for n, text in enumerate(given):
            own = text.split()
            words += [BOT, *own] if n % 2 else [USER, *own]
            said += [False, *[n % 2 == 1] * len(own)]
        words.append(BOT)
        said.append(False)
        tokens = np.array([numbering.number(word) for word in words], np.int32)
        return {"inputs": tokens, "said": np.array(said), "lengths": np.array(len(words), np.int32)}


@dataclasses.dataclass(frozen=True)
class Decode:
    """The bot's words. A word that training lacks is called "<word-N>", the N-th of these in the dialogue."""

    words: Sequence[str]
    end: int = 0

    def __call__(self, tokens: Any) -> str:
        """Returns an answer as a text, from tokens `[N]` up to the end."""
        numbers: list[int] = np.asarray(tokens).tolist()
        kept = numbers[: numbers.index(self.end)] if self.end in numbers else numbers
        return " ".join(self.words[number] for number in kept)


@dataclasses.dataclass(frozen=True)
class Generate:
    """Continues dialogues: greedily, or from draws above a temperature of 0."""

    longest: int
    end: int = 0

    def __call__(self, model: Any, params: Params, batch: Batch, keys: PRNGKey, sampling: Any) -> Any:
        longest = min(self.longest, sampling.length)
        if sampling.temperature == 0:
            return greedy(model, params, batch, end=self.end, longest=longest).tokens
        return sample(
            model, params, batch, keys, end=self.end, longest=longest, temperature=sampling.temperature,
            top_k=sampling.top_k, top_p=sampling.top_p,
        ).tokens  # fmt: skip
