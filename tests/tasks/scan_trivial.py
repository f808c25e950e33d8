"""The trivial answers of SCAN: the shares that `gru_research.tasks.scan` states are measured with them."""

import collections
import functools
from collections.abc import Mapping

import numpy as np

from gru_research.data.scan import COMMANDS
from gru_research.tasks.base import Splits
from gru_research.tasks.scan import FREQUENT, HALVES, NEAREST, Sequences, sequences


def trivial_answers(stored: Splits) -> dict[str, float]:
    """Returns the share of test commands that each trivial answer gets right, from all training examples.

    The nearest command is the training command with the fewest inserted, deleted or replaced words, the first of
    several. The answer of both halves joins, in the right order, the training answers of the commands before and after
    "and" or "after". A command without both answers counts as wrong.
    """
    (commands, answers), (asked, right) = (
        (sequences(stored[part], "command"), sequences(stored[part], "actions")) for part in ("train", "test")
    )
    frequent = collections.Counter(answers).most_common(1)[0][0]
    known = dict(zip(commands, answers, strict=True))
    ways = {
        FREQUENT: [frequent] * len(asked),
        NEAREST: [answers[n] for n in nearest(asked, commands)],
        HALVES: [_halves(command, known) for command in asked],
    }
    return {
        name: sum(given == wanted for given, wanted in zip(way, right, strict=True)) / len(right)
        for name, way in ways.items()
    }


def _halves(command: tuple[int, ...], known: Mapping[tuple[int, ...], tuple[int, ...]]) -> tuple[int, ...] | None:
    for word in ("and", "after"):
        if (joint := COMMANDS.index(word)) in command:
            cut = command.index(joint)
            first, second = known.get(command[:cut]), known.get(command[cut + 1 :])
            if first is None or second is None:
                return None
            return first + second if word == "and" else second + first
    return None


def nearest(asked: Sequences, commands: Sequences) -> list[int]:
    """Returns, for each command in `asked`, the position in `commands` of the least edit distance in words
    (Levenshtein 1966), the first of several."""
    longest = max(len(command) for command in commands)
    differs = np.ones((len(COMMANDS), longest, len(commands)), np.int8)
    for n, command in enumerate(commands):
        differs[command, range(len(command)), n] = 0
    ends = np.array([len(command) for command in commands]), np.arange(len(commands))

    @functools.lru_cache(maxsize=32)  # in sorted order, the prefixes of the previous command are still cached
    def distances(prefix: tuple[int, ...]) -> np.ndarray:
        """Returns edit distances `[1 + longest, N]` from `prefix` to the first 0, 1, ... words of each command."""
        if not prefix:
            return np.repeat(np.arange(longest + 1, dtype=np.int8)[:, None], len(commands), 1)
        before = distances(prefix[:-1])
        after = before + np.int8(1)
        for j, unlike in enumerate(differs[prefix[-1]]):
            np.minimum(after[j + 1], before[j] + unlike, out=after[j + 1])
            np.minimum(after[j + 1], after[j] + np.int8(1), out=after[j + 1])
        return after

    found = {command: int(distances(command)[ends].argmin()) for command in sorted(set(asked))}
    return [found[command] for command in asked]
