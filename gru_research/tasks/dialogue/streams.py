"""Dialogues as streams of tokens, with the steps at which the bot's words are predicted."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from gru_research.data.own_files import Dialogue, Fact
from gru_research.data.own_files.dialogues import Part, Words
from gru_research.data.padding import padded

from .vocabulary import BOT, END, SLOTS, USER, Numbering, Vocabulary

MASKED = 0.75
"""The probability that a novel word gets a slot in a masked copy."""


@dataclasses.dataclass(frozen=True)
class Stream:
    """A dialogue as words in one row.

    Attributes:
      words: `USER`, what the user says, `BOT`, what the bot says, and so on. A fact is its words and its first one
        again: "resto R_rating 8 resto". A name is thus read before and after what is said of it.
      positions: the steps after which a word of the bot is predicted: from each `BOT` to the answer's last word.
      targets: the words to predict there; the last of each answer is `END`.
      turns: the number of each target's turn.
    """

    words: Sequence[str]
    positions: Sequence[int]
    targets: Sequence[str]
    turns: Sequence[int]


def part_words(part: Part) -> Words:
    """Returns the words of a part in a stream."""
    if isinstance(part, Fact):
        return (*part.words, part.words[0])
    return (USER, *part.user, BOT, *part.bot)


def to_stream(dialogue: Dialogue) -> Stream:
    """Returns a dialogue as a stream."""
    words: list[str] = []
    positions: list[int] = []
    targets: list[str] = []
    numbers: list[int] = []
    turn = 0
    for part in dialogue:
        words += part_words(part)
        if isinstance(part, Fact):
            continue
        answer = (*part.bot, END)
        positions += range(len(words) - len(answer), len(words))
        targets += answer
        numbers += [turn] * len(answer)
        turn += 1
    return Stream(words, positions, targets, numbers)


def shortened(dialogue: Dialogue, longest: int) -> Dialogue:
    """Returns the first parts of a dialogue whose stream has at most `longest` words."""
    sizes = np.cumsum([len(part_words(part)) for part in dialogue])
    return dialogue[: int(np.searchsorted(sizes, longest, side="right"))]


def with_fewer_facts(dialogue: Dialogue, most: int) -> Dialogue:
    """Returns a dialogue with the first `most` facts of each row of facts."""
    kept: list[Part] = []
    row = 0
    for part in dialogue:
        row = row + 1 if isinstance(part, Fact) else 0
        if row <= most:
            kept.append(part)
    return tuple(kept)


def encode(
    dialogues: Sequence[Dialogue], vocabulary: Vocabulary, random: np.random.RandomState | None = None
) -> dict[str, np.ndarray]:
    """Returns streams as arrays of tokens, padded to the longest: `inputs [N, T]`, `length [N]`, `positions`, `targets`
    and `turns [N, U]`, `targets_length [N]`.

    With `random` they are masked copies: slots in a random order take the place of most novel words.
    """
    known = vocabulary.numbers()
    novel = [vocabulary.words[number] for number in vocabulary.novel]
    rows: list[tuple[list[int], Sequence[int], list[int], Sequence[int]]] = []
    for dialogue in dialogues:
        stream = to_stream(dialogue)
        if random is None:
            numbering = Numbering(known, range(SLOTS))
        else:
            drawn = random.random_sample(len(novel)) < MASKED
            masked = frozenset(itertools.compress(novel, drawn))
            numbering = Numbering(known, random.permutation(SLOTS).tolist(), masked)
        inputs = [numbering.number(word) for word in stream.words]
        targets = [numbering.number(word) for word in stream.targets]
        rows.append((inputs, stream.positions, targets, stream.turns))
    inputs, positions, targets, turns = (padded([row[column] for row in rows], np.int16) for column in range(4))
    return {
        "inputs": inputs,
        "length": np.array([len(row[0]) for row in rows], np.int32),
        "positions": positions,
        "targets": targets,
        "turns": turns,
        "targets_length": np.array([len(row[2]) for row in rows], np.int32),
    }


def answers_of(streams: Mapping[str, np.ndarray], longest: int) -> dict[str, np.ndarray]:
    """Returns where the answers of streams begin and what they are.

    Args:
      streams: arrays of `encode`, with N streams.
      longest: L, the most words of an answer that is decoded.

    Returns:
      `starts [N, R]`, the step after which each answer begins, and `responses [N, R, L]`, its tokens, padded with 0.
      Rows with fewer answers are filled with the first one's start and 0.
    """
    count = int(streams["turns"].max()) + 1
    starts = np.repeat(streams["positions"][:, :1], count, 1)
    responses = np.zeros((len(starts), count, longest), np.int16)
    for row, total in enumerate(streams["targets_length"].tolist()):
        turns, targets = streams["turns"][row, :total], streams["targets"][row, :total]
        for turn in range(int(turns.max()) + 1):
            places = np.flatnonzero(turns == turn)
            starts[row, turn] = streams["positions"][row, places[0]]
            words = targets[places[:-1]][:longest]
            responses[row, turn, : len(words)] = words
    return {"starts": starts, "responses": responses}
