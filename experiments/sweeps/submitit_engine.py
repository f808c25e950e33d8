"""Workers as submitit's jobs: processes of this machine, or an array of Slurm jobs."""

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
from .worker import work

FOREVER_MINUTES = 60 * 24 * 365  # submitit's local executor ends a job after 2 minutes unless told otherwise
STOP_SECONDS = subprocess_limits.TERM_SECONDS + 15
SPARE_GB = 1.0  # for the worker itself, beside its trial
SIGNAL_SECONDS = 120  # from SIGUSR2 to the end of a Slurm job's time


@dataclasses.dataclass(frozen=True)
class SubmittedWorker:
    """What is submitted. Slurm's time limit and preemption put it back into the queue, where it goes on with others'
    trials or its own; submitit does that with whatever has a `checkpoint`."""

    workdir: str
    index: int
    program: tuple[str, ...]

    def __call__(self) -> int:
        return work(self.workdir, self.index, self.program)

    def checkpoint(self) -> DelayedSubmission:
        return DelayedSubmission(self)


class SubmititWorkers:
    """submitit's jobs as workers."""

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

    def stop(self) -> None:
        for job in self._jobs:
            if not job.done():
                self._end(job)
        deadline = time.monotonic() + STOP_SECONDS
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.2)

    def _end(self, job: Any) -> None:
        if isinstance(job, submitit.LocalJob):
            # Its id is its controller's process, which passes SIGTERM on; `cancel` would kill the worker after 1 s.
            os.kill(int(job.job_id), signal.SIGTERM)
        else:
            job.cancel()


def start_local(sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> SubmititWorkers:
    executor = submitit.LocalExecutor(folder=_own_folder(workdir))
    gpus, jobs = sweep.limits.gpus, []
    with _deaf_to_ctrl_c():
        for index in range(workers):
            visible = tuple(range(index * gpus, (index + 1) * gpus))
            executor.update_parameters(timeout_min=FOREVER_MINUTES, gpus_per_node=gpus, visible_gpus=visible)
            jobs.append(executor.submit(SubmittedWorker(str(workdir), index, tuple(program))))
    return SubmititWorkers(jobs)


def start_slurm(sweep: Sweep, workdir: Path, workers: int, program: Sequence[str]) -> SubmititWorkers:
    """Submits an array of jobs. Raises UserError where this machine has no Slurm, or Slurm refuses."""
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise UserError(
            "--engine=slurm: there is no sbatch and srun here: run it where jobs are submitted, or add --dry_run"
        )
    executor = submitit.SlurmExecutor(folder=_own_folder(workdir))
    executor.update_parameters(**slurm_parameters(sweep, workers))
    try:
        with executor.batch():  # one array
            jobs = [executor.submit(SubmittedWorker(str(workdir), index, tuple(program))) for index in range(workers)]
        return SubmititWorkers(jobs)
    except FailedJobError as e:
        raise UserError(f"--engine=slurm: sbatch refused: {e}") from e


def _own_folder(workdir: Path) -> Path:
    """A new folder for submitit's files under a name that nobody can foresee.

    submitit hands workers and their results over as pickles, which run what they say: none that lay in the directory
    before may ever be taken for one of this command's.
    """
    return Path(tempfile.mkdtemp(prefix="submitit-", dir=workdir / "workers"))


def slurm_script(sweep: Sweep, workdir: Path, workers: int) -> str:
    """The script that would be submitted, as submitit writes it; needs no Slurm."""
    executor = _WithoutSlurm(folder=workdir / "workers")
    executor.update_parameters(**slurm_parameters(sweep, workers))
    if workers > 1:
        executor.parameters["map_count"] = workers
    return executor._make_submission_file_text(executor._submitit_command_str, "dry_run")


class _WithoutSlurm(submitit.SlurmExecutor):
    """submitit's own, which otherwise refuses to be made where there is no srun."""

    @classmethod
    def affinity(cls) -> int:
        return 1


def slurm_parameters(sweep: Sweep, workers: int) -> dict[str, Any]:
    """What submitit is told, by its own names; what is 0 or empty is left to the cluster."""
    slurm, limits = sweep.slurm, sweep.limits
    named = {name: getattr(slurm, name) for name in ("partition", "account", "qos", "constraint")}
    asked: dict[str, Any] = {
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
    return fixed | {name: value for name, value in asked.items() if value}


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started within ignore SIGINT. A terminal sends it to all at once, and submitit's controller would kill
    its worker a second later; the launcher tells the workers itself, in order."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
