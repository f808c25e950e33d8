"""The kernels' own tests, check.cc, for NEON on an emulated processor, and the kernels for AVX2 in JAX."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gru_research.native import Library
from tests.native.checking import compile_check

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]
CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
AVX2 = """
import jax, numpy as np, gru_research as gr
from gru_research.native import library
print(library().instruction_set)
for cell in (gr.GRU(21), gr.GRU(9, "before"), gr.LSTM(12), gr.VanillaRNN(7)):
    params = cell.init(jax.random.key(0), 3)
    xs = jax.random.normal(jax.random.key(1), (9, 11, 3))
    def loss(params, xs, backend):
        return (gr.unroll(cell, params, xs, options=gr.UnrollOptions(backend=backend))[1] ** 2).sum()
    got, want = (jax.grad(loss, argnums=(0, 1))(params, xs, backend) for backend in ("native", "vjp"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)
print("equal")
"""


@pytest.fixture(scope="module")
def neon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """check.cc for arm64; without the packages the test skips, or fails where REQUIRE_NEON=1 is set."""
    if not (shutil.which(CROSS) and shutil.which(EMULATOR)):
        reason = f"{CROSS} and {EMULATOR} aren't both there: Debian's g++-aarch64-linux-gnu and qemu-user"
        if os.environ.get("REQUIRE_NEON") == "1":
            pytest.fail(f"REQUIRE_NEON=1, and {reason}")
        pytest.skip(reason)
    return compile_check([CROSS], "aarch64", tmp_path_factory.mktemp("neon"), ("-static",))


def test_neon_on_an_emulated_processor(neon: Path) -> None:
    # Every 12th size, and every 2 millionth float: the emulator is slow.
    done = subprocess.run([EMULATOR, str(neon), "12", "2000003"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.endswith("neon: 0 failed\n") and "layers, largest error" in done.stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX2 is of x86-64")
def test_avx2_where_it_is_asked_for(native_engine: Library) -> None:
    if native_engine.instruction_set == "avx2":
        pytest.skip("this processor has no other instruction set: every test runs with AVX2")
    env = {**os.environ, "GRU_RESEARCH_NATIVE_ISA": "avx2"}
    done = subprocess.run([sys.executable, "-c", AVX2], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["avx2", "equal"]
