"""Ties the life of a command to its parent's, then becomes the command.

    python -m experiments.sweeps.exec_guard PID CORES -- COMMAND

A command that outlived its killed parent would write to a directory that another process has taken over. Linux ends it
with its parent; other systems let it run to its end. The guard is a program, not a `preexec_fn`, which isn't safe
beside threads; the tie survives exec.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def guarded(command: Iterable[str], cores: Iterable[int] = ()) -> list[str]:
    """Returns the arguments that run `command` on `cores` (all of them where empty) as long as this process lives."""
    guard = [sys.executable, "-m", "experiments.sweeps.exec_guard", str(os.getpid()), ",".join(map(str, cores))]
    return [*guard, "--", *command]


def main(parent: str, cores: str, separator: str, *command: str) -> None:
    assert separator == "--" and command, "exec_guard PID CORES -- COMMAND"
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit(f"process {parent} ended before its command began")
        if cores:
            os.sched_setaffinity(0, map(int, cores.split(",")))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
