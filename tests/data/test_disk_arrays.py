"""Arrays that stay on disk: the same rows as in memory, in any shape of index; faults are one line."""

from typing import Any

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DiskArrays, Layout, ShuffledBatches, chunk

N = 2500


class Examples:
    """As TFDS's data sources are; position 13 of a damaged one can't be read."""

    def __init__(self, damaged: bool = False) -> None:
        self.damaged = damaged
        self.asked: list[int] = []  # how many at a time

    def __len__(self) -> int:
        return N

    def __getitems__(self, positions: list[int]) -> list[dict[str, Any]]:
        self.asked.append(len(positions))
        if self.damaged and 13 in positions:
            raise RuntimeError("checksum\nmismatch")
        return [{"n": n, "unused": None} for n in positions]


def row(example: dict[str, Any]) -> dict[str, Any]:
    if example["n"] == 17:
        raise UserError("17 is too long")
    return {"pair": [example["n"], -example["n"]], "label": example["n"] % 7}


LAYOUTS = {"pair": Layout((2,), np.dtype(np.float32)), "label": Layout((), np.dtype(np.int32))}


def arrays(examples: Examples | None = None) -> DiskArrays:
    return DiskArrays(examples or Examples(), LAYOUTS, row, "dataset='x'")


@pytest.mark.parametrize("index", [np.arange(100, 100 + 2100), np.array([[40, 3], [2000, 3]]), np.empty((0,), int)])
def test_rows_at_any_index(index: np.ndarray) -> None:
    got = arrays().take(index)
    assert got["pair"].shape == (*index.shape, 2) and got["pair"].dtype == np.float32 and got["label"].dtype == np.int32
    np.testing.assert_array_equal(got["pair"], np.stack([index, -index], -1))
    np.testing.assert_array_equal(got["label"], index % 7)


def test_few_decoded_examples_are_there_at_a_time() -> None:
    examples = Examples()
    arrays(examples).take(np.arange(100, 2300))
    assert examples.asked == [1000, 1000, 200]


def test_it_looks_like_arrays_in_memory() -> None:
    on_disk = arrays()
    assert list(on_disk) == ["pair", "label"] and on_disk.nbytes == N * 12
    assert {name: (len(a), a.shape, a.dtype, a.nbytes) for name, a in on_disk.items()} == {
        "pair": (N, (N, 2), np.float32, N * 8),
        "label": (N, (N,), np.int32, N * 4),
    }
    assert on_disk["label"][:3].tolist() == [0, 1, 2]
    assert on_disk["pair"][np.array([5, 4])].tolist() == [[5, -5], [4, -4]]


def test_batches_are_those_of_arrays_in_memory() -> None:
    index = np.arange(N)
    memory = {"pair": np.stack([index, -index], -1).astype(np.float32), "label": (index % 7).astype(np.int32)}
    sources = [
        [ShuffledBatches(a, 400, seed) for seed in (1, 2)]
        for a in (
            DiskArrays(Examples(), LAYOUTS, lambda e: {"pair": [e["n"], -e["n"]], "label": e["n"] % 7}, "x"),
            memory,
        )
    ]
    got, want = (chunk(s, 4, 5) for s in sources)  # over a border between epochs of 6 batches
    for name, array in want.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)
        np.testing.assert_array_equal(sources[0][0][7][name], sources[1][0][7][name])
    assert repr(sources[0][0]) == repr(sources[1][0])


def test_faults_are_one_line() -> None:
    with pytest.raises(UserError, match=r"^17 is too long$"):
        arrays().take(np.arange(16, 18))
    with pytest.raises(UserError) as caught:
        arrays(Examples(damaged=True)).take(np.arange(12, 15))
    assert str(caught.value) == "dataset='x' is damaged (RuntimeError: checksum mismatch): prepare it again"


def test_alike_in_memory_and_on_disk_only_with_one_layout() -> None:
    with pytest.raises(ValueError, match="alike in batch size"):
        chunk([ShuffledBatches(arrays(), 4, 0), ShuffledBatches({"pair": np.zeros((N, 2))}, 4, 0)], 0, 1)


def test_rows_that_are_not_finite_are_named_by_their_place_in_the_set() -> None:
    on_disk = DiskArrays(
        Examples(), LAYOUTS, lambda e: {"pair": [0, np.nan if e["n"] == 44 else 1], "label": 0}, "dataset='x'"
    )
    on_disk.take(np.array([43, 45]))
    with pytest.raises(UserError, match="dataset='x': pair of example 44 holds nan"):
        on_disk.take(np.array([[3, 2], [44, 1]]))
