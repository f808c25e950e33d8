"""Describes the engine that runs recurrent layers in this process."""

import os
from typing import Any

import jax

from .library import TARGETS, library

POOL_SIZES = ("PJRT_NPROC", "NPROC")
"""Environment variables for the size of XLA's thread pool on a CPU, in order of precedence."""


def describe() -> str:
    """Returns a text on the engine of recurrent layers. The part before the first comma affects the bits of results.

    Either "native avx512, 2 threads" (for layers with a kernel) or "XLA, because ...". Starts JAX's backend.
    """
    if jax.default_backend() != "cpu":
        return f"XLA, because the native engine is for CPUs and jax runs on {jax.default_backend()}"
    found = library()
    if found.missing is not None:
        return f"XLA, because the native engine isn't there: {found.missing}"
    devices = jax.local_device_count("cpu")
    if devices > 1:
        return f"native {found.instruction_set}, a thread for each of {devices} devices"
    count = threads()
    return f"native {found.instruction_set}, {count} thread{'s' * (count != 1)}"


def engine_of(lowered: Any) -> str:
    """Returns the engine of a lowered program's recurrent layers: "native" if it calls the kernels, else "XLA"."""
    if library().missing is not None:
        return "XLA"
    text = lowered.as_text()
    return "native" if any(f"@{target}" in text for target in TARGETS) else "XLA"


def threads() -> int:
    """Returns the size of XLA's thread pool on a CPU: from `POOL_SIZES`, or the cores that this process may use."""
    asked = next((value for name in POOL_SIZES if (value := os.environ.get(name, "")).isdigit()), "")
    if asked:
        return max(1, int(asked))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
