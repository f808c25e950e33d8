"""What a kill test on Slurm does to the jobs of a sweep: kills, scancel, requeues, preemptions and suspensions."""

import dataclasses
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .local_slurm import URGENT, LocalSlurm

KILLED_TRIAL, KILLED_WORKER = "killed trial", "killed worker"
CANCELLED, REQUEUED, PREEMPTED, SUSPENDED = "cancelled", "requeued", "preempted", "suspended"
KINDS = (KILLED_TRIAL, SUSPENDED, PREEMPTED, KILLED_WORKER, CANCELLED, REQUEUED)
PROGRAMS = {KILLED_TRIAL: "experiments.compare", KILLED_WORKER: "submitit.core._submit"}
"""The processes that are killed, by the module that they run."""
LONGEST_GAP = 0.9  # of an undisturbed trial's length
LONGEST_SUSPENSION = 15.0  # seconds: longer than `dead_after`, so that another worker meets the suspended trial
URGENT_SECONDS = 2


@dataclasses.dataclass(frozen=True)
class Interruption:
    """What is done next, to which of the running jobs, and when.

    Attributes:
      gap: the time since the interruption before, as a share of an undisturbed trial's length.
      target: selects one of the running jobs, from 0 to 1.
      seconds: for how long a job is suspended.
    """

    kind: str
    gap: float
    target: float
    seconds: float


def draw(source: random.Random, count: int) -> list[Interruption]:
    """Draws interruptions: every kind about equally often, in a random order."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    source.shuffle(kinds)
    return [
        Interruption(kind, LONGEST_GAP * source.random(), source.random(), LONGEST_SUSPENSION * source.random())
        for kind in kinds
    ]


def interrupt(slurm: LocalSlurm, what: Interruption, job: str, keep_going: Callable[[], None]) -> bool:
    """Interrupts a running job; returns False if it has ended before that. A preemption concerns every running job.

    `keep_going` is called again and again while this waits.
    """
    try:
        return _do(slurm, what, job, keep_going)
    except (subprocess.CalledProcessError, ProcessLookupError):
        return False


def _do(slurm: LocalSlurm, what: Interruption, job: str, keep_going: Callable[[], None]) -> bool:
    if what.kind in PROGRAMS:
        found = processes(PROGRAMS[what.kind], slurm.raw_job_id(job))
        if not found:
            return False
        os.kill(found[0], signal.SIGKILL)
    elif what.kind == CANCELLED:
        slurm.run("scancel", job)
    elif what.kind == REQUEUED:
        slurm.run("scontrol", "requeue", job)
    elif what.kind == PREEMPTED:
        urgent = slurm.run(
            "sbatch", "--parsable", f"--partition={URGENT}", "--exclusive", "--output=/dev/null",
            f"--wrap=sleep {URGENT_SECONDS}",
        ).strip()  # fmt: skip
        _wait(lambda: urgent not in slurm.jobs(), keep_going)
    else:
        slurm.run("scontrol", "suspend", job)
        until = time.monotonic() + what.seconds
        _wait(lambda: time.monotonic() >= until, keep_going)
        slurm.run("scontrol", "resume", job)
    return True


def _wait(over: Callable[[], bool], keep_going: Callable[[], None]) -> None:
    while not over():
        keep_going()
        time.sleep(0.2)


def processes(program: str, job: str = "") -> list[int]:
    """Returns the processes whose command line contains `program`, of one Slurm job where `job` is its raw number."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace")
            of_job = not job or f"SLURM_JOB_ID={job}".encode() in (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if program in words and of_job and "srun" not in words.split("\0")[0]:
            found.append(int(folder.name))
    return sorted(found)
