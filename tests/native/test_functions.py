"""Sigmoid and tanh of the native engine against double precision. `check.cc` tests more floats."""

import ctypes

import numpy as np
import pytest

from gru_research.native import Library
from gru_research.native.library import FILE

MOST_ULPS = 2.5


@pytest.fixture(scope="module")
def floats() -> np.ndarray:
    """Every 4999th float, among them NaN, infinities and subnormals, and those around the edges of the functions."""
    edges = np.array([0, 1e-38, 0.3466, 9.1, 44, 87, 88, 88.5, 88.72, 89, 103.97, np.inf], np.float32).view(np.uint32)
    near = (edges[:, None] + np.arange(-200, 200, dtype=np.int64)).astype(np.uint32).ravel()
    bits = np.concatenate([np.arange(0, 2**32, 4999, dtype=np.uint32), near, near ^ np.uint32(2**31)])
    return np.resize(bits, (len(bits) + 15) // 16 * 16).view(np.float32)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_within_2_5_units_of_the_last_place(name: str, native_engine: Library, floats: np.ndarray) -> None:
    sigmoid, tanh = np.empty_like(floats), np.empty_like(floats)
    arrays = [ctypes.c_void_p(a.ctypes.data) for a in (floats, sigmoid, tanh)]
    ctypes.CDLL(str(FILE)).gru_research_functions(*arrays, ctypes.c_size_t(len(floats)))
    with np.errstate(all="ignore"):
        x = floats.astype(np.float64)
        want = 1 / (1 + np.exp(-x)) if name == "sigmoid" else np.tanh(x)
        got = sigmoid if name == "sigmoid" else tanh
        least = float(np.finfo(np.float32).tiny)
        error = np.abs(got - want) / 2.0 ** (np.frexp(np.maximum(np.abs(want), least))[1] - 24)
    # What is smaller than every normal float may be 0, as XLA has it.
    fine = (error <= MOST_ULPS) | ((np.abs(want) < least) & (np.abs(got) <= least)) | (np.isnan(x) & np.isnan(got))
    wrong = np.flatnonzero(~fine)[:5]
    assert not len(wrong), (x[wrong], got[wrong], want[wrong])
    assert np.isnan(x).any() and np.isinf(x).any()
