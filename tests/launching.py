"""Runs launchers as commands, each in its own process.

Importing JAX and similar packages takes longer than most commands. So one process imports the modules without flags and
forks for each command. `command` is for tests that need a fresh process, or the process itself.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Every launcher sees a package "tensorflow" that ends the process that imports it.
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "stand_ins")])

FORKING = """
import gc, json, os, runpy, sys
import jax, flax, optax, orbax.checkpoint, tensorflow_datasets
import gru_research.training, gru_research.report

gc.freeze()  # else a fork that ends looks through all that was imported, which takes longer than most commands
for line in sys.stdin:
    asked = json.loads(line)
    process = os.fork()
    if process == 0:
        os.chdir(asked["cwd"])
        for number, name in enumerate(("/dev/null", asked["out"], asked["err"])):
            os.dup2(os.open(name, os.O_RDWR), number)
        sys.path[0] = asked["cwd"]
        sys.argv = [asked["module"], *asked["arguments"]]
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
        sys.exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
_SERVERS: dict[tuple[tuple[str, str], ...], subprocess.Popen[str]] = {}


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"experiments.{name}", *arguments]


def launch(name: str, *arguments: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m experiments.NAME ARGUMENTS` to its end, with `variables` in its environment."""
    server = _server(tuple(sorted(variables.items())))
    assert server.stdin is not None and server.stdout is not None
    with tempfile.NamedTemporaryFile("r+") as out, tempfile.NamedTemporaryFile("r+") as err:
        asked = {"module": f"experiments.{name}", "arguments": arguments, "cwd": str(cwd)}
        server.stdin.write(json.dumps(asked | {"out": out.name, "err": err.name}) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(command(name, *arguments), status, out.read(), err.read())


def _server(variables: tuple[tuple[str, str], ...]) -> subprocess.Popen[str]:
    if variables not in _SERVERS:
        env = os.environ | {"PYTHONPATH": PYTHONPATH, "COLUMNS": "120", "JAX_PLATFORMS": "cpu"} | dict(variables)
        pipe = subprocess.PIPE
        _SERVERS[variables] = subprocess.Popen(
            [sys.executable, "-c", FORKING], cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True
        )
        atexit.register(_SERVERS[variables].communicate)
    return _SERVERS[variables]
