"""What the tests of the adapters share."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture
def compiled_fast() -> Iterator[None]:
    """LLVM's costly passes off, as in `x64_compiled_fast`, and float32: Flax draws other numbers in 64 bits."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
