"""Processes that keep the cores busy, to time layers under contention."""

import os
import subprocess
import sys
from types import TracebackType

_SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nparent = os.getppid()\nprint(flush=True)\n"
_SPIN += "while os.getppid() == parent:\n    for _ in range(100_000): pass\n"
"""The process ends by itself when its parent is gone."""


class BusyProcesses:
    """A context manager that runs a busy process on each of this process's cores."""

    def __enter__(self) -> "BusyProcesses":
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            for core in sorted(os.sched_getaffinity(0)):
                process = subprocess.Popen([sys.executable, "-c", _SPIN, str(core)], stdout=subprocess.PIPE)
                self.processes.append(process)
            for process in self.processes:
                assert process.stdout is not None
                process.stdout.readline()  # it is running now
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
