"""Writes tables for LaTeX, in the style of the package booktabs: `tables/*.tex`, each a `tabular` for a paper."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gru_research.report import files, pairwise_tests, results, tables

Table = tuple[Sequence[str], Sequence[Sequence[str]]]

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}",
    "[": "{[}", "]": "{]}", "*": "{*}", "\u00a0": "~", "\u00b1": r"$\pm$", "\u2212": "$-$", "\u2026": r"\ldots{}",
    "\u201c": "``", "\u201d": "''",
}  # fmt: skip
# After "\\", LaTeX would read a bracket or an asterisk as an argument.
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")


def write(
    workdir: Path, task: results.TaskResults, found: Sequence[pairwise_tests.Pair], made: Mapping[str, str]
) -> list[Path]:
    """Writes a task's summary, metrics (if there are several), pairs and seeds to `workdir/tables`.

    `made` has facts on the origin of the tables, by name, for the comment at the top of each file.
    """
    folder = workdir / "tables"
    folder.mkdir(exist_ok=True)
    of_task: dict[str, Table | None] = {
        "summary": tables.summary_table(task, trivial=True) if task.complete else None,
        "metrics": tables.metrics_table(task),
        "pairs": pairwise_tests.table(found) if found else None,
        "seeds": tables.seeds_table(task) if any(cell.seeds for cell in task.cells) else None,
    }
    return [
        files.replace(folder / f"{name}.tex", to_latex(*table, made).encode())
        for name, table in of_task.items()
        if table is not None
    ]


def to_latex(headings: Sequence[str], rows: Sequence[Sequence[str]], made: Mapping[str, str]) -> str:
    """Returns an escaped `tabular` with the rules of booktabs. The first column is text, the others are numbers."""
    comments = [f"% {name}: {_one_line(text)}" for name, text in made.items()]
    lines = [
        *comments,
        r"% \usepackage{booktabs} in the preamble",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(headings) - 1)}@{{}}}}",
        r"\toprule",
        _line([escaped(heading) for heading in headings]),
        r"\midrule",
        *(_line([escaped(row[0]), *(number(text) for text in row[1:])]) for row in rows),
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


def _line(texts: Sequence[str]) -> str:
    return " & ".join(texts) + r" \\"
