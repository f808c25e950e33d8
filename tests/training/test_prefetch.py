"""Prefetched batches: the same batches in order, each once; errors while making them; and stopping."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research import records
from gru_research.config import UserError
from gru_research.data import DataDirs, ShuffledBatches
from gru_research.data.disk_arrays import DiskArrays, Layout
from gru_research.runs.comparison import run_comparison
from gru_research.spec import Spec
from gru_research.tasks import Stored, Task
from gru_research.training import Plan, batch_maker, load_parameters
from gru_research.training.prefetch import Prefetch
from tests.training import toy

EXAMPLES, SIZE, UPDATES, SEEDS = 11, 2, 13, 3
WAIT = 30
"""Seconds that a test waits for a thread."""


def test_a_range_is_made_in_another_thread_before_it_is_asked_for() -> None:
    made: list[tuple[int, int, int]] = []
    there = threading.Event()

    def make(start: int, stop: int) -> list[int]:
        made.append((start, stop, threading.get_ident()))
        there.set()
        return list(range(start, stop))

    with Prefetch(make) as batches:
        assert batches.take(0, 2) == [0, 1]
        there.clear()
        batches.begin(2, 5)
        assert there.wait(WAIT)  # nobody has asked for it
        assert batches.take(2, 5) == [2, 3, 4]
        batches.begin(5, 6)
        assert batches.take(5, 9) == [5, 6, 7, 8]  # another one than was begun
        assert batches.take(9, 10) == [9]
    here = threading.get_ident()
    assert [(start, stop, thread == here) for start, stop, thread in made if (start, stop) != (5, 6)] == [
        (0, 2, True), (2, 5, False), (5, 9, True), (9, 10, True),
    ]  # fmt: skip


def test_what_goes_wrong_is_raised_where_the_range_is_asked_for() -> None:
    error = UserError("example 7 is damaged")

    def make(start: int, stop: int) -> int:
        if start == 3:
            raise error
        return start

    with Prefetch(make) as batches:
        batches.begin(3, 4)
        with pytest.raises(UserError) as caught:
            batches.take(3, 4)
        assert caught.value is error
        batches.begin(3, 4)  # and nobody asks


def test_nothing_runs_on_behind_its_end() -> None:
    begun, ended = threading.Event(), threading.Event()

    def make(start: int, stop: int) -> None:
        begun.set()
        ended.wait(0.2)
        ended.set()

    def interrupted() -> None:
        with Prefetch(make) as batches:
            batches.begin(0, 1)
            assert begun.wait(WAIT)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ended.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


class Rows:
    """Simulates the numbers 0 to 10 on disk, one perhaps damaged. Records which are read, and whether in a thread."""

    def __init__(self, damaged: int | None = None) -> None:
        self.damaged = damaged
        self.read: list[int] = []
        self.elsewhere: list[bool] = []

    def __len__(self) -> int:
        return EXAMPLES

    def __getitems__(self, positions: list[int]) -> list[int]:
        if self.damaged in positions:
            raise OSError("bad block")
        self.read += positions
        self.elsewhere.append(threading.current_thread() is not threading.main_thread())
        return positions


def grows(outputs: Any, batch: Any) -> dict[str, Any]:
    """Returns a loss by which the number grows by the mean of a batch's inputs."""
    return toy.distance(outputs, batch) | {"loss": -outputs[:, 0] * batch["inputs"][:, 0, 0]}


