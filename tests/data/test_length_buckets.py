"""Buckets of lengths: the least padding, found by trying all; batches of one bucket in an order of the seed."""

import itertools

import numpy as np
import pytest

from gru_research.data import LengthBuckets, ShuffledBatches, chunk, length_buckets
from gru_research.data.length_buckets import least_padding

B = 4


def stored(lengths: list[int]) -> dict[str, np.ndarray]:
    tokens = np.zeros((len(lengths), max(lengths)), np.int32)
    for row, length in zip(tokens, lengths, strict=True):
        row[:length] = length
    return {"inputs": tokens, "lengths": np.array(lengths, np.int32), "targets": np.arange(len(lengths))}


def test_the_widths_need_the_least_padding() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        lengths = np.sort(rng.choice(20, rng.integers(1, 7), replace=False)) + 1
        counts, most = rng.integers(1, 9, len(lengths)), int(rng.integers(1, 5))

        def padded(widths: list[int], lengths: np.ndarray = lengths, counts: np.ndarray = counts) -> int:
            return sum(
                count * min(width for width in widths if width >= length)
                for length, count in zip(lengths.tolist(), counts.tolist(), strict=True)
            )

        tried = [
            padded([*chosen, lengths[-1]])
            for size in range(min(most, len(lengths)))
            for chosen in itertools.combinations(lengths[:-1].tolist(), size)
        ]
        found = least_padding(lengths, counts, most)
        assert len(found) <= most and found[-1] == lengths[-1]
        assert padded(found) == min(tried)


def test_buckets_of_one_array() -> None:
    arrays = stored([2] * 30 + [3] * 20 + [9] * 10 + [20])
    buckets = length_buckets(arrays, {"inputs": "lengths"}, 3)
    assert buckets == LengthBuckets((("inputs", "lengths"),), ((3,), (9,), (20,)))
    assert buckets.of_examples(arrays).tolist() == [0] * 50 + [1] * 10 + [2]
    for rows, bucket, width in ((slice(25, 35), 0, 3), (slice(48, 52), 1, 9), (slice(-2, None), 2, 20)):
        batch = {name: a[rows] for name, a in arrays.items()}
        assert buckets.of_batch(batch) == bucket
        cut = buckets.cut(batch, bucket)
        assert cut["inputs"].shape == (len(batch["lengths"]), width)
        np.testing.assert_array_equal(cut["inputs"].sum(1), batch["lengths"] ** 2)
        assert cut["targets"] is batch["targets"]


def test_buckets_of_two_arrays_hold_the_longest_of_both() -> None:
    rng = np.random.default_rng(0)
    lengths = {"a": rng.integers(1, 10, 200), "b": rng.integers(1, 30, 200)}
    arrays = {"x": np.zeros((200, 9)), "y": np.zeros((200, 40)), **lengths}
    buckets = length_buckets(arrays, {"x": "a", "y": "b"}, 4)
    widths = np.array(buckets.widths)
    assert len(widths) == 4 and (np.diff(widths, axis=0) >= 0).all()
    assert widths[-1].tolist() == [9, lengths["b"].max()]
    of = buckets.of_examples(arrays)
    for n in range(200):
        assert (widths[of[n]] >= [lengths["a"][n], lengths["b"][n]]).all()
    batch = {name: a[:7] for name, a in arrays.items()}
    assert buckets.of_batch(batch) == of[:7].max()


def test_lengths_of_long_ranges_are_rounded() -> None:
    lengths = np.random.default_rng(0).integers(1, 100_000, 1000)
    buckets = length_buckets({"x": np.zeros((1000, 100_000), bool), "n": lengths}, {"x": "n"}, 4)
    assert len(buckets.widths) == 4 and buckets.widths[-1] == (lengths.max(),)
    kept = np.array(buckets.widths)[buckets.of_examples({"n": lengths}), 0].sum() / lengths.sum()
    assert 1 < kept < 1.4


@pytest.mark.parametrize("count", [2, 5])
def test_equal_lengths_are_one_bucket(count: int) -> None:
    assert length_buckets(stored([6] * 9), {"inputs": "lengths"}, count).widths == ((6,),)


def test_a_batch_has_examples_of_one_group_but_for_those_between_two() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 101)
    source = ShuffledBatches({"n": np.arange(101)}, B, seed=5, groups=groups)
    for epoch in range(4):
        batches = [source[epoch * 25 + n]["n"] for n in range(25)]
        assert len(np.unique(np.concatenate(batches))) == 100
        assert sum(len(set(groups[batch])) > 1 for batch in batches) <= 2
    found = [source[n]["n"] for n in range(100)]
    assert {len(set(groups[batch])) for batch in found} == {1, 2}
    again = ShuffledBatches({"n": np.arange(101)}, B, seed=5, groups=groups)
    for n in (99, 3, 60, 0):  # any step at any time
        np.testing.assert_array_equal(again[n]["n"], found[n])


def test_seeds_side_by_side_take_groups_in_one_order() -> None:
    groups = np.repeat([0, 1, 2], 200)
    sources = [ShuffledBatches({"n": np.arange(600)}, B, seed, groups=groups) for seed in (0, 1, 7)]
    batches = chunk(sources, 0, 300)["n"]
    order = groups[batches].max(-1)
    np.testing.assert_array_equal(order[0], order[1])
    np.testing.assert_array_equal(order[0], order[2])
    assert not np.array_equal(np.sort(batches[0], -1), np.sort(batches[1], -1))
    changes = np.count_nonzero(np.diff(order[0][:150]))
    assert 70 < changes < 130  # groups take turns at random: 100 of 149 are expected


def test_groups_are_one_an_example() -> None:
    with pytest.raises(ValueError, match=r"^groups of shape \(3,\) must be \[5\], one for each example$"):
        ShuffledBatches({"n": np.arange(5)}, 2, 0, groups=np.zeros(3, int))
