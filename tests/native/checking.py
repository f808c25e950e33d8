"""Compiles and runs check.cc, the kernels' own tests.

`make native-check` is this module: under sanitizers, on this machine. test_check.py runs it for another processor.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gru_research.native import build

CHECK = Path(__file__).parent / "check.cc"
ADDRESSES = ("-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
THREADS = ("-O1", "-g1", "-fsanitize=thread")


def compile_check(command: list[str], machine: str, folder: Path, flags: tuple[str, ...] = ()) -> Path:
    """The program in `folder`, compiled by `command` for `machine` with the flags of the library and these."""
    sources = [(name, (*own, *flags)) for name, own in build.units(machine) if name != "handlers.cc"]
    sources.append((str(CHECK), ("-O1", *flags, f"-I{build.HERE}")))
    objects = build.compile_all(command, sources, folder)
    program = folder / "check"
    build.run([*command, *flags, *map(str, objects), "-pthread", "-o", str(program)])
    return program


def main() -> int:
    command, machine, status = build.compiler(), platform.machine(), 0
    sets = list(build.INSTRUCTION_SETS.get(machine, {}))
    # Threads do the same with every instruction set, and that sanitizer is slow: fewer sizes, once.
    for what, flags, which, every in (
        ("addresses and undefined behaviour", ADDRESSES, sets, (1, 100_003)),
        ("threads", THREADS, sets[:1], (6, 100_000_007)),
    ):
        print(f"compiling the check of {what} ...", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            begin = time.monotonic()
            program = compile_check(command, machine, Path(folder), flags)
            print(f"compiled in {time.monotonic() - begin:.0f} s", flush=True)
            for name in which:
                begin = time.monotonic()
                env = {**os.environ, "GRU_RESEARCH_NATIVE_ISA": name}
                done = subprocess.run([str(program), *map(str, every)], env=env, check=False)
                print(f"{what}, {name}: {'failed' if done.returncode else 'passed'}, {time.monotonic() - begin:.0f} s")
                status |= done.returncode != 0
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except build.CannotCompile as e:
        sys.exit(f"the check can't be compiled: {e}")
