"""The engine's numbers from processes with other numbers of cores and devices: the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hashlib, os, sys
cores, devices = int(sys.argv[1]), int(sys.argv[2])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
import jax
jax.config.update("jax_num_cpu_devices", devices)
import numpy as np
import gru_research as gr

options = gr.UnrollOptions(backend="native")
found = hashlib.sha256()
for cell in (gr.GRU(37), gr.GRU(20, "before"), gr.LSTM(20)):
    for rows in (1, 3, 9, 25):
        params = cell.init(jax.random.key(0), 3)
        xs = jax.random.normal(jax.random.key(1), (rows, 40, 3))
        loss = lambda params, xs: (gr.unroll(cell, params, xs, options=options)[1] ** 2).sum()
        for array in jax.tree.leaves(jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(params, xs)):
            found.update(np.asarray(array).tobytes())
print(found.hexdigest())
"""


@pytest.mark.usefixtures("native_engine")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system can't give a process some of its cores")
@pytest.mark.processes
def test_bits_do_not_depend_on_cores_and_devices() -> None:
    def digest(cores: int, devices: int) -> str:
        command = [sys.executable, "-c", PROGRAM, str(cores), str(devices)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert len({digest(cores, devices) for cores, devices in ((1, 1), (2, 1), (2, 2))}) == 1
