"""Linear probes and separation, on states that are made to carry a quantity or not."""

import numpy as np
import pytest

from gru_research.analysis import linear_probe, separation
from gru_research.stats import probability_of_improvement

RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(20, 30, 4))


def test_a_quantity_that_is_a_linear_map_of_the_state_is_read_exactly() -> None:
    quantity = STATES @ [0.0, 2.0, 0.0, 1.0] + 3
    found = linear_probe(STATES, quantity)
    assert found.r2 == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(found.weights, [0, 2, 0, 1], atol=1e-4)
    np.testing.assert_allclose(found.read(STATES), quantity, atol=1e-4)
    assert found.ranking[:2].tolist() == [1, 3]
    # Of the variance 4 + 1 a unit explains its part, up to sampling.
    np.testing.assert_allclose(found.r2_units, [0, 0.8, 0, 0.2], atol=0.06)


def test_a_quantity_that_is_noise_is_not_read() -> None:
    found = linear_probe(STATES, RNG.normal(size=(20, 30)))
    assert -0.1 < found.r2 < 0.02


def test_a_quantity_of_the_sequence_alone_is_not_learnt_by_heart() -> None:
    """States that name their sequence: a probe that had seen steps of each would read anything."""
    names = np.repeat(np.eye(20)[:, None], 30, 1)
    quantity = np.repeat(RNG.normal(size=(20, 1)), 30, 1)
    assert linear_probe(names, quantity).r2 < 0.1


def test_a_unit_that_never_moves_is_no_trouble() -> None:
    still = np.concatenate([STATES, np.zeros((20, 30, 1))], -1)
    found = linear_probe(still, STATES[..., 0])
    assert found.r2 == pytest.approx(1, abs=1e-9) and abs(found.r2_units[4]) < 0.01


def test_separation_is_the_chance_that_the_larger_value_is_where_it_is_true() -> None:
    marked = RNG.random((20, 30)) < 0.2
    values = np.stack([marked + 0.0, 1.0 - marked, RNG.normal(size=marked.shape), np.zeros(marked.shape)], -1)
    values[..., 2] += marked
    found = separation(values, marked)
    assert found[0] == 1 and found[1] == 0 and found[3] == 0.5
    expected = probability_of_improvement(values[marked][:, 2], values[~marked][:, 2], resamples=1).value
    assert found[2] == pytest.approx(expected)


def test_what_does_not_fit_is_named() -> None:
    for states, quantity, said in (
        (STATES, STATES[0], "they must be"),
        (STATES[:3], STATES[:3, :, 0], "needs at least 5"),
        (STATES, np.full((20, 30), 2.0), "quantity is 2 everywhere"),
        (STATES * np.nan, STATES[..., 0], "must be finite"),
    ):
        with pytest.raises(ValueError, match=said):
            linear_probe(states, quantity)
    with pytest.raises(ValueError, match="ridge=0 must be above 0"):
        linear_probe(STATES, STATES[..., 0], ridge=0)
    with pytest.raises(ValueError, match="true at some steps and false at others"):
        separation(STATES, np.ones((20, 30)))
    with pytest.raises(ValueError, match="they must be"):
        separation(STATES, np.ones(20))
