"""A table as Markdown, CSV and HTML: texts are kept literally, and columns are aligned as they were declared."""

import csv
import io

import pytest

from gru_research.tables import Column, tabulate, to_csv, to_html, to_markdown

COLUMNS = [
    Column("cell", lambda name, value: name, "left"),
    Column("x|y", lambda name, value: f"{value:.1f}"),
    Column("<why>", lambda name, value: f'{name} "has", {value}', "left"),
]
TABLE = tabulate(COLUMNS, {"a|b": 1.25, "<c>": -2.0}.items(), "A & B")


def test_rows_are_the_texts_of_the_columns() -> None:
    assert TABLE.headings == ("cell", "x|y", "<why>")
    assert TABLE.rows == (("a|b", "1.2", 'a|b "has", 1.25'), ("<c>", "-2.0", '<c> "has", -2.0'))


def test_markdown() -> None:
    assert to_markdown(TABLE).splitlines() == [
        r"| cell | x\|y | <why> |",
        "|---|---:|---|",
        r'| a\|b | 1.2 | a\|b "has", 1.25 |',
        '| <c> | -2.0 | <c> "has", -2.0 |',
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_csv(line_end: str) -> None:
    text = to_csv(TABLE, line_end)
    assert text.count(line_end) == 3
    assert list(csv.reader(io.StringIO(text))) == [list(TABLE.headings), *map(list, TABLE.rows)]


def test_html_marks_only_columns_that_the_style_would_align_otherwise() -> None:
    text = to_html(TABLE, "pairs", ["#a", None])
    assert '<th scope="col">cell</th><th scope="col">x|y</th><th scope="col" class="left">&lt;why&gt;</th>' in text
    assert '<th scope="row"><a href="#a">a|b</a></th><td data-heading="x|y">1.2</td>' in text
    assert '<td data-heading="&lt;why&gt;" class="left">&lt;c&gt; &quot;has&quot;, -2.0</td>' in text
    assert "<caption>A &amp; B</caption>" in text
    first_right = to_html(tabulate([Column("n", str)], [("1",)]), "pairs")
    assert (
        '<th scope="col" class="right">n</th>' in first_right and '<th scope="row" class="right">1</th>' in first_right
    )
