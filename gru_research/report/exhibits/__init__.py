"""Tables and figures of analyses: their plain data and how they are drawn."""

from gru_research.report.exhibits.data import (
    Dot,
    Dots,
    Exhibit,
    Grid,
    Heat,
    Line,
    Lines,
    Number,
    Panel,
    Table,
    Words,
    dot,
    from_json,
    numbers,
    to_json,
)

__all__ = [
    "Dot",
    "Dots",
    "Exhibit",
    "Grid",
    "Heat",
    "Line",
    "Lines",
    "Number",
    "Panel",
    "Table",
    "Words",
    "dot",
    "from_json",
    "numbers",
    "to_json",
]
