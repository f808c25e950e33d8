"""Watches and cancels Slurm jobs by squeue and scancel, which work without Slurm's accounting."""

import os
import pwd
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

from gru_research.plural import several

POLL_SECONDS = 2.0
ANSWER_SECONDS = 30.0
QUIET_REASONS = ("None", "")


class JobState(NamedTuple):
    """A job's state, such as PENDING, and Slurm's reason for it."""

    state: str
    reason: str


class SlurmJobs:
    """Submitted jobs by their ids. A job counts as running while squeue lists it: also queued, requeued after a
    preemption, or suspended."""

    def __init__(self, ids: Sequence[str], stop_seconds: float):
        self._stop_seconds = stop_seconds
        self._states = {job: JobState("PENDING", "None") for job in ids}
        self._asked_at = 0.0
        self._unanswered, self._unstopped = "", ""

    def running(self) -> int:
        if time.monotonic() - self._asked_at >= POLL_SECONDS:
            self._ask()
        return len(self._states)

    def waiting(self) -> list[str]:
        """Returns a line for each state and reason in which jobs wait; one line where Slurm doesn't answer."""
        if self._unanswered:
            return [f"Slurm doesn't answer ({self._unanswered}); asking again"]
        found: dict[JobState, list[str]] = {}
        for job, state in self._states.items():
            if state.state != "RUNNING" and (state.state != "PENDING" or state.reason not in QUIET_REASONS):
                found.setdefault(state, []).append(job)
        return [
            f"{several(len(jobs), 'job')} {state.state.lower()} ({state.reason}): {', '.join(jobs)}"
            for state, jobs in found.items()
        ]

    def is_running(self, job: str) -> bool:
        return job in self._states

    def problems(self) -> list[str]:
        """Returns a line on the jobs that couldn't be stopped, if there are any."""
        return [self._unstopped] if self._unstopped else []

    def cancel(self) -> bool:
        """Cancels the jobs. Returns False if none is left, or scancel fails; then `problems` names the jobs."""
        self._ask()
        if not self._states:
            return False
        failed = _error(["scancel", *self._states])
        if failed is not None:
            jobs = " ".join(self._states)
            self._unstopped = f"scancel failed ({failed}): jobs may be left in the queue; later run: scancel {jobs}"
        return failed is None

    def stop(self) -> None:
        """Cancels the jobs and waits for them."""
        if not self.cancel():
            return
        deadline = time.monotonic() + self._stop_seconds
        while self._states and time.monotonic() < deadline:
            time.sleep(0.2)
            self._ask()

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        # By user and not by job: squeue refuses jobs that Slurm has forgotten.
        listed = _output(
            ["squeue", "--noheader", "--array", f"--user={pwd.getpwuid(os.getuid()).pw_name}", "--format=%i|%T|%r"]
        )
        if isinstance(listed, str):
            self._unanswered = listed
            return
        self._unanswered = ""
        found = {}
        for line in listed:
            job, _, rest = line.partition("|")
            state, _, reason = rest.partition("|")
            found[job.strip()] = JobState(state.strip(), reason.strip())
        self._states = {job: found[job] for job in self._states if job in found}


def _output(command: Sequence[str]) -> list[str] | str:
    """Returns a command's lines; why there are none, as a text, if it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{command[0]}: {e}"
    if done.returncode:
        return " ".join(done.stderr.split()) or f"{command[0]} ended with status {done.returncode}"
    return done.stdout.splitlines()


def _error(command: Sequence[str]) -> str | None:
    found = _output(command)
    return found if isinstance(found, str) else None
