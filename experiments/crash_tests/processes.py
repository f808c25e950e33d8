"""One process of a run: started, watched, and killed or not."""

import dataclasses
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.sweeps.exec_guard import guarded
from experiments.sweeps.subprocess_limits import last_lines, status_text
from gru_research import records

from .stages import Watch, Where, newest_snapshot, where

POLL_SECONDS = 0.01


@dataclasses.dataclass(frozen=True)
class Life:
    """What one process of a run did.

    Attributes:
      killed: whether it was killed on time; else it ended itself, with `status` as the shell's and `last` words.
      at: where it stood then, `seconds` after its start.
      went_on: what it said of where it goes on: "gru, training, update 50", "the next cell"; nothing where it began
        anew or had not come to that.
      dropped, left_out: how many records and snapshots it did without.
      snapshot: the newest on disk when it ended; half_line: whether its records end in half a line.
    """

    killed: bool
    status: int
    last: str
    at: Where
    seconds: float
    went_on: str
    dropped: int
    left_out: int
    snapshot: str
    half_line: bool


@dataclasses.dataclass(frozen=True)
class Program:
    """The command that runs a comparison, given --workdir, and what is known of its config."""

    command: Sequence[str]
    env: Mapping[str, str]
    labels: tuple[str, ...]
    seeds: int

    def live(self, workdir: Path, output: Path, watch: Watch, due: Callable[[Watch], bool]) -> Life:
        """Runs a process until it ends or `due(watch)` says that it is time; its output goes to `output`.out, .err.

        It never outlives this process, and always has the same cores, hence as many devices.
        """
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ()
        command = guarded([*self.command, f"--workdir={workdir}"], cores)
        out, err = output.with_suffix(".out"), output.with_suffix(".err")
        since, started, told = time.time(), time.monotonic(), False
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(command, env=dict(self.env), stdout=stdout, stderr=stderr)
            try:
                while process.poll() is None:
                    watch.look(self._where(workdir, out, since), time.monotonic() - started)
                    if told := due(watch):
                        break
                    time.sleep(POLL_SECONDS)
            finally:
                seconds = time.monotonic() - started
                process.kill()
                process.wait()
        complaints = err.read_text(encoding="utf-8", errors="replace")
        status = 128 - process.returncode if process.returncode < 0 else process.returncode
        return Life(
            killed=told and process.returncode == -signal.SIGKILL,
            status=status,
            last=last_lines(err) or status_text(status),
            at=self._where(workdir, out, since),
            seconds=seconds,
            went_on=_first(r"going on with (.+?)(?:;.*)?$", complaints),
            dropped=int(_first(r"; (\d+) records after it are dropped", complaints) or 0),
            left_out=len(re.findall(r"^the snapshot of step .* is left out", complaints, re.MULTILINE)),
            snapshot=newest_snapshot(workdir),
            half_line=_ends_in_half_a_line(workdir / records.FILE_NAME),
        )

    def _where(self, workdir: Path, out: Path, since: float) -> Where:
        printed = out.read_text(encoding="utf-8", errors="replace")
        return where(workdir, printed, since, self.labels, self.seeds)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else ""


def _ends_in_half_a_line(path: Path) -> bool:
    text = path.read_bytes() if path.is_file() else b""
    return bool(text) and not text.endswith(b"\n")
