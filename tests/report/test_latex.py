"""LaTeX tables: their structure, and the escaping of labels and numbers without loss."""

import re
from pathlib import Path

import pytest

from gru_research import report
from gru_research.report import latex
from tests.report.synthetic import constant, two_cells, write_run

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
    text = latex.to_latex(["cell", "x [%]"], [["[a]", "1"], ["b&c", "-2"]], {"Made by": "report\n--latex"})
    assert text.splitlines()[0] == "% Made by: report --latex"
    assert rows(text) == (["cell", r"x {[}\%{]}"], [["{[}a{]}", "1"], [r"b\&c", "$-$2"]])
    # A row that began with a bracket would give it to the line break before.
    assert not re.search(r"\\\\\s*\n\s*[\[*]", text)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, report.ReportPaths]:
    workdir = tmp_path_factory.mktemp("latex")
    cells = {HOSTILE: two_cells(5)["GRU"], "RNN": two_cells(5)["RNN"]}
    write_run(workdir, cells)
    return workdir, report.write(workdir, latex_by="python -m experiments.report --workdir=RUN --latex")


def test_a_runs_tables_hold_what_its_page_holds(written):
    _, paths = written
    assert [path.name for path in paths.tables] == ["summary.tex", "pairs.tex", "seeds.tex"]  # one metric alone
    summary, pairs, seeds = (rows(path.read_text()) for path in paths.tables)
    assert [shown(row[0]) for row in summary[1]] == [HOSTILE, "RNN", "always predicting 1"]
    at = summary[0].index("test MSE (IQM)")
    assert [row[at] for row in summary[1]] == ["0.003", "0.19", "0.167"]
    assert shown(pairs[1][0][0]) == f"{HOSTILE} over RNN"
    assert pairs[1][0][pairs[0].index("difference")].startswith("$-$0.187 {[}$-$0.2")
    assert len(seeds[1]) == 10


def test_the_comment_says_by_which_command_and_of_which_run(written):
    workdir, paths = written
    for path in paths.tables:
        comment = [line for line in path.read_text().splitlines() if line.startswith("%")]
        assert comment[0] == "% Made by: python -m experiments.report --workdir=RUN --latex"
        assert comment[1] == f"% Of the run: {workdir}"
        said = "\n".join(comment)
        assert "experiments/compare.py --config=configs/adding.py '--config.only=GRU, RNN'" in said
        assert "2025-01-02T03:04:05+00:00" in said and "0123abcd, with uncommitted changes" in said


def test_without_the_flag_there_are_none(tmp_path):
    write_run(tmp_path, {"GRU": constant(0.1)})
    assert report.write(tmp_path).tables == ()
    assert not (tmp_path / "tables").exists()
