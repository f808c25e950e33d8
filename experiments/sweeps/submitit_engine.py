"""Runs workers as submitit jobs: processes of this machine, or an array of Slurm jobs."""

import dataclasses
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from gru_research.config import UserError

from . import subprocess_limits
from .search_space import Sweep
from .slurm_jobs import SlurmWorkers
from .worker import work

FOREVER_MINUTES = 60 * 24 * 365  # submitit's local executor has a default limit of 2 minutes
STOP_SECONDS = subprocess_limits.TERM_SECONDS + 15
SPARE_GB = 1.0  # for the worker, in addition to its trial
REQUEUES = 1_000_000  # submitit gives a job up after 3 time limits; its trials' own limits are the journal's
SIGNAL_SECONDS = 120  # from SIGUSR2 to the end of a Slurm job's time


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
    executor = submitit.LocalExecutor(folder=_own_folder(workdir))
    gpus, jobs = sweep.limits.gpus, []
    with _ignoring_sigint():
        for index in range(workers):
            visible = tuple(range(index * gpus, (index + 1) * gpus))
            executor.update_parameters(timeout_min=FOREVER_MINUTES, gpus_per_node=gpus, visible_gpus=visible)
            jobs.append(executor.submit(SubmittedWorker(str(workdir), index, tuple(program))))
    return LocalWorkers(jobs)


def start_slurm(sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> SlurmWorkers:
    """Submits an array of jobs. Raises UserError if this machine has no Slurm, or Slurm refuses."""
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise UserError(
            "--engine=slurm: there is no sbatch and srun here: run it where jobs are submitted, or add --dry_run"
        )
    executor = submitit.SlurmExecutor(folder=_own_folder(workdir), max_num_timeout=REQUEUES)
    executor.update_parameters(**slurm_parameters(sweep, workers))
    try:
        with executor.batch():  # one array
            jobs = [executor.submit(SubmittedWorker(str(workdir), index, tuple(program))) for index in range(workers)]
        return SlurmWorkers(jobs, STOP_SECONDS)
    except FailedJobError as e:
        raise UserError(f"--engine=slurm: sbatch refused: {e}") from e


def _own_folder(workdir: Path) -> Path:
    """Makes a folder for submitit's files, with a name that nobody can predict.

    submitit passes workers and results as pickles, and loading a pickle runs code. So no pickle that was in the
    directory before may be mistaken for one of this command.
    """
    return Path(tempfile.mkdtemp(prefix="submitit-", dir=workdir / "workers"))


def slurm_script(sweep: Sweep, workdir: Path, workers: int) -> str:
    """Returns the script that submitit would submit; needs no Slurm."""
    executor = _WithoutSlurm(folder=workdir / "workers")
    executor.update_parameters(**slurm_parameters(sweep, workers))
    if workers > 1:
        executor.parameters["map_count"] = workers
    return executor._make_submission_file_text(executor._submitit_command_str, "dry_run")


class _WithoutSlurm(submitit.SlurmExecutor):
    """submitit's Slurm executor, made usable on machines without srun."""

    @classmethod
    def affinity(cls) -> int:
        return 1


def slurm_parameters(sweep: Sweep, workers: int) -> dict[str, Any]:
    """Returns submitit's parameters. Values that are 0 or empty are left out, for the cluster to decide."""
    slurm, limits = sweep.slurm, sweep.limits
    named = {name: getattr(slurm, name) for name in ("partition", "account", "qos", "constraint")}
    optional: dict[str, Any] = {
        **named,
        "mem": f"{round(1000 * (limits.memory_gb + SPARE_GB))}M" if limits.memory_gb else "",
        "cpus_per_task": limits.cpus,
        "gpus_per_node": limits.gpus,
        "setup": list(slurm.setup),
    }
    fixed = {
        "job_name": "sweep",
        "time": slurm.minutes,
        "ntasks_per_node": 1,
        "array_parallelism": workers,
        "signal_delay_s": min(SIGNAL_SECONDS, 30 * slurm.minutes),
    }
    return fixed | {name: value for name, value in optional.items() if value}


@contextmanager
def _ignoring_sigint() -> Iterator[None]:
    """Processes started within ignore SIGINT. A terminal sends it to all processes at once, and submitit's controller
    would kill its worker a second later; the launcher stops the workers itself, in order."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
