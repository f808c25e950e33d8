"""Figures of analyses: their plain data and how they are drawn. A table is an exhibit too."""

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
    "Words",
    "dot",
    "from_json",
    "numbers",
    "to_json",
]
