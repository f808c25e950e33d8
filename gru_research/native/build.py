"""Compiles the engine from the sources in this folder: for an installation (hatch_build.py) and for its own tests.

It needs Python's standard library and a C++ compiler: GCC from 11 or Clang from 12 on, `CXX` or else the first of g++,
clang++ and c++ on the PATH. Nothing of it is used when the package runs, and wheels don't hold it.
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
"""Takes the library's place where it can't be compiled, and says why in one line."""
SWITCH = "GRU_RESEARCH_NATIVE"
COMPILERS = ("g++", "clang++", "c++")

# Contraction of products and sums makes the kernels fast. None of these flags lets a compiler assume that there are no
# NaN or infinities, or sum in another order.
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
    """The library can't be compiled; the message says why in one line."""


def compiler() -> list[str]:
    """The command of the C++ compiler, `CXX` with its arguments or the first that is found."""
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
    """What is compiled for a machine, the longest first: file and flags."""
    if machine not in INSTRUCTION_SETS:
        raise CannotCompile(f"there are no kernels for the processor {machine!r}")
    kernels = [
        ("kernels.cc", (*KERNEL_FLAGS, *flags, f"-DNAME={name}")) for name, flags in INSTRUCTION_SETS[machine].items()
    ]
    return [*kernels, *((name, OTHER_FLAGS) for name in ("handlers.cc", "engine.cc", "self_test.cc"))]


def build(out: Path) -> None:
    """Compiles the library to the file `out`, with as many compilers side by side as there are processors.

    Raises:
      CannotCompile: there is no compiler, none for this machine, or it failed. What was at `out` is left there.
    """
    if sys.platform not in LINK_FLAGS:
        raise CannotCompile(f"it isn't made for {sys.platform}")
    command = [*compiler(), *SYSTEM_FLAGS[sys.platform]]
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_all(command, units(platform.machine()), Path(folder))
        made = Path(folder) / LIBRARY
        # Of symbols in several units the linker takes the first: it must be the one for any processor, not for AVX-512.
        run([*command, *map(str, reversed(objects)), *LINK_FLAGS[sys.platform], "-o", str(made)])
        # A running process keeps the old file: the new one takes its name.
        beside = out.with_name(f"{out.name}.new")
        shutil.copyfile(made, beside)
        os.replace(beside, out)


def compile_all(command: list[str], sources: list[tuple[str, tuple[str, ...]]], folder: Path) -> list[Path]:
    """Objects of `sources` (file in this folder, flags), in `folder`."""

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
        # The first error says what is wrong; those that follow from it, and notes, come later.
        message = next((line for line in lines if "error" in line), lines[-1] if lines else "without a message")
        raise CannotCompile(f"{command[0]} failed with status {done.returncode}: {message.strip()}")


def build_or_say_why(folder: Path) -> str | None:
    """Puts the library into `folder`, or else a file with the reason, which is returned.

    Raises:
      CannotCompile: with GRU_RESEARCH_NATIVE=1, which insists.
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
