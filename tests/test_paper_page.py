"""docs/paper.md: its numbers match the seeds file beside it, and everything that it names exists."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from gru_research import stats

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "paper.md").read_text(encoding="utf-8")
PLAIN = " ".join(TEXT.replace("\n> ", " ").split())


@pytest.fixture(scope="module")
def errors() -> dict[str, np.ndarray]:
    """Returns each cell's test errors in the order of seeds."""
    found: dict[str, list[float]] = {}
    with (DOCS / "figures" / "paper" / "seeds.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert int(row["seed"]) == len(found.setdefault(row["cell"], []))
            found[row["cell"]].append(float(row["test_mse"]))
    return {cell: np.array(values) for cell, values in found.items()}


def test_the_table_is_computed_from_the_seeds(errors: dict[str, np.ndarray]) -> None:
    assert list(errors) == ["gru", "lstm", "rnn"] and {len(values) for values in errors.values()} == {10}
    for cell, values in errors.items():
        low, high = stats.iqm_interval(values)
        (row,) = re.findall(rf"^\| {cell} \| (.*) \|$", TEXT, re.MULTILINE)
        shown = [f"{stats.iqm(values):.4g}", f"[{low:.3g}, {high:.3g}]"]
        shown.append(f"{values.mean():.3g} \u00b1 {values.std(ddof=1):.2g}")
        assert row.split(" | ")[:3] == shown


def test_the_differences_and_p_values_of_the_text_too(errors: dict[str, np.ndarray]) -> None:
    pairs = [("gru", "lstm"), ("gru", "rnn"), ("lstm", "rnn")]
    tests = [
        stats.paired_permutation_test(stats.as_scores(errors[x], "min"), stats.as_scores(errors[y], "min"))
        for x, y in pairs
    ]
    adjusted = stats.holm([test.p for test in tests])
    assert [f"{p:.3f}" for p in adjusted] == ["0.006", "0.006", "0.275"]
    for (x, y), p, before in zip(pairs[:2], adjusted[:2], ("lower than the LSTM's", "the vanilla RNN's"), strict=True):
        found = stats.paired_difference(errors[x], errors[y])
        ends = f"{-found.high:.4f} to {-found.low:.4f}"
        said = re.search(rf"{before} by (0\.\d+) \((?:paired, )?(0\.\d+ to 0\.\d+); adjusted p = (0\.\d+)\)", PLAIN)
        assert said and said.groups() == (f"{-found.value:.4f}", ends, f"{p:.3f}")
    assert "no difference was shown (adjusted p = 0.275)" in PLAIN
    needed = stats.seeds_needed(-errors["rnn"], -errors["lstm"], level=0.05 / 3)
    assert f"about {needed} seeds for the LSTM and the vanilla RNN" in PLAIN


def test_what_solved_is_said_of_all_seeds() -> None:
    with (DOCS / "figures" / "paper" / "seeds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    solved = {
        cell: sum(row["cell"] == cell and row["steps_to_solve"] != "" for row in rows)
        for cell in ("gru", "lstm", "rnn")
    }
    assert solved == {"gru": 10, "lstm": 8, "rnn": 10}
    for cell, count in solved.items():
        assert re.search(rf"^\| {cell} \|.*\| {count}/10 \|$", TEXT, re.MULTILINE)


def test_the_coverage_that_is_named_is_the_measured_one() -> None:
    assert f"with 10 seeds it covers about {100 * stats.MEASURED_COVERAGE[10]:.0f} %" in PLAIN


def test_files_and_pages_that_it_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        if not target.startswith("https://"):
            assert (DOCS / target).is_file(), target
