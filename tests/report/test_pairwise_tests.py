"""The claims of a run's report about pairs of cells."""

import numpy as np
import pytest

from gru_research import stats
from gru_research.report import pairwise_tests, results
from tests.report.synthetic import Cell, constant, table_text, write_run


def within(tmp_path, cells: dict[str, Cell], **fields) -> list[pairwise_tests.Pair]:
    (task,) = results.collect(write_run(tmp_path, cells, **fields))
    return pairwise_tests.within(task)


def spread(start: float, seeds: int) -> list[float | None]:
    return [start + 0.01 * (i % 3) + 0.001 * i for i in range(seeds)]


def test_five_seeds_are_too_few_however_large_the_difference(tmp_path):
    (pair,) = within(tmp_path, {"GRU": constant(*spread(0.1, 5)), "RNN": constant(*spread(9, 5))})
    assert pair.test.p == 0.0625
    assert pairwise_tests.verdict(pair) == "too few seeds (5 seeds can't go below p = 0.0625)"


@pytest.mark.parametrize(("x", "y", "winner"), [(0.1, 9.0, "GRU better"), (9.0, 0.1, "RNN better")])
def test_less_of_an_error_is_better(tmp_path, x, y, winner):
    (pair,) = within(tmp_path, {"GRU": constant(*spread(x, 6)), "RNN": constant(*spread(y, 6))})
    assert pair.verdict.adjusted_p == pytest.approx(2 / 2**6)
    assert pairwise_tests.verdict(pair) == winner
    assert pair.improvement.value == (1.0 if winner.startswith("GRU") else 0.0)


def test_more_of_an_accuracy_is_better(tmp_path):
    cells = {"GRU": constant(*spread(0.1, 6)), "RNN": constant(*spread(0.8, 6))}
    (pair,) = within(tmp_path, cells, direction="max")
    assert pairwise_tests.verdict(pair) == "RNN better"


def test_no_difference_shown(tmp_path):
    x, y = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.2, 0.1, 0.4, 0.3, 0.6, 0.5]
    (pair,) = within(tmp_path, {"GRU": constant(*x), "RNN": constant(*y)})
    assert pairwise_tests.verdict(pair) == "no difference shown"
    assert pair.improvement.value == pytest.approx(0.5)


def test_pairs_of_a_task_are_corrected_together(tmp_path):
    cells = {label: constant(*spread(start, 6)) for label, start in (("a", 0.1), ("b", 3.0), ("c", 9.0))}
    found = within(tmp_path, cells)
    assert [(pair.x, pair.y) for pair in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.verdict.adjusted_p for pair in found] == pytest.approx([3 * 2 / 2**6] * 3)
    assert {pairwise_tests.verdict(pair) for pair in found} == {
        "too few seeds (6 seeds can't go below p = 0.0938 in 3 tests)"
    }


def test_the_table_has_an_interval_from_five_seeds_on_and_the_seeds_that_a_claim_takes(tmp_path):
    x, y = [0.1, 0.2, 0.3, 0.4, 0.5], [0.2, 0.3, 0.4, 0.5, 0.45]
    found = within(tmp_path, {"GRU": constant(*x), "RNN": constant(*y)})
    table = pairwise_tests.table(found)
    assert table.headings == ("pair", "seeds", "wins", "difference", "p", "p (Holm)", "verdict", "seeds needed")
    (row,) = table.rows
    # 0.1 beats 5, 0.2 beats 4 and ties 1, 0.3 beats 3 and ties 1, 0.4 beats 2 and ties 1, 0.5 ties 1.
    share = (5 + 4.5 + 3.5 + 2.5 + 0.5) / 25
    estimate = stats.probability_of_improvement([stats.as_scores(x, "min")], [stats.as_scores(y, "min")])
    assert row[:2] == ("GRU over RNN", "5")
    assert row[2] == f"{100 * share:.0f} % [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"
    # Seed by seed -0.1, -0.1, -0.1, -0.1 and 0.05: the middle three.
    low, high = stats.iqm_interval(np.array(x) - np.array(y))
    assert row[3] == f"-0.1 [{low:.3g}, {high:.3g}]"
    needed = stats.seeds_needed(stats.as_scores(x, "min"), stats.as_scores(y, "min"), level=0.05)
    assert row[-1] == f"about {needed}"


@pytest.mark.parametrize(("x", "y"), [([0.1], [0.2]), ([None, None], [None, None]), ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])])
def test_one_seed_lost_seeds_and_equal_seeds_claim_nothing(tmp_path, x, y):
    (row,) = pairwise_tests.table(within(tmp_path, {"GRU": constant(*x), "RNN": constant(*y)})).rows
    assert "too few seeds" in row[-2]
    assert row[-1] == "-"
    assert "[" not in row[2] + row[3]


def test_a_lost_seed_loses(tmp_path):
    (pair,) = within(tmp_path, {"GRU": constant(*[0.9] * 6), "RNN": constant(*[None] * 6)})
    assert pairwise_tests.verdict(pair) == "GRU better"


def test_one_cell_has_no_pairs(tmp_path):
    assert within(tmp_path, {"GRU": constant(0.1, 0.2)}) == []


def test_a_terminal_gets_a_line_a_pair_or_one_for_many_that_claim_nothing(tmp_path):
    few = {"GRU": constant(*spread(0.1, 6)), "RNN": constant(*spread(9, 6))}
    said = "GRU over RNN: wins 100 % [100, 100], MSE differs by -8.9 [-8.9, -8.9], p = 0.0312: GRU better."
    assert said in table_text(write_run(tmp_path / "few", few))
    many = {label: constant(0.1, 0.2) for label in "abcd"}
    text = table_text(write_run(tmp_path / "many", many))
    assert "None of the 6 pairs of cells can be told apart: too few seeds" in text
    assert "with 8 it is possible" in text  # 6 * 2 / 2**8 = 0.047
    assert "a over b" not in text


@pytest.mark.parametrize("cells", ["ab", "abc"])
def test_with_one_seed_a_line_says_it_of_all_pairs(tmp_path, cells):
    text = table_text(write_run(tmp_path, {label: constant(0.1) for label in cells}))
    least = {"ab": 6, "abc": 7}[cells]
    assert f"With one seed no cells can be told apart; with {least} it is possible.\n" in text
    assert "too few seeds" not in text and "a over b" not in text


def test_the_difference_is_in_the_metrics_units_and_is_seed_by_seed(tmp_path):
    x, y = [0.9, 0.8, 0.95, 0.7, 0.85], [0.5, 0.9, 0.6, 0.6, 0.8]
    (pair,) = within(tmp_path, {"GRU": constant(*x), "RNN": constant(*y)}, direction="max")
    d = np.array(x) - np.array(y)
    assert pair.difference.value == pytest.approx(np.sort(d)[1:4].mean())
    assert pairwise_tests.difference(pair).startswith(f"{pair.difference.value:.3g} [")


def test_a_seed_that_failed_in_one_cell_alone_makes_an_end_infinite(tmp_path):
    found = within(tmp_path, {"GRU": constant(*spread(0.1, 6)), "RNN": constant(None, *spread(0.2, 5))})
    assert pairwise_tests.difference(found[0]).startswith("-0.09")
    assert pairwise_tests.difference(found[0]).split("[")[1].startswith("not finite, ")
    both = within(tmp_path / "both", {"GRU": constant(None, None, 0.1), "RNN": constant(None, None, 0.1)})
    assert pairwise_tests.difference(both[0]) == "0"
