"""Loads and tests the compiled library once, or gives the reason why it can't be used."""

import ctypes
import dataclasses
import functools
import os
import re
from pathlib import Path

import jax

FILE = Path(__file__).parent / "_engine.so"
REASON = FILE.with_name("_missing.txt")
"""A file in which `build.py` writes one line on why it can't compile the library."""
SWITCH = "GRU_RESEARCH_NATIVE"
TARGETS = ("gru_research_forward", "gru_research_backward")


@dataclasses.dataclass(frozen=True)
class Library:
    """The state of the library.

    Attributes:
      instruction_set: the kernels' instruction set, "avx512", "avx2" or "neon"; None if the library can't be used.
      missing: the reason why it can't be used, in one line; None if it can.
    """

    instruction_set: str | None
    missing: str | None


@functools.cache
def library() -> Library:
    """Loads and tests the library at the first call, and registers its kernels with JAX. Takes milliseconds."""
    missing = _switched_off() or _absent()
    if missing is not None:
        return Library(None, missing)
    try:
        handle = ctypes.CDLL(str(FILE))
        missing = _untrusted(handle)
        if missing is not None:
            return Library(None, missing)
        for name in TARGETS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(handle, name)), platform="cpu")
        return Library(_text(handle, "gru_research_instruction_set"), None)
    except (OSError, AttributeError) as e:  # damaged, for another system, or of another version of this package
        return Library(None, f"{FILE.name} doesn't load: {e}")


def _switched_off() -> str | None:
    value = os.environ.get(SWITCH, "")
    if value not in ("", "0", "1"):
        return f"{SWITCH}={value!r} must be 0 or 1"
    return f"{SWITCH}=0 turns it off" if value == "0" else None


def _absent() -> str | None:
    if FILE.exists():
        return None
    why = REASON.read_text().strip() if REASON.exists() else "nobody has installed this checkout"
    return f"it wasn't compiled: {why}"


def _untrusted(handle: ctypes.CDLL) -> str | None:
    """Returns the reason why the library must not be called, or None."""
    built, offered = handle.gru_research_ffi_version(), _offered_ffi_version()
    if offered is not None and built > offered:
        return (
            f"it was compiled for XLA's foreign functions {_version(built)}, this jaxlib has {_version(offered)}; "
            "install it again"
        )
    if _text(handle, "gru_research_instruction_set") is None:
        return "this processor has neither AVX2 nor NEON"
    fault = _text(handle, "gru_research_self_test")
    return None if fault is None else f"its self-test found {fault}"


def _text(handle: ctypes.CDLL, name: str) -> str | None:
    function = getattr(handle, name)
    function.restype = ctypes.c_char_p
    value = function()
    return None if value is None else value.decode()


def _offered_ffi_version() -> int | None:
    """Returns the version of XLA's foreign function interface in jaxlib, major * 1000 + minor; None if unknown."""
    header = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    if not header.exists():
        return None
    found = dict(re.findall(r"#define XLA_FFI_API_(MAJOR|MINOR) (\d+)", header.read_text()))
    return int(found["MAJOR"]) * 1000 + int(found["MINOR"]) if len(found) == 2 else None


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000}"
