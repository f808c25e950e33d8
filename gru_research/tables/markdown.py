"""Writes tables as Markdown."""

from collections.abc import Iterable

from gru_research.tables.table import Table

_RULES = {"left": "---", "right": "---:"}


def to_markdown(table: Table) -> str:
    """Returns the headings and rows as Markdown, without the caption."""
    rules = "|".join(_RULES[column.align] for column in table.columns)
    return "\n".join([_line(table.headings), f"|{rules}|", *map(_line, table.rows)])


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"
