"""The device mesh: a seed's bits on 1, 2 and 4 devices, batches divided over devices, and discarded copies of seeds."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.training import SeedAxis, make_seed_axis
from gru_research.training.seeds import OWN, SHARED
from tests.faults import fault, seen

ROOT = Path(__file__).parents[2]

# Runs by name, `KIND-PARTS`: generated data, stored data, or stored data in buckets of lengths; and the number of parts
# of each batch.
PROGRAM = """
import dataclasses, sys
from pathlib import Path
import jax
import numpy as np
devices, folder, *runs = sys.argv[1:]
jax.config.update("jax_num_cpu_devices", int(devices))
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.tasks import Stored
from gru_research.runs.comparison import run_comparison
from gru_research.training import load_parameters, make_plan
assert jax.device_count() == int(devices)
for run in runs:
    kind, parts = run.split("-")
    plan = make_plan(experiment({
        "task": {"name": "adding", "length": 6, "validation_size": 21, "test_size": 20},
        "cells": {"rnn": {"kind": "rnn", "hidden_size": 5}}, "data_parallel": int(parts),
        "updates": 20, "batch_size": 8, "eval_every": 10, "seeds": 3, "optimizer": {"learning_rate": 0.05},
    }))
    if kind in ("stored", "buckets"):
        make = plan.task.data.make
        sets = {"train": 43, "validation": 21, "test": 20}
        sets = {name: jax.tree.map(np.asarray, make(jax.random.key(n), n)) for name, n in sets.items()}
        data = Stored("toy", dict, lambda batch: batch, lambda: sets)
        if kind == "buckets":
            for arrays in sets.values():
                arrays["lengths"] = np.arange(len(arrays["inputs"]), dtype=np.int32) % 5 + 2
            data = dataclasses.replace(data, padded={"inputs": "lengths"})
            plan = dataclasses.replace(plan, config=dataclasses.replace(plan.config, length_buckets=3))
        plan = dataclasses.replace(plan, task=dataclasses.replace(plan.task, data=data))
    workdir = Path(folder) / run
    assert run_comparison(plan, workdir, DataDirs())
    leaves = jax.tree.leaves(load_parameters(workdir, "rnn")["params"])
    np.save(Path(folder) / f"{run}-{devices}.npy", np.concatenate([np.ravel(a) for a in leaves]))
"""
USERS = {"XLA_FLAGS": "", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
"""The environment in which programs are compiled as users' are."""
DIVIDED = 1e-5
"""The tolerance for parameters of order 1 after 20 updates whose sums are computed in parts."""


def trained(folder: Path, devices: int, *runs: str) -> dict[str, np.ndarray]:
    """Returns the final parameters of runs in a process with `devices` host devices.

    The process compiles with a user's settings. With both the suite's XLA flag and LLVM's passes off, a device with one
    seed rounded differently from a device with three. With either alone, or with a user's settings, the bits are equal.
    """
    workdir = folder / str(devices)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(devices), str(workdir), *runs],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), **USERS}, check=True,
    )  # fmt: skip
    return {run: np.load(workdir / f"{run}-{devices}.npy") for run in runs}


@pytest.mark.processes
def test_seeds_spread_over_devices_keep_their_bits_and_divided_batches_their_numbers(tmp_path: Path) -> None:
    one = trained(tmp_path, 1, "generated-1", "stored-1", "buckets-1")
    two = trained(tmp_path, 2, "generated-1", "stored-2", "buckets-2")
    four = trained(tmp_path, 4, "generated-1", "generated-4")
    for found in (two, four):
        assert found.pop("generated-1").tobytes() == one["generated-1"].tobytes()
    for found in (two, four):
        for run, parameters in found.items():
            whole = one[run.partition("-")[0] + "-1"]
            np.testing.assert_allclose(parameters, whole, rtol=0, atol=DIVIDED, err_msg=run)
    assert np.abs(one["generated-1"] - one["stored-1"]).max() > 100 * DIVIDED  # other data give other numbers


@fault("config", "more parts of a batch than devices")
def test_more_parts_than_devices_are_refused() -> None:
    parts = jax.device_count() + 1
    with pytest.raises(UserError, match=f"config.data_parallel={parts} must divide the number of devices") as caught:
        make_seed_axis((0, 1), parts=parts)
    seen(caught)


def test_seeds_fill_up_to_the_devices() -> None:
    axis = make_seed_axis((3, 4, 5))
    assert dict(axis.mesh.shape) == {"seed": min(3, jax.device_count()), "data": 1}
    assert axis.length % axis.mesh.size == 0 and axis.length - 3 < axis.mesh.size
    assert axis.fill(axis.seeds, 0)[:3] == [3, 4, 5] and set(axis.fill(axis.seeds, 0)[3:]) <= {0}
    assert axis.members.sum() == 3 and axis.members[:3].all()


@pytest.mark.parametrize(
    ("devices", "seeds", "room", "places"),
    [
        (2, 4, 0, [0, 1, 2, 3]),
        (2, 5, 0, [0, 1, 2, 3, 4]),
        (2, 4, 3, [0, 1, 3, 4]),  # two on each device, before a copy
        (2, 5, 4, [0, 1, 2, 4, 5]),
        (4, 5, 0, [0, 1, 2, 3, 4]),  # the last device has copies alone
        (4, 5, 3, [0, 1, 3, 4, 6]),
        (1, 2, 5, [0, 1]),
    ],
)
def test_room_for_more_leaves_as_many_members_on_each_device(
    devices: int, seeds: int, room: int, places: list[int]
) -> None:
    mesh = jax.sharding.AbstractMesh((devices, 1), ("seed", "data"))
    axis = SeedAxis(tuple(range(10, 10 + seeds)), mesh, room=room)  # pyright: ignore[reportArgumentType]
    assert axis.places.tolist() == places and np.flatnonzero(axis.members).tolist() == places
    filled = axis.fill(axis.seeds, 0)
    assert len(filled) == axis.length and [filled[place] for place in places] == list(axis.seeds)
    assert sum(value == 0 for value in filled) == axis.length - seeds


def test_axes_beside_each_other_are_as_long_but_not_where_copies_would_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = jax.device_count()
    few, more = make_seed_axis(range(4), beside=9), make_seed_axis(range(9), beside=4)
    assert few.length == more.length == make_seed_axis(range(9)).length and few.mesh.size == min(4, devices)
    doubled = few.shard_over_seeds(lambda seed: 2 * seed, OWN)(few.put_back(np.arange(4)))
    np.testing.assert_array_equal(few.gather(doubled), [0, 2, 4, 6])
    monkeypatch.setattr(SeedAxis, "batched", property(lambda self: True))
    assert make_seed_axis(range(4), beside=9).length == make_seed_axis(range(4)).length


def test_spread_runs_each_seed_and_gather_drops_the_copies() -> None:
    axis = make_seed_axis((3, 4, 5))
    made = axis.start(lambda seed, scalars, active: {"seed": seed, "active": active})
    doubled = axis.shard_over_seeds(lambda own, factor: own["seed"] * factor, OWN, SHARED)(made, np.uint32(2))
    np.testing.assert_array_equal(axis.gather(doubled), [6, 8, 10])
    assert axis.gather(made)["active"].all()


@pytest.mark.parametrize("batched", [False, True])
def test_batched_and_one_by_one_agree(batched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    axis = make_seed_axis((1, 2))
    monkeypatch.setattr(type(axis), "batched", property(lambda self: batched))
    made = axis.start(lambda seed, scalars, active: seed * 10 + active)
    np.testing.assert_array_equal(axis.gather(made), [11, 21])
