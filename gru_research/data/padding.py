"""Rows of different lengths as one array."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def padded(rows: Sequence[Any], dtype: Any, least: int = 0) -> np.ndarray:
    """Returns rows `[T, ...]` of different lengths T as `[N, T, ...]`, padded with 0 to the longest, and to `least`."""
    shape = np.shape(rows[0])[1:] if len(rows) else ()
    out = np.zeros((len(rows), max([least, *map(len, rows)]), *shape), dtype)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out
