"""Trivial answers to each turn of a dialogue, and how many of them are right."""

import collections
from collections.abc import Sequence

from gru_research.data.own_files import Dialogue, Turn
from gru_research.data.own_files.dialogues import Words

FREQUENT = "the most frequent answer"
SAME = "the answer to the same last utterance"
"""The nearest neighbour of Bordes et al.: with the whole last utterance equal. It proves that dialogues are read as in
the literature."""
Answers = list[list[Words]]
"""The answers of each dialogue's turns."""


def turns(dialogue: Dialogue) -> list[Turn]:
    """Returns the turns of a dialogue, without its facts."""
    return [part for part in dialogue if isinstance(part, Turn)]


def right_answers(dialogues: Sequence[Dialogue]) -> Answers:
    """Returns what the bot says in each turn."""
    return [[turn.bot for turn in turns(dialogue)] for dialogue in dialogues]


def trivial_answers(train: Sequence[Dialogue], asked: Sequence[Dialogue]) -> dict[str, Answers]:
    """Returns the trivial answers to each turn of `asked`, by name.

    The answer to the same last utterance is the one that follows these words of the user most often in training; where
    they don't occur there, it is the most frequent answer of all. Of equally frequent ones the first is taken.
    """
    following: dict[Words, collections.Counter[Words]] = {}
    for dialogue in train:
        for turn in turns(dialogue):
            following.setdefault(turn.user, collections.Counter())[turn.bot] += 1
    frequent = collections.Counter(turn.bot for dialogue in train for turn in turns(dialogue)).most_common(1)[0][0]
    best = {user: answers.most_common(1)[0][0] for user, answers in following.items()}
    return {
        FREQUENT: [[frequent for _ in turns(dialogue)] for dialogue in asked],
        SAME: [[best.get(turn.user, frequent) for turn in turns(dialogue)] for dialogue in asked],
    }


def per_response(given: Answers, right: Answers) -> float:
    """Returns the share of turns whose answers are equal, word by word."""
    same = [a == b for rows in zip(given, right, strict=True) for a, b in zip(*rows, strict=True)]
    return sum(same) / len(same)


def per_dialogue(given: Answers, right: Answers) -> float:
    """Returns the share of dialogues all of whose answers are equal."""
    return sum(a == b for a, b in zip(given, right, strict=True)) / len(right)
