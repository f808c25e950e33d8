"""Batches by step: every example once an epoch, any step at any time, the same through grain and in chunks."""

import concurrent.futures
import itertools
import time

import grain
import numpy as np
import pytest

from gru_research.data import ShuffledBatches, chunk

N, B = 23, 5  # 4 batches an epoch, 3 examples left over


def arrays(examples: int = N) -> dict[str, np.ndarray]:
    index = np.arange(examples, dtype=np.int32)
    return {"label": index, "image": np.repeat(index, 6).reshape(examples, 2, 3).astype(np.uint8)}


def epoch(source: ShuffledBatches, number: int) -> np.ndarray:
    """The examples of one epoch in their order: `[batches_per_epoch * B]`."""
    steps = range(number * source.batches_per_epoch, (number + 1) * source.batches_per_epoch)
    return np.concatenate([source[i]["label"] for i in steps])


def assert_same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert left.keys() == right.keys()
    for name, array in left.items():
        assert array.dtype == right[name].dtype
        np.testing.assert_array_equal(array, right[name])


def test_an_epoch_has_no_example_twice_and_drops_the_remainder() -> None:
    source = ShuffledBatches(arrays(), B, seed=0)
    assert source.batches_per_epoch == 4
    for number in range(6):
        assert len(set(epoch(source, number))) == 20
    # What one epoch leaves out another brings: over 30 epochs nothing is left out.
    assert set(np.concatenate([epoch(source, number) for number in range(30)])) == set(range(N))
    whole = ShuffledBatches(arrays(20), B, seed=0)
    assert sorted(epoch(whole, 3)) == list(range(20))


def test_rows_of_all_arrays_belong_together() -> None:
    batch = ShuffledBatches(arrays(), B, seed=0)[7]
    assert batch["image"].shape == (B, 2, 3) and batch["image"].dtype == np.uint8
    np.testing.assert_array_equal(batch["image"], np.broadcast_to(batch["label"][:, None, None], (B, 2, 3)))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    orders = [tuple(epoch(ShuffledBatches(arrays(), B, seed), number)) for seed in range(5) for number in range(5)]
    assert len(set(orders)) == 25
    again = ShuffledBatches(arrays(), B, seed=3)
    assert tuple(epoch(again, 2)) == orders[3 * 5 + 2]


def test_the_order_of_all_runs_so_far_stays() -> None:
    # A release of numpy that permutes otherwise would silently break resuming and every published seed.
    assert epoch(ShuffledBatches(arrays(8), 8, seed=3), 7).tolist() == [2, 1, 5, 6, 3, 0, 7, 4]


def test_any_step_without_those_before() -> None:
    forward = ShuffledBatches(arrays(), B, seed=1)
    batches = [forward[i] for i in range(30)]
    backward = ShuffledBatches(arrays(), B, seed=1)
    for i in reversed(range(30)):
        assert_same(backward[i], batches[i])
    start = time.perf_counter()
    ShuffledBatches(arrays(), B, seed=1)[10**12]
    assert time.perf_counter() - start < 1


def test_threads_see_what_one_thread_sees() -> None:
    source = ShuffledBatches(arrays(), B, seed=2)
    expected = [ShuffledBatches(arrays(), B, seed=2)[i] for i in range(200)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for got, want in zip(pool.map(source.__getitem__, range(200)), expected, strict=True):
            assert_same(got, want)


@pytest.mark.parametrize("start", [0, 3, 4, 9])
def test_chunk_is_the_batches_of_its_steps(start: int) -> None:
    sources = [ShuffledBatches(arrays(), B, seed) for seed in (0, 5, 9)]
    got = chunk(sources, start, 6)  # over at least one border between epochs
    assert {name: array.shape for name, array in got.items()} == {"label": (3, 6, B), "image": (3, 6, B, 2, 3)}
    for s, k in itertools.product(range(3), range(6)):
        assert_same({name: array[s, k] for name, array in got.items()}, sources[s][start + k])


def test_batches_are_copies() -> None:
    stored = arrays()
    source = ShuffledBatches(stored, B, seed=0)
    for batch in (source[0], chunk([source], 0, 1)):
        batch["image"][:] = 99
    assert_same(stored, arrays())


def test_grain_iterates_it_and_its_state_is_the_step() -> None:
    source = ShuffledBatches(arrays(), B, seed=4)
    assert isinstance(source, grain.sources.RandomAccessDataSource)
    pipeline = grain.MapDataset.source(source).to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
    iterator = iter(pipeline)
    for i in range(10):
        assert_same(next(iterator), source[i])
    state = iterator.get_state()
    expected = next(iterator)
    resumed = iter(pipeline)
    resumed.set_state(state)
    assert_same(next(resumed), expected)
    assert_same(expected, source[10])
    threaded = iter(grain.MapDataset.source(source).to_iter_dataset())  # grain's default: 16 threads
    for i in range(10):
        assert_same(next(threaded), source[i])


def test_a_sequence_with_an_end() -> None:
    source = ShuffledBatches(arrays(), B, seed=0, steps=7)
    assert len(source) == 7
    assert sum(1 for _ in grain.MapDataset.source(source)) == 7
    for outside in (-1, 7):
        with pytest.raises(IndexError, match=f"steps {outside} to"):
            source[outside]
    with pytest.raises(IndexError):
        chunk([source], 5, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"batch_size": 24}, "batch_size=24 must be from 1 to 23, the number of examples"),
        ({"batch_size": 0}, "batch_size=0 must be from 1 to 23"),
        ({"seed": -1}, "seed=-1 must be 0 or more"),
        ({"steps": -1}, "steps=-1 must be 0 or more"),
        ({"arrays": {}}, r"arrays=\{\} must be one or more arrays of one length"),
        ({"arrays": {"a": np.zeros(3), "b": np.zeros(4)}}, "'a': 3, 'b': 4"),
    ],
)
def test_bad_arguments_are_named(change: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ShuffledBatches(**{"arrays": arrays(), "batch_size": B, "seed": 0, **change})


def test_chunk_refuses_sources_that_differ() -> None:
    source = ShuffledBatches(arrays(), B, seed=0)
    for others in ([], [source, ShuffledBatches(arrays(), B + 1, seed=0)]):
        with pytest.raises(ValueError, match="alike in batch size"):
            chunk(others, 0, 1)


def test_speed() -> None:
    """Half a million examples of MNIST's size a second; measured 2.5 million on one core of a Xeon."""
    data = {"image": np.ones((60_000, 28, 28), np.uint8), "label": np.zeros(60_000, np.int32)}
    source = ShuffledBatches(data, 128, seed=0)
    seconds = []
    for attempt in range(5):
        start = time.perf_counter()
        chunk([source], attempt * 100, 100)
        seconds.append(time.perf_counter() - start)
    assert 100 * 128 / min(seconds) > 5e5
