"""Describes the engine that runs recurrent layers in this process."""

import os
from typing import Any

import jax

from .library import TARGETS, library

POOL_SIZES = ("PJRT_NPROC", "NPROC")
"""Environment variables that set the size of XLA's thread pool on a CPU; the first that is set counts."""


def describe() -> str:
    """Which engine runs recurrent layers here, with whatever changes bits before the first comma.

    "native avx512, 2 threads": layers that have a kernel run by it; or "XLA, because ...". Starts JAX's backend.
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
    """Which engine a lowered program's recurrent layers run by: "native" where it calls it, else "XLA"."""
    if library().missing is not None:
        return "XLA"
    text = lowered.as_text()
    return "native" if any(f"@{target}" in text for target in TARGETS) else "XLA"


def threads() -> int:
    """How many threads XLA's pool has for a CPU device: as many as cores that this process may use."""
    asked = next((value for name in POOL_SIZES if (value := os.environ.get(name, "")).isdigit()), "")
    if asked:
        return max(1, int(asked))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
