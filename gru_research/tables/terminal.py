"""Prints tables as plain text, within the width of a terminal."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text

from gru_research.tables.table import Heading, Table

_LEAST_NAME = 10  # characters
_JOINT = re.compile(r"(?<=\w_)|(?<=[A-Za-z][/:])|(?<=[A-Za-z]-)(?=[A-Za-z])|(?<=[a-z])(?=[A-Z])")
"""The places besides spaces at which a name may break."""


def grid(table: Table, **layout: Any) -> rich.table.Table:
    """Returns a table for `console.print`, with its caption above. Text is literal, without rich's markup.

    `layout` are arguments of `rich.table.Table` on padding, edges and title.
    """
    title = rich.text.Text(table.caption, "bold") if table.caption else None
    made = rich.table.Table(title=title, box=rich.box.SIMPLE_HEAD, **{"title_justify": "left", **layout})
    for column in table.columns:
        made.add_column(rich.text.Text(column.text), justify=column.align, overflow="fold")
    for row in table.rows:
        made.add_row(*map(rich.text.Text, row))
    return made


def show(console: rich.console.Console, table: Table) -> None:
    """Prints a table within the terminal's width. Text breaks at spaces, not at no-break spaces.

    Numbers are never broken. On a narrow terminal, the longest names break at `_JOINT`, and in the first column
    anywhere if necessary. If that isn't enough, lines exceed the terminal's width.
    """
    columns = [list(texts) for texts in zip(table.headings, *table.rows, strict=True)]
    widths = _widths(columns, console.width - (len(columns) - 1))
    headings = tuple(
        Heading("\n".join(wrapped(word, width) for word in column.text.split(" ")), column.align)  # one word per line
        for column, width in zip(table.columns, widths, strict=True)
    )
    rows = tuple(tuple(map(wrapped, row, widths)) for row in table.rows)
    made = grid(Table(table.caption, headings, rows), show_edge=False, padding=0)
    for column, width in zip(made.columns, widths, strict=True):
        column.width = width
    console.print(_AtLeast(made, sum(widths) + len(widths) - 1), crop=False)


@dataclasses.dataclass(frozen=True)
class _AtLeast:
    """A table of at least `width` characters, even on a narrower terminal, where rich would break numbers."""

    table: rich.table.Table
    width: int

    def __rich_console__(
        self, console: rich.console.Console, options: rich.console.ConsoleOptions
    ) -> rich.console.RenderResult:
        yield from console.render(self.table, options.update(width=max(self.width, options.max_width)))


def wrapped(text: str, width: int) -> str:
    """Wraps `text` to at most `width` characters, as far as spaces, and joints of longer words, allow."""
    lines = [""]
    for word in text.split(" "):
        space = " " if lines[-1] else ""
        for piece in _pieces(word) if len(word) > width else [word]:
            if lines[-1] and len(lines[-1]) + len(space) + len(piece) > width:
                lines.append(piece)
            else:
                lines[-1] += space + piece
            space = ""
    return "\n".join(lines)


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """Returns the width of each column; the first text of a column is its heading.

    A column is as wide as its longest word or, if space is short, its longest piece. Remaining space goes to the
    columns that need the least to fit each text on one line.
    """
    words = [[word for text in column for word in text.split(" ")] for column in columns]
    widths = [max(map(len, of)) for of in words]
    pieces = [max(len(piece) for word in of for piece in _pieces(word)) for of in words]
    for i in sorted(range(len(widths)), key=lambda i: pieces[i] - widths[i]):  # columns that can shrink most come first
        missing = max(0, sum(widths) - room)
        widths[i] = max(pieces[i], widths[i] - missing)
    missing = max(0, sum(widths) - room)
    widths[0] = max(min(_LEAST_NAME, widths[0]), widths[0] - missing)
    wanted = [max([width, *map(len, texts)]) for width, (_, *texts) in zip(widths, columns, strict=True)]
    for i in sorted(range(len(widths)), key=lambda i: wanted[i] - widths[i]):
        widths[i] += max(0, min(wanted[i] - widths[i], room - sum(widths)))
    return widths


def _pieces(word: str) -> Iterator[str]:
    start = 0
    for joint in _JOINT.finditer(word):
        yield word[start : joint.start()]
        start = joint.start()
    yield word[start:]
