"""What every test shares: parsed absl flags, and MNIST, prepared once from the raw files."""

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from absl import flags

from gru_research.data import DataDirs, prepare

flags.FLAGS.mark_as_parsed()  # grain reads absl flags


@pytest.fixture(scope="session")
def mnist_manual_dir() -> str:
    """The folder of MNIST's raw files; without it tests skip, or fail where REQUIRE_DATA=1 is set."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
    if not folder.is_dir():
        reason = f"the raw files of MNIST aren't in {folder}"
        if os.environ.get("REQUIRE_DATA") == "1":
            pytest.fail(f"REQUIRE_DATA=1, and {reason}")
        pytest.skip(reason)
    return str(folder)


@pytest.fixture(scope="session")
def mnist_data_dir(mnist_manual_dir: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `data_dir` with MNIST prepared in it. Shared by all tests: copy it before damaging it."""
    data_dir = str(tmp_path_factory.mktemp("data_dir"))
    prepare("mnist", DataDirs(data_dir=data_dir, manual_dir=mnist_manual_dir))
    return data_dir


@pytest.fixture
def compiled_fast() -> Iterator[None]:
    """LLVM's costly passes off, for large programs that run once. XLA's own passes stay on."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def x64_compiled_fast(compiled_fast: None) -> Iterator[None]:
    """`compiled_fast` in float64."""
    with jax.enable_x64(True):
        yield
