"""Compiles the engine from the sources in this folder, for an installation (hatch_build.py) and for the engine's tests.

It needs Python's standard library and a C++ compiler, GCC 11 or Clang 12 or newer: `CXX`, or else the first of g++,
clang++ and c++ on the PATH. The installed package doesn't use this module, and wheels don't contain it.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = "_engine.so"
REASON = "_missing.txt"
"""A file that replaces the library if it can't be compiled. It gives the reason in one line."""
SWITCH = "GRU_RESEARCH_NATIVE"
COMPILERS = ("g++", "clang++", "c++")

# Contracting products and sums (FMA) makes the kernels fast. None of these flags lets a compiler reorder sums, or
# assume that NaN and infinities don't occur.
ARITHMETIC = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
FLAGS = ("-std=gnu++17", "-fPIC", "-fvisibility=hidden", "-DNDEBUG", "-Wall", "-Wno-unknown-pragmas")
KERNEL_FLAGS = ("-O3", *ARITHMETIC, "-Wno-psabi", "-Wno-ignored-attributes")
OTHER_FLAGS = ("-O2",)
INSTRUCTION_SETS = {
    "x86_64": {"avx512": ("-march=x86-64-v4",), "avx2": ("-march=x86-64-v3",)},
    "aarch64": {"neon": ()},
    "arm64": {"neon": ()},
}
SYSTEM_FLAGS = {"linux": (), "darwin": ("-mmacosx-version-min=11.0",)}
LINK_FLAGS = {"linux": ("-shared", "-pthread", "-Wl,-s"), "darwin": ("-shared", "-Wl,-x")}


class CannotCompile(Exception):
    """The library can't be compiled. The message gives the reason in one line."""


def compiler() -> list[str]:
    """Returns the command of the C++ compiler: `CXX` with its arguments, or the first compiler on the PATH."""
    asked = shlex.split(os.environ.get("CXX", ""))
    if asked:
        if not shutil.which(asked[0]):
            raise CannotCompile(f"the compiler CXX={os.environ['CXX']!r} wasn't found")
        return asked
    for name in COMPILERS:
        if shutil.which(name):
            return [name]
    raise CannotCompile(f"no C++ compiler was found ({', '.join(COMPILERS)})")


def units(machine: str) -> list[tuple[str, tuple[str, ...]]]:
    """Returns the files to compile for a machine with their flags, the slowest to compile first."""
    if machine not in INSTRUCTION_SETS:
        raise CannotCompile(f"there are no kernels for the processor {machine!r}")
    kernels = [
        ("kernels.cc", (*KERNEL_FLAGS, *flags, f"-DNAME={name}")) for name, flags in INSTRUCTION_SETS[machine].items()
    ]
    return [*kernels, *((name, OTHER_FLAGS) for name in ("handlers.cc", "engine.cc", "self_test.cc"))]


def build(out: Path) -> None:
    """Compiles the library to the file `out`, with one compiler process per processor.

    Raises:
      CannotCompile: there is no compiler, no code for this machine, or compilation failed. `out` stays as it was.
    """
    if sys.platform not in LINK_FLAGS:
        raise CannotCompile(f"it isn't made for {sys.platform}")
    command = [*compiler(), *SYSTEM_FLAGS[sys.platform]]
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_all(command, units(platform.machine()), Path(folder))
        made = Path(folder) / LIBRARY
        # The linker takes the first of duplicate symbols. It must be the one for any processor, not for AVX-512.
        run([*command, *map(str, reversed(objects)), *LINK_FLAGS[sys.platform], "-o", str(made)])
        # Replaces the file by renaming, so that a running process keeps the old one.
        beside = out.with_name(f"{out.name}.new")
        shutil.copyfile(made, beside)
        os.replace(beside, out)


def compile_all(command: list[str], sources: list[tuple[str, tuple[str, ...]]], folder: Path) -> list[Path]:
    """Compiles `sources` (file in this folder, flags) to objects in `folder`. Returns their paths."""

    def one(number: int) -> Path:
        name, flags = sources[number]
        to = folder / f"{number}.o"
        run([*command, *FLAGS, *flags, "-isystem", str(HERE / "third_party"), "-c", str(HERE / name), "-o", str(to)])
        return to

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, range(len(sources))))


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        # The first error is the cause; consequent errors and notes come later.
        message = next((line for line in lines if "error" in line), lines[-1] if lines else "without a message")
        raise CannotCompile(f"{command[0]} failed with status {done.returncode}: {message.strip()}")


def build_or_say_why(folder: Path) -> str | None:
    """Compiles the library into `folder`. If it can't, writes the reason to a file there and returns it.

    Raises:
      CannotCompile: compilation failed with GRU_RESEARCH_NATIVE=1, which requires the library.
    """
    switch = os.environ.get(SWITCH, "")
    try:
        if switch not in ("", "0", "1"):
            raise CannotCompile(f"{SWITCH}={switch!r} must be 0 or 1")
        if switch == "0":
            raise CannotCompile(f"it was installed with {SWITCH}=0")
        build(folder / LIBRARY)
    except CannotCompile as e:
        if switch not in ("", "0"):
            raise
        (folder / LIBRARY).unlink(missing_ok=True)
        (folder / REASON).write_text(f"{e}\n")
        return str(e)
    (folder / REASON).unlink(missing_ok=True)
    return None


if __name__ == "__main__":
    sys.exit(build_or_say_why(HERE))
