"""Which engine is said to run: here, for a program, with several devices, and where it is turned off."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import gru_research as gr
from gru_research import native
from gru_research.native import Library, description

ROOT = Path(__file__).parents[2]


def described(**variables: str) -> str:
    """What another process says, with these variables set."""
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **variables}
    code = "from gru_research import native; print(native.describe())"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def lowered(cell: gr.GRU | gr.MGU) -> jax.stages.Lowered:
    params = cell.init(jax.random.key(0), 3)
    loss = jax.grad(lambda p, xs: gr.unroll(cell, p, xs)[1].sum())
    return jax.jit(loss).lower(params, jnp.ones((2, 12, 3)))


def test_without_the_engine_the_reason_is_said() -> None:
    assert described(GRU_RESEARCH_NATIVE="0") == (
        "XLA, because the native engine isn't there: GRU_RESEARCH_NATIVE=0 turns it off"
    )


def test_the_instruction_set_and_the_threads_are_said(native_engine: Library) -> None:
    assert described(NPROC="3") == f"native {native_engine.instruction_set}, 3 threads"
    assert described(NPROC="3", PJRT_NPROC="1") == f"native {native_engine.instruction_set}, 1 thread"
    on_two = described(JAX_NUM_CPU_DEVICES="2")
    assert on_two == f"native {native_engine.instruction_set}, a thread for each of 2 devices"


def test_as_many_threads_as_xla_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in description.POOL_SIZES:
        monkeypatch.delenv(name, raising=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert description.threads() == cores
    monkeypatch.setenv("NPROC", "many")  # which XLA can't read either
    assert description.threads() == cores


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists a process's threads")
@pytest.mark.parametrize("variables", [{}, {"NPROC": "3"}, {"NPROC": "3", "PJRT_NPROC": "2"}])
def test_xla_has_that_many_threads(variables: dict[str, str]) -> None:
    code = (
        "import pathlib, jax, jax.numpy as jnp; from gru_research.native.description import threads\n"
        "jax.block_until_ready(jax.jit(jnp.sin)(jnp.ones(3)))\n"
        "names = [p.read_text().strip() for p in pathlib.Path('/proc/self/task').glob('*/comm')]\n"
        "print(names.count('tf_XLAEigen'), threads())"
    )
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    found, said = done.stdout.split()
    assert found == said


def test_a_program_says_what_it_calls(native_engine: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.engine_of(lowered(gr.GRU(4))) == "native"
    assert native.engine_of(lowered(gr.MGU(4))) == "XLA"
    monkeypatch.setattr(description, "library", lambda: Library(None, "it isn't there"))
    assert native.engine_of(lowered(gr.GRU(4))) == "XLA"
