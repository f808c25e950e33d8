"""Random access to batches of stored data, which are shuffled every epoch.

The order is a function of `(seed, epoch)`, so the training step alone gives the position in the data:
a run that resumes at step 1,234 reads batch 1,234, without replay.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import SupportsIndex

import numpy as np

from gru_research.data.disk_arrays import DiskArrays


class ShuffledBatches:
    """A sequence of batches from arrays in memory or on disk. Element i is the batch of training step i.

    Epoch `i // batches_per_epoch` has its own order of the examples and drops the remainder that doesn't fill a
    batch. The class is a grain `RandomAccessDataSource`, so `grain.MapDataset.source(batches)` is a grain pipeline
    whose state is the step. Many threads may read it.

    Args:
      arrays: arrays `[N, ...]` by name; the same N examples in each. They aren't copied. `DiskArrays` are read
        one batch at a time and give the same batches.
      batch_size: B, at most N.
      seed: 0 or more; another seed gives another order.
      steps: the number of batches; by default it has no limit.
      groups: `[N]`, whole numbers. A batch then has examples of one group, but for at most one batch between two
        groups. The order of an epoch's groups doesn't depend on the seed. None: there are no groups.

    Raises:
      ValueError: an argument is out of range. The message names it, its value and the limit.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray] | DiskArrays,
        batch_size: int,
        seed: int,
        steps: int = sys.maxsize,
        groups: np.ndarray | None = None,
    ) -> None:
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"arrays={lengths} must be one or more arrays of one length")
        examples = next(iter(lengths.values()))
        if not 1 <= batch_size <= examples:
            raise ValueError(f"batch_size={batch_size} must be from 1 to {examples}, the number of examples")
        if not 0 <= seed < 2**64 - 1:
            raise ValueError(f"seed={seed} must be 0 or more and below 2**64 - 1")
        if steps < 0:
            raise ValueError(f"steps={steps} must be 0 or more")
        self.arrays = arrays if isinstance(arrays, DiskArrays) else dict(arrays)
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.steps = steps
        if groups is not None and groups.shape != (examples,):
            raise ValueError(f"groups of shape {groups.shape} must be [{examples}], one for each example")
        self.groups = groups
        self._latest: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    @property
    def batches_per_epoch(self) -> int:
        return self.examples // self.batch_size

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        """Returns the batch of step `index`: new arrays `[B, ...]` by name. Raises IndexError if out of range."""
        index_B = self.indices(index.__index__(), 1)[0]
        if isinstance(self.arrays, DiskArrays):
            return self.arrays.take(index_B)
        return {name: array[index_B] for name, array in self.arrays.items()}

    def __repr__(self) -> str:
        """Names everything that determines the order. grain reads it from a source that is checkpointed."""
        return (
            f"ShuffledBatches(arrays={sorted(self.arrays)}, examples={self.examples}, "
            f"batch_size={self.batch_size}, seed={self.seed})"
        )

    def indices(self, start: int, steps: int) -> np.ndarray:
        """Returns the positions `[K, B]` of the examples in the K = `steps` batches from step `start` on.

        Raises:
          IndexError: a step outside `0 <= step < len(self)`.
        """
        if not 0 <= start <= start + steps <= self.steps:
            raise IndexError(f"steps {start} to {start + steps} must lie within 0 to {self.steps}")
        index_KB = np.empty((steps, self.batch_size), np.int64)
        for k in range(steps):
            epoch, batch = divmod(start + k, self.batches_per_epoch)
            first = batch * self.batch_size
            index_KB[k] = self._order(epoch)[first : first + self.batch_size]
        return index_KB

    def _order(self, epoch: int) -> np.ndarray:
        """Returns the order `[N]` of the examples in one epoch. The latest is cached: most steps are sequential."""
        kept, order_N = self._latest
        if kept != epoch:
            order_N = _permutation(self.seed, epoch, self.examples)
            if self.groups is not None:
                order_N = self._grouped(order_N[: self.batches_per_epoch * self.batch_size], epoch)
            self._latest = (epoch, order_N)  # a single assignment: other threads see either the old pair or the new one
        return order_N

    def _grouped(self, order_N: np.ndarray, epoch: int) -> np.ndarray:
        """Returns an order in which the examples of a batch are of one group, and the groups take turns at random."""
        assert self.groups is not None
        sorted_KB = order_N[np.argsort(self.groups[order_N], kind="stable")].reshape(-1, self.batch_size)
        # A key that no seed has: seeds side by side then read batches of equal widths.
        return sorted_KB[_permutation(2**64 - 1, epoch, len(sorted_KB))].ravel()


def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    # Philox streams under different keys are independent, so (seed, epoch) is the key without a hash.
    bits = np.random.Philox(key=np.array([seed, epoch], np.uint64))
    return np.random.Generator(bits).permutation(count)


def chunk(
    sources: Sequence[ShuffledBatches],
    start: int,
    steps: int,
    rows: slice = slice(None),
    out: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Returns the batches of `steps` steps from `start` on, for several seeds: `[S, K, B, ...]` by name.

    `chunk(sources, start, steps)[name][s, k]` equals `sources[s][start + k][name]`.

    Args:
      sources: one for each seed, with equal batch sizes and equal names, shapes and dtypes of their arrays.
      start: the first step, 0 or more.
      steps: K, 1 or more.
      rows: the rows of each batch to return, for a device that holds a part of it. B is then the number of rows.
      out: arrays that are filled and returned. Elements beyond `[S, K]` in their first two axes stay unchanged.

    Raises:
      ValueError: no sources, or sources that differ.
      IndexError: a step outside a source's range.
    """
    layouts = [
        (source.batch_size, {name: (array.shape[1:], array.dtype) for name, array in source.arrays.items()})
        for source in sources
    ]
    if not layouts or any(layout != layouts[0] for layout in layouts):
        raise ValueError(f"sources={list(sources)} must be one or more, alike in batch size, names, shapes and dtypes")
    batch_size, features = layouts[0]
    if out is None:
        size = len(range(batch_size)[rows])
        out = {name: np.empty((len(sources), steps, size, *shape), dtype) for name, (shape, dtype) in features.items()}
    for s, source in enumerate(sources):
        index_KB = source.indices(start, steps)[:, rows]
        if isinstance(source.arrays, DiskArrays):
            for name, taken in source.arrays.take(index_KB).items():
                out[name][s, :steps] = taken
            continue
        for name, array in source.arrays.items():
            if array.flags.c_contiguous:
                # The indices are in range. "clip" avoids the copy of `out` that "raise" makes.
                np.take(array, index_KB, axis=0, out=out[name][s, :steps], mode="clip")
            else:  # overlapping windows: `take` would first copy the whole array
                out[name][s, :steps] = array[index_KB]
    return out
