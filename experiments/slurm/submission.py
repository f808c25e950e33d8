"""Submits functions as Slurm jobs by submitit."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from gru_research.config import UserError

REQUEUES = 1_000_000  # submitit gives a job up after 3 time limits


def check_available() -> None:
    """Raises UserError if no job can be submitted from this machine."""
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise UserError(
            "--engine=slurm: there is no sbatch and srun here: run it where jobs are submitted, or add --dry_run"
        )


def submit(folder: Path, parameters: dict[str, Any], functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Submits each function as a job, several of them as one array. `folder` holds submitit's files.

    A function with `checkpoint()` is submitted again by submitit before its time limit and at a preemption.

    Returns:
      submitit's jobs.

    Raises:
      UserError: this machine has no Slurm, or Slurm refuses.
    """
    check_available()
    executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=REQUEUES)
    executor.update_parameters(**parameters)
    try:
        with executor.batch():
            return [executor.submit(function) for function in functions]
    except (FailedJobError, FailedSubmissionError) as e:
        raise UserError(f"--engine=slurm: sbatch refused: {e}") from e


def new_folder(parent: Path) -> Path:
    """Makes a folder for submitit's files, with a name that nobody can predict.

    submitit passes functions and results as pickles, and loading a pickle runs code. So no pickle that was in the
    directory before may be mistaken for one of this command.
    """
    return Path(tempfile.mkdtemp(prefix="submitit-", dir=parent))


def script(folder: Path, parameters: dict[str, Any], jobs: int) -> str:
    """Returns the script that submitit would submit; needs no Slurm."""
    executor = _WithoutSlurm(folder=folder)
    executor.update_parameters(**parameters)
    if jobs > 1:
        executor.parameters["map_count"] = jobs
    return executor._make_submission_file_text(executor._submitit_command_str, "dry_run")


class _WithoutSlurm(submitit.SlurmExecutor):
    """submitit's Slurm executor, made usable on machines without srun."""

    @classmethod
    def affinity(cls) -> int:
        return 1
