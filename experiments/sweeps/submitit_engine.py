"""Runs workers as submitit jobs: processes of this machine, or an array of Slurm jobs."""

import dataclasses
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import submitit
from submitit.helpers import DelayedSubmission

from experiments.slurm import options, submission
from experiments.slurm.jobs import SlurmJobs

from . import subprocess_limits
from .search_space import Sweep
from .worker import work

FOREVER_MINUTES = 60 * 24 * 365  # submitit's local executor has a default limit of 2 minutes
STOP_SECONDS = subprocess_limits.TERM_SECONDS + 15
SPARE_GB = 1.0  # for the worker, in addition to its trial


@dataclasses.dataclass(frozen=True)
class SubmittedWorker:
    """The submitted job. After Slurm's time limit or preemption submitit requeues it, since it has a `checkpoint`; it
    then continues with its own or other trials."""

    workdir: str
    index: int
    program: tuple[str, ...]

    def __call__(self) -> int:
        return work(self.workdir, self.index, self.program)

    def checkpoint(self) -> DelayedSubmission:
        return DelayedSubmission(self)


class LocalWorkers:
    """Workers that are submitit jobs on this machine."""

    def __init__(self, jobs: Sequence[Any]):
        self._jobs = list(jobs)

    def running(self) -> int:
        return sum(not job.done() for job in self._jobs)

    def problems(self) -> list[str]:
        ended = [job for job in self._jobs if job.done()]
        return [
            f"worker {job.job_id} ended early ({job.state.lower()}): {job.paths.stderr}"
            for job in ended
            if not job.paths.result_pickle.exists() or job.exception() is not None
        ]

    def waiting(self) -> list[str]:
        return []

    def stop(self) -> None:
        for job in self._jobs:
            if not job.done():
                # Its id is its controller's process, which forwards SIGTERM; `cancel` would kill the worker after 1 s.
                os.kill(int(job.job_id), signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.2)


def start_local(sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> LocalWorkers:
    executor = submitit.LocalExecutor(folder=submission.new_folder(workdir / "workers"))
    gpus, jobs = sweep.limits.gpus, []
    with _ignoring_sigint():
        for index in range(workers):
            visible = tuple(range(index * gpus, (index + 1) * gpus))
            executor.update_parameters(timeout_min=FOREVER_MINUTES, gpus_per_node=gpus, visible_gpus=visible)
            jobs.append(executor.submit(SubmittedWorker(str(workdir), index, tuple(program))))
    return LocalWorkers(jobs)


class SlurmWorkers:
    """Workers that are submitit jobs on Slurm."""

    def __init__(self, jobs: Sequence[Any]):
        self._jobs, self._watched = list(jobs), SlurmJobs([job.job_id for job in jobs], STOP_SECONDS)

    def running(self) -> int:
        return self._watched.running()

    def waiting(self) -> list[str]:
        return self._watched.waiting()

    def problems(self) -> list[str]:
        ended = [job for job in self._jobs if not self._watched.is_running(job.job_id)]
        lines = [
            f"worker {job.job_id} ended early, without a result: {job.paths.stderr}"
            for job in ended
            if not job.paths.result_pickle.exists()
        ]
        failed = [job for job in ended if job.paths.result_pickle.exists() and job.exception() is not None]
        lines += [f"worker {job.job_id} failed: {job.paths.stderr}" for job in failed]
        return lines + self._watched.problems()

    def stop(self) -> None:
        self._watched.stop()


def start_slurm(sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> SlurmWorkers:
    """Submits an array of jobs. Raises UserError if this machine has no Slurm, or Slurm refuses."""
    submission.check_available()
    functions = [SubmittedWorker(str(workdir), index, tuple(program)) for index in range(workers)]
    folder = submission.new_folder(workdir / "workers")
    return SlurmWorkers(submission.submit(folder, slurm_parameters(sweep, workers), functions))


def slurm_script(sweep: Sweep, workdir: Path, workers: int) -> str:
    """Returns the script that submitit would submit; needs no Slurm."""
    return submission.script(workdir / "workers", slurm_parameters(sweep, workers), workers)


def slurm_parameters(sweep: Sweep, workers: int) -> dict[str, Any]:
    """Returns submitit's parameters of a sweep's jobs."""
    limits = sweep.limits
    memory = limits.memory_gb + SPARE_GB if limits.memory_gb else 0.0
    return options.parameters(sweep.slurm, options.Resources(limits.cpus, limits.gpus, memory), "sweep", workers)


@contextmanager
def _ignoring_sigint() -> Iterator[None]:
    """Processes started within ignore SIGINT. A terminal sends it to all processes at once, and submitit's controller
    would kill its worker a second later; the launcher stops the workers itself, in order."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
