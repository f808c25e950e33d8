"""Runs one process of a run, watches it and kills it when its time comes."""

import dataclasses
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.sweeps.exec_guard import guarded
from experiments.sweeps.subprocess_limits import last_line, status_text
from gru_research import records

from .stages import RunPosition, StageTimeline, locate_run, newest_snapshot

POLL_SECONDS = 0.01


@dataclasses.dataclass(frozen=True)
class ProcessOutcome:
    """How one process of a run ended.

    Attributes:
      killed: True if it was killed; False if it ended by itself, with the shell's `status`.
      last_line: the last line that it wrote to stderr.
      at: its position in the run at its end, `seconds` after its start.
      resumed_from: what it printed of where it resumed, such as "gru, training, update 50" or "the next cell"; empty
        if it began anew or ended before that.
      dropped, left_out: how many records and snapshots it discarded.
      snapshot: the newest snapshot on disk at its end.
      half_line: whether its records end in half a line.
    """

    killed: bool
    status: int
    last_line: str
    at: RunPosition
    seconds: float
    resumed_from: str
    dropped: int
    left_out: int
    snapshot: str
    half_line: bool


@dataclasses.dataclass(frozen=True)
class RunCommand:
    """The command that runs a comparison, given --workdir, with the labels and seeds of its config."""

    command: Sequence[str]
    env: Mapping[str, str]
    labels: tuple[str, ...]
    seeds: int

    def run_process(
        self, workdir: Path, output: Path, timeline: StageTimeline, due: Callable[[StageTimeline], bool]
    ) -> ProcessOutcome:
        """Runs a process until it ends, and kills it once `due(timeline)`. Its output goes to `output`.out and .err.

        It never outlives this process. It always has the same cores, and so the same number of devices.
        """
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ()
        command = guarded([*self.command, f"--workdir={workdir}"], cores)
        out, err = output.with_suffix(".out"), output.with_suffix(".err")
        since, started, killed = time.time(), time.monotonic(), False
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(command, env=dict(self.env), stdout=stdout, stderr=stderr)
            try:
                while process.poll() is None:
                    timeline.update(self._where(workdir, out, since), time.monotonic() - started)
                    if killed := due(timeline):
                        break
                    time.sleep(POLL_SECONDS)
            finally:
                seconds = time.monotonic() - started
                process.kill()
                process.wait()
        messages = err.read_text(encoding="utf-8", errors="replace")
        status = 128 - process.returncode if process.returncode < 0 else process.returncode
        return ProcessOutcome(
            killed=killed and process.returncode == -signal.SIGKILL,
            status=status,
            last_line=last_line(err) or status_text(status),
            at=self._where(workdir, out, since),
            seconds=seconds,
            resumed_from=_first(r"going on with (.+?)(?:;.*)?$", messages),
            dropped=int(_first(r"; (\d+) records after it are dropped", messages) or 0),
            left_out=len(re.findall(r"^the snapshot of step .* is left out", messages, re.MULTILINE)),
            snapshot=newest_snapshot(workdir),
            half_line=_ends_in_half_a_line(workdir / records.FILE_NAME),
        )

    def _where(self, workdir: Path, out: Path, since: float) -> RunPosition:
        printed = out.read_text(encoding="utf-8", errors="replace")
        return locate_run(workdir, printed, since, self.labels, self.seeds)


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else ""


def _ends_in_half_a_line(path: Path) -> bool:
    text = path.read_bytes() if path.is_file() else b""
    return bool(text) and not text.endswith(b"\n")
