"""Holm's correction against closed testing, and when there are too few seeds to claim anything."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gru_research import stats

P = st.floats(0, 1, allow_subnormal=False)
PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)


def by_closed_testing(ps):
    """A hypothesis falls where Bonferroni's test rejects every intersection with it (Marcus et al. 1976)."""
    adjusted = np.zeros(len(ps))
    for size in range(1, len(ps) + 1):
        for subset in itertools.combinations(range(len(ps)), size):
            together = min(1.0, size * min(ps[i] for i in subset))
            for i in subset:
                adjusted[i] = max(adjusted[i], together)
    return adjusted


def seeds_that_all_favour(count, tests=1):
    return [stats.paired_permutation_test(np.arange(1.0, count + 1), np.zeros(count))] * tests


@PROPERTY
@given(st.lists(P | st.sampled_from([0.0, 0.01, 0.5, 1.0]), max_size=6))
def test_holm_is_closed_testing_with_bonferroni(ps):
    np.testing.assert_allclose(stats.holm(ps), by_closed_testing(ps), rtol=1e-12)


def test_holm_by_hand():
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 isn't below the one before
    np.testing.assert_allclose(stats.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.2]) == [0.2]
    assert stats.holm([]).shape == (0,)


def test_holm_holds_the_chance_of_any_false_rejection():
    rng = np.random.default_rng(0)
    trials = 2000
    false = np.mean([(stats.holm(np.append(rng.random(3), 1e-6))[:3] <= 0.1).any() for _ in range(trials)])
    # Three true hypotheses beside one that falls: 1 - (1 - 0.1 / 3)**3 and a little more.
    assert 0.07 < false <= 0.1 + 3 * (0.09 / trials) ** 0.5


@PROPERTY
@given(st.lists(P, min_size=1, max_size=6), st.data())
def test_holm_never_falls_where_a_p_rises(ps, data):
    higher = [data.draw(st.floats(p, 1)) for p in ps]
    assert (stats.holm(higher) >= stats.holm(ps)).all()


@pytest.mark.parametrize("ps", [[-0.1], [1.1, 0.5], [float("nan")]])
def test_holm_refuses_what_is_no_probability(ps):
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        stats.holm(ps)


def test_holm_refuses_two_axes():
    with pytest.raises(ValueError, match="one axis"):
        stats.holm([[0.5]])


@pytest.mark.parametrize(
    ("level", "tests", "expected"),
    [(0.05, 1, 6), (0.0625, 1, 5), (0.05, 2, 7), (0.05, 3, 7), (0.05, 4, 8), (0.01, 1, 8), (0.99, 1, 2)],
)
def test_seeds_needed_for_level(level, tests, expected):
    assert stats.seeds_needed_for_level(level, tests) == expected
    # Such seeds that all favour x are enough, and with one fewer no result is.
    for count, answer in [(expected, "better"), (expected - 1, "too few seeds")]:
        assert {v.answer for v in stats.verdicts(seeds_that_all_favour(count, tests), level)} == {answer}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"level": 0}, "level=0"), ({"level": 1.0}, "level=1.0"), ({"tests": 0}, "tests=0 must be at least 1")],
)
def test_seeds_needed_for_level_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        stats.seeds_needed_for_level(**options)


def test_five_seeds_can_never_show_anything():
    (verdict,) = stats.verdicts(seeds_that_all_favour(5))
    assert verdict == stats.Verdict("too few seeds", adjusted_p=0.0625, smallest_p=0.0625)


def test_verdicts_of_several_tests():
    outcomes = [(1.0, 0.004), (-0.9, 0.016), (0.5, 0.03), (0.0, 1.0)]
    tests = [stats.PermutationTest(effect, p, smallest_p=2**-9) for effect, p in outcomes]
    found = stats.verdicts(tests)
    assert [v.answer for v in found] == ["better", "worse", "not shown", "not shown"]
    np.testing.assert_allclose([v.adjusted_p for v in found], [0.016, 0.048, 0.06, 1.0])
    np.testing.assert_allclose([v.smallest_p for v in found], 4 * 2**-9)
    assert stats.verdicts([]) == []
    with pytest.raises(ValueError, match="level=2"):
        stats.verdicts(tests, level=2)


def test_seeds_that_tie_are_not_too_few():
    verdict = stats.verdicts([stats.paired_permutation_test([1.0] * 10, [1.0] * 10)])[0]
    assert verdict.answer == "not shown"
