"""Groups stored sequences by length, so that their batches need little padding."""

import dataclasses
import functools
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

_MOST_LENGTHS = 512
"""Longer ranges of lengths are rounded up: the search for buckets compares all pairs of lengths."""


@dataclasses.dataclass(frozen=True)
class LengthBuckets:
    """Ranges of lengths. A batch is cut to the widths of the first bucket that holds its longest sequences.

    Attributes:
      padded: pairs of a padded array `[N, T, ...]` and the array `[N]` with its lengths.
      widths: for each bucket, the width T to which each padded array is cut; no bucket is narrower than the one before.
    """

    padded: tuple[tuple[str, str], ...]
    widths: tuple[tuple[int, ...], ...]

    def of_examples(self, arrays: Mapping[str, Any]) -> np.ndarray:
        """Returns the bucket `[N]` of each example."""
        found = np.zeros(len(arrays[self.padded[0][1]]), np.int32)
        for bucket in self.widths[:-1]:
            found += functools.reduce(operator.or_, self._exceeds(bucket, arrays))
        return found

    def of_batch(self, batch: Mapping[str, Any]) -> Any:
        """Returns the bucket of a batch of NumPy's or jax's arrays."""
        longest = {lengths: batch[lengths].max() for _, lengths in self.padded}
        return sum(functools.reduce(operator.or_, self._exceeds(bucket, longest)) + 0 for bucket in self.widths[:-1])

    def cut(self, batch: Mapping[str, Any], bucket: int) -> dict[str, Any]:
        """Returns a batch `[B, T, ...]` with its padded arrays cut to the widths of a bucket."""
        widths = {name: width for (name, _), width in zip(self.padded, self.widths[bucket], strict=True)}
        return {name: a[:, : widths[name]] if name in widths else a for name, a in batch.items()}

    def _exceeds(self, bucket: tuple[int, ...], lengths: Mapping[str, Any]) -> list[Any]:
        return [lengths[name][...] > width for (_, name), width in zip(self.padded, bucket, strict=True)]


def length_buckets(arrays: Mapping[str, Any], padded: Mapping[str, str], count: int) -> LengthBuckets:
    """Returns the `count` buckets, or fewer, that need the least padding.

    Padding is counted over the sum of an example's lengths, if several arrays are padded. Examples of one sum are in
    one bucket.

    Args:
      arrays: arrays `[N, ...]` by name.
      padded: the arrays to cut, each with the name of the array of its lengths.
      count: 1 or more.
    """
    lengths = {name: np.asarray(arrays[name][:]) for name in padded.values()}
    total = np.sum([lengths[name] for name in padded.values()], axis=0)
    step = -(-int(total.max()) // _MOST_LENGTHS)
    total = -(-total // step) * step
    widths = [
        tuple(int(lengths[name][total <= end].max()) for name in padded.values())
        for end in least_padding(*np.unique(total, return_counts=True), count)
    ]
    return LengthBuckets(tuple(padded.items()), tuple(widths))


def least_padding(lengths: np.ndarray, counts: np.ndarray, count: int) -> list[int]:
    """Returns the widths of at most `count` groups of `counts [L]` sequences of rising `lengths [L]`, for which the sum
    of all padded lengths is least."""
    before = np.concatenate([[0], np.cumsum(counts)])
    # least[l]: the least sum for the sequences of the first l lengths; each round allows one more group.
    least = np.concatenate([[0.0], lengths * before[1:].astype(float)])
    choices = []
    for _ in range(min(count, len(lengths)) - 1):
        # The last group begins after the first l lengths and ends with length m.
        sums = least[:-1, None] + lengths[None] * (before[None, 1:] - before[:-1, None])
        sums = np.where(np.tri(len(lengths)).T > 0, sums, np.inf)
        choices.append(sums.argmin(0))
        least = np.concatenate([[0.0], sums.min(0)])
    ends, end = [], len(lengths)
    for choice in reversed(choices):
        ends.append(int(lengths[end - 1]))
        end = int(choice[end - 1])
        if not end:
            break
    return sorted({*ends, *([int(lengths[end - 1])] if end else [])})
