"""The seed axis: the same bits on 1, 2 and 4 devices, and copies that are thrown away."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from gru_research.training import make_seed_axis
from gru_research.training.seeds import OWN, SHARED

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys, hashlib, json
from pathlib import Path
import jax
import numpy as np
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.training import load_parameters, make_plan, make_seed_axis, run_comparison
config = {
    "task": {"name": "adding", "length": 6, "validation_size": 20, "test_size": 20},
    "cells": {"gru": {"kind": "gru", "hidden_size": 8}},
    "updates": 20, "batch_size": 5, "eval_every": 10, "seeds": 5, "optimizer": {"learning_rate": 0.05},
}
run_comparison(make_plan(experiment(config)), Path(sys.argv[2]), DataDirs())
leaves = jax.tree.leaves(load_parameters(Path(sys.argv[2]), "gru"))
print(jax.device_count(), hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in leaves)).hexdigest())
"""


def test_the_same_bits_on_any_number_of_devices(tmp_path: Path) -> None:
    digests = set()
    for devices in (1, 2, 4):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(devices), str(tmp_path / str(devices))],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        count, digest = done.stdout.split()
        assert int(count) == devices
        digests.add(digest)
    assert len(digests) == 1


def test_seeds_fill_up_to_the_devices() -> None:
    axis = make_seed_axis((3, 4, 5))
    assert dict(axis.mesh.shape) == {"seed": min(3, jax.device_count()), "data": 1}
    assert len(axis.padded_seeds) % axis.mesh.size == 0
    assert axis.padded_seeds[:3] == (3, 4, 5) and set(axis.padded_seeds[3:]) <= {3}


def test_spread_runs_each_seed_and_gather_drops_the_copies() -> None:
    axis = make_seed_axis((3, 4, 5))
    made = axis.start(lambda seed, scalars, active: {"seed": seed, "active": active})
    doubled = axis.spread(lambda own, factor: own["seed"] * factor, OWN, SHARED)(made, np.uint32(2))
    np.testing.assert_array_equal(axis.gather(doubled), [6, 8, 10])
    assert axis.gather(made)["active"].all()


@pytest.mark.parametrize("batched", [False, True])
def test_batched_and_one_by_one_agree(batched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    axis = make_seed_axis((1, 2))
    monkeypatch.setattr(type(axis), "batched", property(lambda self: batched))
    made = axis.start(lambda seed, scalars, active: seed * 10 + active)
    np.testing.assert_array_equal(axis.gather(made), [11, 21])
