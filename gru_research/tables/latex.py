"""Writes tables for LaTeX, in the style of the package booktabs."""

import re
from collections.abc import Iterable, Mapping

from gru_research.tables.table import Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}",
    "[": "{[}", "]": "{]}", "*": "{*}", "\u00a0": "~", "\u00b1": r"$\pm$", "\u2212": "$-$", "\u2026": r"\ldots{}",
    "\u201c": "``", "\u201d": "''",
}  # fmt: skip
# After "\\", LaTeX would read a bracket or an asterisk as an argument.
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")


def to_latex(table: Table, made: Mapping[str, str]) -> str:
    """Returns an escaped `tabular` with the rules of booktabs, without the caption. Right-aligned columns hold numbers.

    `made` has facts on the origin of the table, by name, for the comment above it.
    """
    written = [number if column.align == "right" else escaped for column in table.columns]
    comments = [f"% {name}: {_one_line(text)}" for name, text in made.items()]
    lines = [
        *comments,
        r"% \usepackage{booktabs} in the preamble",
        rf"\begin{{tabular}}{{@{{}}{''.join(column.align[0] for column in table.columns)}@{{}}}}",
        r"\toprule",
        _line(map(escaped, table.headings)),
        r"\midrule",
        *(_line(write(text) for write, text in zip(written, row, strict=True)) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Escapes plain text for LaTeX."""
    return "".join(_SPECIAL.get(character, character) for character in _one_line(text))


def number(text: str) -> str:
    """Escapes text with numbers for LaTeX: hyphens of numbers become minus signs, exponents powers of ten."""
    pieces, end = [], 0
    for found in _NUMBER.finditer(text):
        pieces += [escaped(text[end : found.start()]), _one(found[0])]
        end = found.end()
    return "".join([*pieces, escaped(text[end:])])


def _one(text: str) -> str:
    digits, _, exponent = text.partition("e")
    sign = "$-$" if digits.startswith("-") else ""
    plain = digits.lstrip("-")
    if not exponent:
        return f"{sign}{plain}"
    return rf"${'-' if sign else ''}{plain} \times 10^{{{int(exponent)}}}$"


def _one_line(text: str) -> str:
    """Replaces line breaks and other unprintable characters with spaces, except for no-break spaces."""
    return "".join(c if c.isprintable() or c == "\u00a0" else " " for c in text)


def _line(texts: Iterable[str]) -> str:
    return " & ".join(texts) + r" \\"
