"""A table, declared as a list of columns: each has a heading, the text of a row, and its alignment."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias

Align: TypeAlias = Literal["left", "right"]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
      heading: the text above the column.
      text: returns the column's text for a row; the row's items are its arguments.
      align: how texts and heading are aligned.
    """

    heading: str
    text: Callable[..., str]
    align: Align = "right"


@dataclasses.dataclass(frozen=True)
class Heading:
    """The text above a column, and how the column is aligned."""

    text: str
    align: Align = "right"


@dataclasses.dataclass(frozen=True)
class Table:
    """The headings `[N]` of a table's columns and the texts `[N]` of each row. The first text of a row is its name."""

    caption: str
    columns: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(column.text for column in self.columns)


def tabulate(columns: Sequence[Column], rows: Iterable[Sequence[Any]], caption: str = "") -> Table:
    """Makes the table of `rows`. A row holds the arguments of each column's `text`; `zip(items)` gives rows of one."""
    return Table(
        caption,
        tuple(Heading(column.heading, column.align) for column in columns),
        tuple(tuple(column.text(*row) for column in columns) for row in rows),
    )
