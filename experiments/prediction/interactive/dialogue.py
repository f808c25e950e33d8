"""A conversation with the cells of a dialogue run, token by token."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gru_research.config import UserError
from gru_research.data.own_files import SILENCE
from gru_research.decoding.sample import draw
from gru_research.runs.predict import Sampling, best_seed
from gru_research.tasks.dialogue.reading import Source, knowledge
from gru_research.tasks.dialogue.vocabulary import BOT, SLOTS, USER, Numbering, Vocabulary

CALL = "api_call"
"""The bot's word for a search in the knowledge base."""
HINT = f"{SILENCE} says nothing, after which the bot may go on; 'fact: inn R_rating 8' tells it a fact."
Facts = Mapping[str, Sequence[tuple[str, ...]]]


def search(words: Sequence[str], facts: Facts) -> list[tuple[str, ...]]:
    """Returns the facts of the subjects that have each word of a call among their objects, after its first word."""
    wanted = [word for word in words[1:] if not word.startswith("R_")]
    found = [given for given in facts.values() if all(any(word == fact[-1] for fact in given) for word in wanted)]
    return [fact for given in found for fact in given]


@dataclasses.dataclass
class Speaker:
    """One cell in a conversation.

    Attributes:
      label: of the cell.
      model, params: a `StreamModel` and its parameters.
    """

    label: str
    model: Any
    params: Any
    vocabulary: Vocabulary
    sampling: Sampling
    longest: int
    key: jax.Array

    def __post_init__(self) -> None:
        self._numbering = Numbering(self.vocabulary.numbers(), range(SLOTS))
        self._start = jax.jit(functools.partial(self.model.start, self.params))
        self._read = jax.jit(functools.partial(self.model.read, self.params))
        self._say = jax.jit(functools.partial(self.model.step, self.params))
        how = self.sampling
        drawn = functools.partial(draw, temperature=how.temperature, top_k=how.top_k, top_p=how.top_p)
        self._pick = drawn(self.key) if how.temperature else None
        self._state: Any = None
        self._count = 0

    def hear(self, words: Sequence[str]) -> jax.Array | None:
        """Reads words, and returns the logarithms `[1, V]` of the next word's probabilities; None without words."""
        logs = None
        for word in words:
            tokens = jnp.array([self._numbering.number(word)], jnp.int32)
            if self._state is None:
                batch = {"inputs": tokens[None], "lengths": jnp.ones(1, jnp.int32)}
                self._state, logs = self._start(batch)
            else:
                self._state, logs = self._read(self._state, tokens)
        return logs

    def answer(self, words: Sequence[str]) -> list[str]:
        """Returns the bot's words after the user's."""
        logs = self.hear([USER, *words, BOT])
        said: list[str] = []
        while len(said) < self.longest:
            token = self._choose(logs)
            if token == self.model.end:
                break
            said.append(self._word(token))
            self._state, logs = self._say(self._state, jnp.array([token], jnp.int32))
        return said

    def _choose(self, logs: Any) -> int:
        self._count += 1
        return int(logs[0].argmax()) if self._pick is None else int(self._pick(logs, jnp.int32(self._count))[0])

    def _word(self, token: int) -> str:
        unknown = self._numbering.unknown()
        return unknown[token] if token in unknown else self.vocabulary.tokens[token]


class Conversation:
    """Answers lines, one after the other, with all cells side by side. Each cell has a conversation of its own.

    Where the bot searches the knowledge base, it hears what was found if the user then says nothing, as in the data;
    the user may also ask for something else. A line that begins with "fact:" is a fact, which
    all cells hear, such as "fact: inn R_rating 8".
    """

    def __init__(self, speakers: Sequence[Speaker], facts: Facts) -> None:
        self._speakers = speakers
        self._facts = facts
        self._found: dict[str, list[tuple[str, ...]]] = {}

    def __call__(self, line: str) -> dict[str, str]:
        """Returns each cell's answer, and what its search found. Raises UserError for a fact without words."""
        if line.lower().startswith("fact:"):
            words = tuple(line.partition(":")[2].split())
            if not words:
                raise UserError("a fact has words after the colon, such as fact: inn R_rating 8")
            for speaker in self._speakers:
                speaker.hear(_fact(words))
            return {}
        return {speaker.label: self._answer(speaker, line.split()) for speaker in self._speakers}

    def _answer(self, speaker: Speaker, words: Sequence[str]) -> str:
        found = self._found.pop(speaker.label, [])
        if list(words) == [SILENCE]:
            for fact in found:
                speaker.hear(_fact(fact))
        said = speaker.answer(words)
        if not said or said[0] != CALL or not self._facts:
            return " ".join(said)
        self._found[speaker.label] = search(said, self._facts)
        subjects = list(dict.fromkeys(fact[0] for fact in self._found[speaker.label]))
        return f"{' '.join(said)}\n    [found {', '.join(subjects) or 'nothing'}; {SILENCE} to go on]"


def _fact(words: Sequence[str]) -> list[str]:
    return [*words, words[0]]


def converse(run: Any, cells: Sequence[str] | None, seeds: Any, sampling: Sampling) -> Conversation:
    """Returns a conversation with a run's cells, each with its best seed or the first of `seeds`."""
    learned = run.task.learned
    vocabulary = Vocabulary(**learned["vocabulary"])
    speakers = []
    for number, label in enumerate(cells or run.cells):
        seed = best_seed(run, label) if not seeds or isinstance(seeds, str) else seeds[0]
        key = jax.random.fold_in(jax.random.key(sampling.random_seed), number)
        speakers.append(
            Speaker(
                label, run.model(label), run.parameters(label, seed), vocabulary, sampling,
                min(learned["answer"], sampling.length), key,
            )
        )  # fmt: skip
    return Conversation(speakers, knowledge(Source.from_json(learned["source"]).dataset, run.dirs))
