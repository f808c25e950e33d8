"""A process that compiles and times one system's layer on request: one line of JSON in, one out.

    python -m experiments.benchmarks.worker --system=linen --cell=gru --shape=32,128,32,128

    {"ready": true, "about": {...}, "baseline_bytes": n}                     at first
    {"compile": MODE}               -> {"seconds": s, "planned_bytes": n, "engine": e}
    {"check": MODE}                 -> {"seconds": s}                          one run, its results checked
    {"run": MODE, "repetitions": k} -> {"seconds": [s, ...], "peak_bytes": n, "device_peak_bytes": n}

It uses no processor while it waits for input, and ends with its input. An error is a last line
{"error": reason, "status": "not installed" | "not offered" | "failed"}, with the traceback on stderr.
"""

import argparse
import dataclasses
import json
import os
import re
import resource
import sys
import time
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from experiments.benchmarks.cases import BenchmarkCase, case_from_flags, split_system
from experiments.benchmarks.layers import NotOfferedError
from experiments.benchmarks.programs import Program, make_program

DISTRIBUTIONS = {"linen": "flax", "nnx": "flax", "haiku": "dm-haiku", "equinox": "equinox", "keras": "keras"}
DISTRIBUTIONS |= {"torch": "torch", "ours": "jax", "machine": "numpy"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in dataclasses.fields(BenchmarkCase):
        required = field.default is dataclasses.MISSING
        parser.add_argument(f"--{field.name}", required=required, default=None if required else str(field.default))
    case = case_from_flags(vars(parser.parse_args()))
    # What a library prints must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(make_program(case), case, sys.stdin, answers)
    except Exception as e:  # the parent reports it
        traceback.print_exc()
        _answer(answers, _reason(e))
        return 1
    return 0


def serve(program: Program, case: BenchmarkCase, requests: TextIO, answers: TextIO) -> None:
    """Answers requests until the input ends."""
    distribution = DISTRIBUTIONS[split_system(case.system)[0]]
    about = program.about | {"version": f"{distribution} {metadata.version(distribution)}"}
    _answer(answers, {"ready": True, "about": about, "baseline_bytes": peak_resident_bytes()})
    for line in requests:
        request = json.loads(line)
        if "compile" in request:
            started = time.perf_counter()
            planned = program.compile(request["compile"])
            seconds = time.perf_counter() - started
            engine = program.engine(request["compile"])
            _answer(answers, {"seconds": seconds, "planned_bytes": planned, "engine": engine})
        elif "check" in request:
            started = time.perf_counter()
            program.check(request["check"])
            _answer(answers, {"seconds": time.perf_counter() - started})
        else:
            seconds = [_timed(program, request["run"]) for _ in range(request["repetitions"])]
            peaks = {"peak_bytes": peak_resident_bytes(), "device_peak_bytes": program.device_peak_bytes()}
            _answer(answers, {"seconds": seconds} | peaks)


def peak_resident_bytes() -> int:
    """Returns this process's peak resident memory so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its maximum survives exec, so a child starts with its parent's.
        found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        assert found is not None
        return 1024 * int(found[1])
    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum if sys.platform == "darwin" else 1024 * maximum


def _timed(program: Program, mode: str) -> float:
    started = time.perf_counter()
    program.run(mode)
    return time.perf_counter() - started


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _reason(error: Exception) -> dict[str, Any]:
    if isinstance(error, ModuleNotFoundError):
        return {"status": "not installed", "error": f"no module {error.name}"}
    if isinstance(error, NotOfferedError):
        return {"status": "not offered", "error": str(error)}
    first_line = next(iter(str(error).splitlines()), "")
    return {"status": "failed", "error": ": ".join(filter(None, (type(error).__name__, first_line)))}


if __name__ == "__main__":
    sys.exit(main())
