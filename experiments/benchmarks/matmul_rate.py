"""The machine's rate of large matrix products, and its description."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.cases import BenchmarkCase

SIZES = {"cpu": 1024, "gpu": 8192}


def product_flops(platform: str) -> int:
    """Returns the operations of one product of the square matrices that the rate is measured with."""
    return 2 * SIZES[platform] ** 3


def modes(platform: str, dtype: str) -> tuple[str, ...]:
    """Returns the measured products, as "library dtype"."""
    names = ("jax float32", "numpy float32") if platform == "cpu" else ("jax float32",)
    return names if dtype == "float32" else (*names, f"jax {dtype}")


class MatmulProgram:
    """Products of square matrices by XLA and, on a CPU, by NumPy's BLAS. No layer can exceed the best rate."""

    def __init__(self, case: BenchmarkCase):
        if jax.default_backend() != case.platform:
            raise ValueError(f"jax runs on {jax.default_backend()}, not on {case.platform}")
        from gru_research.runs.environment import (
            environment,  # imported here: it takes seconds, and no other worker needs it
        )

        self.about: dict[str, Any] = {"environment": environment() | {"processor": _processor()}}
        self._size = SIZES[case.platform]
        self._runs: dict[str, Callable[[], Any]] = {}

    def compile(self, mode: str) -> None:
        library, dtype = mode.split()
        shape = (self._size, self._size)
        a, b = (np.random.default_rng(seed).standard_normal(shape, np.float32) for seed in range(2))
        if library == "numpy":
            self._runs[mode] = lambda: a @ b
            return
        operands = [jax.device_put(jnp.asarray(m, dtype)) for m in (a, b)]
        product = jax.jit(lambda a, b: jnp.matmul(a, b, preferred_element_type=jnp.float32)).lower(*operands).compile()
        self._runs[mode] = lambda: jax.block_until_ready(product(*operands))

    def check(self, mode: str) -> None:
        if not np.isfinite(self._runs[mode]()).all():
            raise ValueError("a product that isn't finite")

    def run(self, mode: str) -> None:
        self._runs[mode]()

    def device_peak_bytes(self) -> None:
        return None

    def engine(self, mode: str) -> None:
        del mode


def _processor() -> str | None:
    """Returns the CPU's name, where Linux gives it."""
    path = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", path.read_text()) if path.exists() else None
    return found[1] if found else None
