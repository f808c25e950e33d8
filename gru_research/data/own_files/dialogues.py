"""Reads dialogues in the text format of the dialog bAbI tasks (Bordes, Boureau and Weston 2017, arXiv 1605.07683).

A line is a number and either a turn, what the user says and what the bot answers with a tab between them, or a fact
of the knowledge base, without a tab:

    1 hi<TAB>hello what can i help you with today
    2 can you book a table in paris<TAB>i'm on it
    3 <SILENCE><TAB>api_call paris
    4 resto_paris R_phone resto_paris_phone
    5 <SILENCE><TAB>what do you think of this option: resto_paris

Numbers count from 1 in each dialogue. `<SILENCE>` is a user's turn without words, after which the bot speaks again;
a turn may also have no words before the tab. Blank lines are optional.
"""

import dataclasses
from pathlib import Path

from gru_research.config import FileError
from gru_research.data.own_files.file_checks import read_text

SILENCE = "<SILENCE>"
"""The word for a user who says nothing."""
RESERVED = ("<user>", "<bot>", "<fact>", "<end>")
"""Words that mark speakers, and therefore can't occur in a dialogue."""
Words = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Turn:
    """The words of a user, and those of the bot's answer."""

    user: Words
    bot: Words


@dataclasses.dataclass(frozen=True)
class Fact:
    """A line of the knowledge base: mostly a subject, a relation and an object."""

    words: Words


Part = Turn | Fact
Dialogue = tuple[Part, ...]
"""Turns and facts in their order."""


def read_dialogues(path: Path) -> list[Dialogue]:
    """Reads a file of dialogues. Raises FileError with the file and the line of the first fault."""
    return parse_dialogues(read_text(path), str(path))


def parse_dialogues(text: str, place: str) -> list[Dialogue]:
    """Parses the dialogues of a text.

    Args:
      text: lines that end with "\\n".
      place: the name of the text in messages.

    Raises:
      FileError: a line that is no turn or fact, a wrong number, a reserved word, or a dialogue without a turn.
    """
    found: list[Dialogue] = []
    parts: list[Part] = []
    begun = 1  # the line where the latest dialogue begins
    for n, line in enumerate(text.split("\n"), 1):
        where = f"{place}:{n}"
        if not line.strip():
            _finish(found, parts, f"{place}:{begun}")
            continue
        number, rest = _numbered(line, where)
        if number == 1:
            _finish(found, parts, f"{place}:{begun}")
            begun = n
        if number != len(parts) + 1:
            wanted = f"{len(parts) + 1}, or 1 for a new dialogue" if parts else "1: a new dialogue begins here"
            raise FileError(f"{where}: the number {number} must be {wanted}")
        parts.append(_part(rest, where))
    _finish(found, parts, f"{place}:{begun}")
    if not found:
        raise FileError(f"{place}: holds no dialogues")
    return found


def _finish(found: list[Dialogue], parts: list[Part], where: str) -> None:
    """Moves the parts of a complete dialogue to `found`."""
    if parts and not any(isinstance(part, Turn) for part in parts):
        raise FileError(f"{where}: the dialogue that begins here has no turn: 'NUMBER USER<TAB>BOT'")
    if parts:
        found.append(tuple(parts))
        parts.clear()


def _numbered(line: str, where: str) -> tuple[int, str]:
    """Splits a line into its number and the rest."""
    number, blank, rest = line.lstrip().partition(" ")
    if not (number.isascii() and number.isdecimal() and blank):
        raise FileError(f"{where}: {_short(line)!r} must be 'NUMBER USER<TAB>BOT' or 'NUMBER FACT'")
    return int(number), rest


def _part(rest: str, where: str) -> Part:
    sides = [tuple(side.split()) for side in rest.split("\t")]
    for word in (word for side in sides for word in side):
        if word in RESERVED:
            raise FileError(f"{where}: the word {word!r} is reserved: {', '.join(RESERVED)} mark who speaks")
    if len(sides) > 2:
        raise FileError(f"{where}: has {len(sides) - 1} tabs, and must have one, between the user and the bot")
    if len(sides) == 1:
        if not sides[0]:
            raise FileError(f"{where}: has no words after its number")
        return Fact(sides[0])
    user, bot = sides
    if not bot:
        raise FileError(f"{where}: the bot's answer is empty")
    return Turn(user, bot)


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:60]}..."
