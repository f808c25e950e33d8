"""Stored batches of all members, put on their devices for one call of the training program."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import numpy as np

from gru_research.data import LengthBuckets, ShuffledBatches, chunk, length_buckets
from gru_research.tasks import Generated, Stored

from .plan import Plan
from .seeds import SeedAxis
from .selection import Schedule

UPDATES_PER_CALL = 50
"""The largest number of updates in a call. Stop requests, snapshots and the progress line come between calls."""
BYTES_PER_CALL = 256 * 2**20
"""The largest number of bytes of stored batches in a call. The devices hold the batches of two calls at a time."""

Sets = Mapping[str, Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class BatchMaker:
    """Puts the stored batches of a range of updates on the devices; makes none for generated data.

    Attributes:
      steps: K, the largest number of updates in a call.
      layout: shape, type and sharding of the batches `[S, K, B, ...]` by name; empty for generated data.
      buckets: the lengths to which the training program cuts batches; None: they have one length.
    """

    steps: int
    layout: Mapping[str, jax.ShapeDtypeStruct]
    make: Callable[[int, int], dict[str, jax.Array]]
    buckets: LengthBuckets | None = None

    def __call__(self, start: int, stop: int) -> dict[str, jax.Array]:
        """Returns the batches of steps `start` to `stop - 1`, at most K; the rest of the K entries is unused."""
        return self.make(start, stop)


def updates_per_call(schedule: Schedule) -> int:
    """Returns the largest number of updates in a call; `make_batch_maker` lowers it where batches are large."""
    return min(UPDATES_PER_CALL, schedule.eval_every, schedule.updates)


def make_batch_maker(plan: Plan, sets: Sets, axis: SeedAxis, schedule: Schedule) -> BatchMaker:
    """Returns the maker of the batches of every member's seed."""
    steps = updates_per_call(schedule)
    if isinstance(plan.task.data, Generated):
        return BatchMaker(steps, {}, lambda start, stop: {})
    assert isinstance(plan.task.data, Stored)
    train, size, buckets = sets["train"], plan.config.batch_size, make_buckets(plan, sets)
    sources = axis.fill([make_source(plan, sets, seed, buckets) for seed in axis.seeds], None)
    one = sum(a.nbytes // len(a) for a in train.values()) * size * len(sources)
    steps = max(1, min(steps, BYTES_PER_CALL // one))
    layout = axis.layout({name: ((len(sources), steps, size, *a.shape[1:]), a.dtype) for name, a in train.items()})

    def make(start: int, stop: int) -> dict[str, jax.Array]:
        def part(seeds: slice, rows: slice) -> dict[str, np.ndarray]:
            """Returns one device's batches; entries that no member reads stay 0."""
            here, members = range(len(sources))[seeds], [source for source in sources[seeds] if source is not None]
            sizes = len(here), steps, len(range(size)[rows])
            # The system allocates zeros on first access, so unfilled entries cost almost nothing.
            out = {name: np.zeros((*sizes, *a.shape[3:]), a.dtype) for name, a in layout.items()}
            return chunk(members, start, stop - start, rows, out) if members else out

        return axis.put_parts(layout, part)

    return BatchMaker(steps, layout, make, buckets)


def make_buckets(plan: Plan, sets: Sets) -> LengthBuckets | None:
    """Returns the buckets of the training set's lengths; None where the config asks for one length."""
    count, data = plan.config.length_buckets, plan.task.data
    return None if count == 1 or isinstance(data, Generated) else length_buckets(sets["train"], data.padded, count)


def make_source(plan: Plan, sets: Sets, seed: int, buckets: LengthBuckets | None) -> ShuffledBatches:
    """Returns the batches of one seed."""
    train = sets["train"]
    groups = None if buckets is None else buckets.of_examples(train)
    return ShuffledBatches(train, plan.config.batch_size, seed, groups=groups)
