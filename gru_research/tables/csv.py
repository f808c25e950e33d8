"""Writes tables as CSV."""

import csv
import io

from gru_research.tables.table import Table


def to_csv(table: Table, line_end: str = "\n") -> str:
    """Returns the headings and rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows([table.headings, *table.rows])
    return text.getvalue()
