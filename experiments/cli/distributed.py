"""Several processes, on one machine or many, that train one run together: the flags by which they find each other."""

import os
import sys
from collections.abc import MutableMapping
from typing import Any

import jax
from absl import flags

from gru_research.config import UserError
from gru_research.training import processes

PORT = "JAX_COORDINATOR_PORT"
FIRST_PORT = 2**16 - 2**12
STRIDE = 1009  # a prime, so that steps of neighbouring jobs rarely share a port
HEARTBEAT_SECONDS = 30
"""The time without a sign of life after which a process counts as dead and the others end; JAX's default is 100."""


def define_flags() -> None:
    flags.DEFINE_string("coordinator", "", "HOST:PORT of the first of several processes that train one run.")
    flags.DEFINE_integer("processes", None, "the number of processes; needs --coordinator.", lower_bound=1)
    flags.DEFINE_integer("process", None, "the number of this process, from 0; needs --coordinator.", lower_bound=0)
    flags.DEFINE_bool("distributed", False, "find the processes in the environment of Slurm, Open MPI or a TPU pod.")


def _choose_port(environment: MutableMapping[str, str]) -> None:
    """Gives the steps of one Slurm job different ports. JAX's choice depends on the job alone, so that two steps of a
    job would share it."""
    job, step = (environment.get(name, "") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    if job.isdecimal() and step.isdecimal() and PORT not in environment:
        environment[PORT] = str(FIRST_PORT + (int(job) + STRIDE * int(step)) % (2**16 - FIRST_PORT))


def count() -> int:
    """Returns the number of processes in the flags, or 1, also with --distributed."""
    return flags.FLAGS.processes or 1


def connect() -> None:
    """Joins the other processes, if the flags ask for it; then all but the first are silent on stdout.

    Must run before jax does anything but count its devices, and before signals are handled, since `jax.distributed`
    takes SIGTERM.

    Raises:
      UserError: the flags don't fit together, or the other processes can't be reached.
    """
    values = flags.FLAGS
    named = {name: values[name].value for name in ("coordinator", "processes", "process")}
    missing = [name for name, value in named.items() if value in ("", None)]
    if values.distributed and len(missing) < len(named):
        raise UserError("--distributed finds the processes itself: leave out --coordinator, --processes and --process")
    if not values.distributed and len(missing) == len(named):
        return
    if not values.distributed and missing:
        raise UserError(f"--{missing[0]} is missing: --coordinator, --processes and --process go together")
    if not values.distributed and values.process >= values.processes:
        raise UserError(f"--process={values.process} must be below --processes={values.processes}")
    arguments: dict[str, Any] = {}
    if values.distributed:
        _choose_port(os.environ)
    else:
        arguments = {
            "coordinator_address": values.coordinator,
            "num_processes": values.processes,
            "process_id": values.process,
            # JAX's default is every address of the machine.
            "coordinator_bind_address": values.coordinator if values.process == 0 else None,
        }
    try:
        jax.distributed.initialize(**arguments, heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
    except (RuntimeError, ValueError) as e:
        if "coordinator_address should be defined" in str(e):
            raise UserError(
                "--distributed finds no processes of Slurm, Open MPI or a TPU pod: start it by srun or mpirun, or give "
                "--coordinator, --processes and --process"
            ) from e
        raise UserError(f"the processes don't find each other: {' '.join(str(e).split())[:300]}") from e
    if not processes.is_first():
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the process ends
