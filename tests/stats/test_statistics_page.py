"""The example and the numbers of docs/statistics.md."""

import re
from pathlib import Path
from typing import Any

import pytest

from gru_research import stats

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text()


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    (block,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def test_the_example_gives_what_its_comments_say(example: dict[str, Any]) -> None:
    names = example
    assert f"# {names['mean']:.4f}, from {names['low']:.4f} to {names['high']:.4f}\n" in TEXT
    wins = names["wins"]
    assert f"# {wins.value:.2f}, from {wins.low:.2f} to {wins.high:.2f}:" in TEXT
    by = names["by"]
    assert f"# {by.value:.3f}, from {by.low:.3f} to {by.high:.3f}:" in TEXT
    assert f"# p = {names['test'].p:.4f}\n" in TEXT
    assert f'# "{names["verdict"].answer}"' in TEXT
    (without,) = stats.verdicts([stats.paired_permutation_test(names["x"][:7], names["y"][:7])])
    assert f'p would be {without.adjusted_p:.4f} and the verdict "{without.answer}"' in TEXT
    assert ((names["scores"] >= 0) & (names["scores"] <= 1)).all()


def row(heading: str) -> list[str]:
    (cells,) = re.findall(rf"^\| {re.escape(heading)} \|(.*)\|$", TEXT, re.MULTILINE)
    return [cell.strip() for cell in cells.split("|")]


def test_the_coverage_is_the_one_that_reports_use() -> None:
    said = dict(zip(map(int, row("seeds")), row("covers"), strict=True))
    assert said == {seeds: f"{100 * share:.1f} %" for seeds, share in stats.MEASURED_COVERAGE.items()}


def test_the_seeds_that_a_claim_takes() -> None:
    said = dict(zip(map(int, row("tests")), map(int, row("seeds (`seeds_needed_for_level`)")), strict=True))
    assert said == {tests: stats.seeds_needed_for_level(0.05, tests) for tests in said}
    assert stats.paired_permutation_test(range(1, 6), [0] * 5).p == 0.0625  # 5 seeds, as far apart as can be
