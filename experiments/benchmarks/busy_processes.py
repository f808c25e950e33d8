"""Other processes that take the cores: what a layer costs beside them."""

import os
import subprocess
import sys
from types import TracebackType

_SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nparent = os.getppid()\nprint(flush=True)\n"
_SPIN += "while os.getppid() == parent:\n    for _ in range(100_000): pass\n"
"""Ends by itself where its parent is gone."""


class BusyProcesses:
    """A context within which a process spins on each core of this one."""

    def __enter__(self) -> "BusyProcesses":
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            for core in sorted(os.sched_getaffinity(0)):
                process = subprocess.Popen([sys.executable, "-c", _SPIN, str(core)], stdout=subprocess.PIPE)
                self.processes.append(process)
            for process in self.processes:
                assert process.stdout is not None
                process.stdout.readline()  # it spins from here on
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