class Sets:
    """A training set on disk, and validation and test sets in memory."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __call__(self) -> dict[str, Any]:
        layouts = {"inputs": Layout((1, 1), np.dtype(np.float32))}
        small = {"inputs": np.ones((2, 1, 1), np.float32)}
        train = DiskArrays(self._rows, layouts, lambda n: {"inputs": n}, "toy")
        return {"train": train, "validation": small, "test": small}


def stored(rows: Rows) -> Task:
    spec = Spec({"inputs": jax.ShapeDtypeStruct((1, 1), jnp.float32)}, 1, "last")
    return toy.task(grows, data=Stored("toy", dict, lambda batch: batch, Sets(rows)), spec=spec)


def plan_of(rows: Rows, **fields: Any) -> Plan:
    known = {"updates": UPDATES, "eval_every": 5, "batch_size": SIZE, "seeds": SEEDS}
    return toy.make(stored(rows), **known | fields)


def wanted(seed: int, updates: int = UPDATES) -> float:
    source = ShuffledBatches({"n": np.arange(EXAMPLES)}, SIZE, seed)
    return toy.start(seed) + sum(source[step]["n"].mean() for step in range(updates))


def ended(workdir: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    run = records.read(workdir / records.FILE_NAME)
    kept = [toy.timeless(record) for record in (*run.evaluations, *run.results)]
    return load_parameters(workdir, "toy")["params"]["w"], kept


@pytest.fixture
def three_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_maker, "UPDATES_PER_CALL", 3)


@pytest.mark.usefixtures("three_a_call")
def test_each_batch_is_read_once_ahead_of_its_call_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows()
    assert run_comparison(plan_of(rows), tmp_path / "ahead", DataDirs())
    padded = len(rows.read) // (UPDATES * SIZE)
    assert len(rows.read) == padded * UPDATES * SIZE and SEEDS <= padded < SEEDS + jax.device_count()
    assert not all(rows.elsewhere[:padded]) and all(rows.elsewhere[-padded:])
    parameters, kept = ended(tmp_path / "ahead")
    np.testing.assert_allclose(parameters, [wanted(seed) for seed in range(SEEDS)], rtol=1e-6)

    monkeypatch.setattr(Prefetch, "begin", lambda self, start, stop: None)
    here = Rows()
    assert run_comparison(plan_of(here), tmp_path / "here", DataDirs())
    assert not any(here.elsewhere) and sorted(here.read) == sorted(rows.read)
    again, kept_again = ended(tmp_path / "here")
    assert again.tobytes() == parameters.tobytes() and kept_again == kept


@pytest.mark.usefixtures("three_a_call")
def test_a_damaged_example_ends_the_run_at_its_batch_with_what_came_before_on_record(tmp_path: Path) -> None:
    source = ShuffledBatches({"n": np.arange(EXAMPLES)}, SIZE, 0)
    first = {n: min(step for step in range(UPDATES) if n in source[step]["n"]) for n in range(EXAMPLES)}
    damaged = max(first, key=lambda n: first[n])  # the one that the first epoch leaves out
    assert 5 <= first[damaged] < 10
    with pytest.raises(UserError, match=r"toy is damaged \(OSError: bad block\): prepare it again"):
        run_comparison(plan_of(Rows(damaged), seeds=1), tmp_path / "run", DataDirs())
    run = records.read(tmp_path / "run" / records.FILE_NAME)
    assert run.end is not None and run.end.status == "interrupted"
    assert [e.step for e in run.evaluations] == [0, 5]


def test_stopped_while_batches_are_made_it_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_maker, "UPDATES_PER_CALL", 1)
    assert run_comparison(plan_of(Rows()), tmp_path / "whole", DataDirs())
    stops = 0
    while not run_comparison(plan_of(Rows()), tmp_path / "run", DataDirs(), stopping=after(2)):
        stops += 1
    assert stops >= 5
    for found, whole in zip(ended(tmp_path / "run"), ended(tmp_path / "whole"), strict=True):
        np.testing.assert_equal(found, whole)


def after(calls: int) -> Callable[[], bool]:
    """Returns a function that is False for the first `calls` calls, then True: it requests a stop."""
    counter = iter(range(10**6))
    return lambda: next(counter) >= calls


def test_patience_that_ends_training_leaves_what_was_made_ahead(tmp_path: Path) -> None:
    plan = plan_of(Rows(), patience=1, updates=40, eval_every=2)
    assert run_comparison(plan, tmp_path / "run", DataDirs())
    results = records.read(tmp_path / "run" / records.FILE_NAME).results
    assert max(result.updates for result in results) < 40
    parameters, _ = ended(tmp_path / "run")
    np.testing.assert_allclose(parameters, [wanted(r.seed, r.updates) for r in results], rtol=1e-6)
