"""Counts in sentences."""

import pytest

from gru_research.plural import several


@pytest.mark.parametrize(("count", "text"), [(1, "1 seed"), (0, "0 seeds"), (2, "2 seeds"), (1200, "1,200 seeds")])
def test_one_is_singular(count: int, text: str) -> None:
    assert several(count, "seed") == text
