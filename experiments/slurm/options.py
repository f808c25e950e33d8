"""The options of Slurm jobs, and submitit's parameters made of them."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from gru_research.config import call, check_known

SIGNAL_SECONDS = 120
"""From SIGUSR2 to the end of a job's time."""


def check_at_least(owner: Any, least: int, *names: str) -> None:
    """Raises ValueError for a field of `owner` that is less than `least` or infinite."""
    for name in names:
        value = getattr(owner, name)
        if not least <= value < math.inf:
            raise ValueError(f"{name}={value!r} must be {least} or more, and finite")


@dataclasses.dataclass(frozen=True)
class Slurm:
    """How jobs are submitted: each may take `minutes`; `setup` are shell lines that run before it."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    minutes: int = 60
    setup: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_at_least(self, 1, "minutes")


@dataclasses.dataclass(frozen=True)
class Resources:
    """What each job asks for: cores and GPUs, and the memory in GB. 0: what the cluster gives."""

    cpus: int = 0
    gpus: int = 0
    memory_gb: float = 0.0

    def __post_init__(self) -> None:
        check_at_least(self, 0, "cpus", "gpus", "memory_gb")


def parse(mapping: Mapping[str, Any], named: str) -> tuple[Slurm, Resources]:
    """Returns the options that a mapping holds, such as {"partition": "gpu", "gpus": 1}. Raises UserError, which
    names the field behind `named`."""
    groups = {cls: [field.name for field in dataclasses.fields(cls)] for cls in (Slurm, Resources)}
    for name in mapping:
        check_known(named, name, [known for names in groups.values() for known in names])
    of = {cls: {name: mapping[name] for name in names if name in mapping} for cls, names in groups.items()}
    return call(Slurm, of[Slurm], named), call(Resources, of[Resources], named)


def parameters(slurm: Slurm, resources: Resources, name: str, jobs: int) -> dict[str, Any]:
    """Returns submitit's parameters. Values that are 0 or empty are left out, for the cluster to decide."""
    named = {field: getattr(slurm, field) for field in ("partition", "account", "qos", "constraint")}
    optional: dict[str, Any] = {
        **named,
        "mem": f"{round(1000 * resources.memory_gb)}M" if resources.memory_gb else "",
        "cpus_per_task": resources.cpus,
        "gpus_per_node": resources.gpus,
        "setup": list(slurm.setup),
    }
    fixed = {
        "job_name": name,
        "time": slurm.minutes,
        "ntasks_per_node": 1,
        "array_parallelism": jobs,
        "signal_delay_s": min(SIGNAL_SECONDS, 30 * slurm.minutes),
        "additional_parameters": {"requeue": True},  # also on clusters whose default is not to
    }
    return fixed | {field: value for field, value in optional.items() if value}
