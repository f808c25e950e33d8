"""Writes tables as HTML for a page."""

import html
from collections.abc import Sequence

from gru_research.tables.table import Heading, Table


def to_html(table: Table, css_class: str, links: Sequence[str | None] = ()) -> str:
    """Returns an escaped table with its caption. Each table cell names its column, for narrow screens.

    `links` are addresses for the first text of each row.
    """
    head = "".join(
        f'<th scope="col"{_aligned(i, column)}>{html.escape(column.text)}</th>'
        for i, column in enumerate(table.columns)
    )
    body = "\n".join(_row(table.columns, row, links[i] if links else None) for i, row in enumerate(table.rows))
    return (
        f'<div class="scroll" role="region" aria-label="{html.escape(table.caption)}" tabindex="0">\n'
        f'<table class="{html.escape(css_class)}">\n<caption>{html.escape(table.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _row(columns: Sequence[Heading], row: Sequence[str], link: str | None) -> str:
    first, *rest = row
    name = f'<a href="{html.escape(link)}">{html.escape(first)}</a>' if link else html.escape(first)
    cells = "".join(
        f'<td data-heading="{html.escape(column.text)}"{_aligned(i, column)}>{html.escape(text)}</td>'
        for i, (column, text) in enumerate(zip(columns[1:], rest, strict=True), 1)
    )
    return f'<tr><th scope="row"{_aligned(0, columns[0])}>{name}</th>{cells}</tr>'


def _aligned(place: int, column: Heading) -> str:
    """Returns the class of a column that isn't aligned as the page's style has it: the first left, the others right."""
    return "" if column.align == ("right" if place else "left") else f' class="{column.align}"'
