"""Tables as LaTeX: their structure, and the escaping of labels and numbers without loss."""

import re

import pytest

from gru_research.tables import Heading, Table, latex

HOSTILE = r"""50% of $x_1$ & #2 {a}~b^c\input{/etc/passwd} <|"'>"""


def columns(line: str) -> list[str]:
    """Splits a row into its texts at unescaped ampersands."""
    assert line.endswith(r" \\"), line
    return [text.strip() for text in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))]


def rows(text: str) -> tuple[list[str], list[list[str]]]:
    """Checks a table's structure and returns its headings and rows."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    begin, top, heading, middle, *body, bottom, end = lines
    found = re.fullmatch(r"\\begin\{tabular\}\{@\{\}(l?r*)@\{\}\}", begin)
    assert found and (top, middle, bottom, end) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}")
    texts = [columns(line) for line in [heading, *body]]
    assert {len(row) for row in texts} == {len(found[1])}
    return texts[0], texts[1:]


def shown(text: str) -> str:
    """Returns the text that LaTeX would print for escaped text. Knows only the commands of our escaping."""
    named = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<",
             "textgreater": ">", "textbar": "|"}  # fmt: skip
    text = text.replace(r"{\char34}", '"').replace("{[}", "[").replace("{]}", "]").replace("{*}", "*")
    apart = {name: chr(0xE000 + i) for i, name in enumerate(named)}  # characters that no text has
    text = re.sub(r"\\(text\w+)\{\}", lambda found: apart[found[1]], text)
    assert not re.search(r"(?<!\\)[$&#_%{}~^]|\\(?![{}$&#_%])", text), text
    text = re.sub(r"\\([{}$&#_%])", r"\1", text)
    return text.translate({ord(apart[name]): character for name, character in named.items()})


@pytest.mark.parametrize("text", [HOSTILE, "a_b", "[0.1]", "*", "", "100 %", r"\\", "\u00fc\u4e2d"])
def test_plain_text_is_shown_literally(text):
    assert shown(latex.escaped(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0123", "0.0123"),
        ("1,234,567", "1,234,567"),
        ("-0.5", "$-$0.5"),
        ("1.2e-05", r"$1.2 \times 10^{-5}$"),
        ("-3e+10", r"$-3 \times 10^{10}$"),
        ("[-0.1, 2e-09]", r"{[}$-$0.1, $2 \times 10^{-9}${]}"),
        ("0.0037 \u00b1\u00a00.002", r"0.0037 $\pm$~0.002"),
        ("92 % [72, 100]", r"92 \% {[}72, 100{]}"),
        ("gru-2 better", "gru-2 better"),
        ("5/5", "5/5"),
        ("not finite", "not finite"),
        ("-", "-"),
    ],
)
def test_numbers(text, expected):
    assert latex.number(text) == expected


def test_a_table_is_a_tabular_with_the_rules_of_booktabs():
    table = Table("", (Heading("cell", "left"), Heading("x [%]")), (("[a]", "1"), ("b&c", "-2")))
    text = latex.to_latex(table, {"Made by": "report\n--latex"})
    assert text.splitlines()[0] == "% Made by: report --latex"
    assert rows(text) == (["cell", r"x {[}\%{]}"], [["{[}a{]}", "1"], [r"b\&c", "$-$2"]])
    # A row that began with a bracket would give it to the line break before.
    assert not re.search(r"\\\\\s*\n\s*[\[*]", text)
