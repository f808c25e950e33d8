"""Becomes a trial's command, after tying its life to its worker's.

    python -m experiments.sweeps.exec_guard PID CORES -- COMMAND

A trial that outlived its worker, killed by whatever, would go on writing to a directory that another worker has taken
over. Linux ends it with its worker; elsewhere it runs on to its end. A program of its own instead of `preexec_fn`,
which isn't safe beside threads; the tie survives exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(worker: str, cores: str, separator: str, *command: str) -> None:
    assert separator == "--" and command, "guarded PID CORES -- COMMAND"
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(worker):
            sys.exit(f"worker {worker} ended before its trial began")
        if cores:
            os.sched_setaffinity(0, map(int, cores.split(",")))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
