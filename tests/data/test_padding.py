"""Rows of different lengths as one array."""

import numpy as np
import pytest

from gru_research.data.padding import padded


@pytest.mark.parametrize(
    ("rows", "least", "expected"),
    [
        ([[1, 2], [], [3]], 0, [[1, 2], [0, 0], [3, 0]]),
        ([[1]], 3, [[1, 0, 0]]),
        ([[]], 0, [[]]),
        ([], 2, np.zeros((0, 2))),
        ([np.ones((1, 2)), np.full((2, 2), 3)], 0, [[[1, 1], [0, 0]], [[3, 3], [3, 3]]]),
    ],
)
def test_rows_end_with_zeros(rows: list, least: int, expected: list) -> None:
    found = padded(rows, np.int16, least)
    assert found.dtype == np.int16 and found.shape == np.shape(expected)
    np.testing.assert_array_equal(found, expected)
