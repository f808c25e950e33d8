"""Tables, each declared as a list of columns, and their forms: terminal, HTML, LaTeX, Markdown and CSV.

`tabulate` makes a `Table` of texts from columns and rows. Every form is a function of a `Table`.
"""

from gru_research.tables.csv import to_csv
from gru_research.tables.html import to_html
from gru_research.tables.latex import to_latex
from gru_research.tables.markdown import to_markdown
from gru_research.tables.table import Align, Column, Heading, Table, tabulate

__all__ = ["Align", "Column", "Heading", "Table", "tabulate", "to_csv", "to_html", "to_latex", "to_markdown"]
