"""A command that runs in a Slurm job."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import submitit
from submitit.helpers import DelayedSubmission

import experiments
from experiments.sweeps import subprocess_limits
from gru_research import records

ROOT = Path(experiments.__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class CommandJob:
    """The submitted job: runs `command`, a launcher with its --workdir, and appends what it prints to `log`.

    After Slurm's time limit or preemption submitit requeues it, since it has a `checkpoint`; the launcher then resumes
    from its own. `status` is the JSON file of the launcher's exit status, once it has ended.
    """

    command: tuple[str, ...]
    log: str
    status: str

    def __call__(self) -> int:
        stop: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
        Path(self.status).unlink(missing_ok=True)
        job = submitit.JobEnvironment()
        with Path(self.log).open("a", encoding="utf-8") as file:
            file.write(f"job {job.job_id} on {job.hostname}\n")
        ended = subprocess_limits.run(
            self.command,
            Path(self.log),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
            minutes=0,
            memory_gb=0,
            monitor=lambda: "stopped" if stop else "",
        )
        records.write_whole(Path(self.status), json.dumps(ended.status) + "\n")
        return ended.status

    def checkpoint(self) -> DelayedSubmission:
        return DelayedSubmission(self)
