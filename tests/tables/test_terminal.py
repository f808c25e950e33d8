"""Tables within 80 columns: names break only between words, numbers never break."""

import io

import pytest
import rich.console

from gru_research.tables import Column, tabulate, terminal
from tests.report.synthetic import Cell, falling, table_text, write_run


def shown(headings: list[str], rows: list[list[str]], width: int = 80) -> list[str]:
    out = io.StringIO()
    columns = [Column(text, lambda *row, i=i: row[i], "right" if i else "left") for i, text in enumerate(headings)]
    terminal.show(rich.console.Console(file=out, width=width), tabulate(columns, rows, "a title"))
    return out.getvalue().splitlines()


def test_names_of_tasks_and_trivial_answers_are_not_broken_within_a_word():
    headings = ["run", "test metric", "baseline", "gru", "bidirectional_lstm"]
    rows = [["sequential_mnist_permuted", "classification_error", "always answering the commonest class: 0.9021",
             "0.01234 (5/5)", "0.02345 (5/5)"]]  # fmt: skip
    text = shown(headings, rows)
    assert max(map(len, text)) <= 80
    words = " ".join(text).split()
    for whole in ("answering", "commonest", "class:", "0.9021", "0.01234", "0.02345"):
        assert whole in words
    # Too wide as wholes, names go on after an underscore.
    parts = [word for word in words if len(word) > 1 and word in "sequential_mnist_permuted"]
    assert "".join(parts) == "sequential_mnist_permuted"
    assert all(part.endswith("_") for part in parts[:-1])


def test_a_name_is_whole_where_there_is_room():
    (*_, row) = shown(["run", "value"], [["sequential_mnist_permuted", "1"]])
    assert row.split() == ["sequential_mnist_permuted", "1"]


def test_numbers_are_whole_even_where_a_name_has_no_joint():
    headings = ["cell", *(f"number {i}" for i in range(7))]
    rows = [["x" * 60, *["1,234,567"] * 7]]
    text = shown(headings, rows)
    assert max(map(len, text)) <= 80
    assert sum(line.count("1,234,567") for line in text) == 7
    assert "".join(line.split()[0] for line in text if line.startswith("x")) == "x" * 60


def test_below_the_least_width_lines_are_longer_and_numbers_still_whole():
    text = shown(["cell", "a", "b"], [["a_long_name", "1,234,567", "0.001234"]], width=20)
    (row, *_) = (line for line in text if "1,234,567" in line)
    assert row.split()[1:] == ["1,234,567", "0.001234"]


@pytest.mark.parametrize(("word", "width", "lines"), [
    ("formal_languages", 20, ["formal_languages"]),
    ("formal_languages", 10, ["formal_", "languages"]),
    ("a_b_c_d", 4, ["a_b_", "c_d"]),
    ("LayerNormGRU", 9, ["LayerNorm", "GRU"]),
    ("0.0037 \u00b1\u00a00.002", 8, ["0.0037", "\u00b1\u00a00.002"]),
    ("formal_languages [0.1, 0.2]", 12, ["formal_", "languages", "[0.1, 0.2]"]),
    ("", 4, [""]),
    ("-0.00123", 4, ["-0.00123"]),
    ("[-1e-05,", 4, ["[-1e-05,"]),
])  # fmt: skip
def test_where_words_break(word, width, lines):
    assert terminal.wrapped(word, width).split("\n") == lines


def test_a_summary_with_large_numbers_fits_80_columns(tmp_path):
    tests = [0.001234 * (s + 1) for s in range(5)]
    cells = {
        label: Cell([falling(s) for s in range(5)], tests, parameters=1_234_567, ms_per_step=123.4)
        for label in ("gru", "bidirectional_lstm")
    }
    text = table_text(write_run(tmp_path, cells, every=1000, name="formal_languages"), width=80).splitlines()
    last = next(i for i, line in enumerate(text) if line.startswith("Baseline"))
    table = text[:last]
    assert max(map(len, table)) <= 80
    assert sum(line.split().count("1,234,567") for line in table) == 2
    assert "bidirectional_" in " ".join(table).split()
