"""The description of a sweep: fields of a config with their values or ranges, the search, and a trial's limits.

`parse_sweep` turns a sweep file's mapping into frozen, validated dataclasses; a mistake is a `UserError` in one line.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

from experiments.slurm.options import Slurm, check_at_least
from gru_research.config import UserError, call, check_known


@dataclasses.dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both included: integers if both are integers, on a logarithmic scale if `log`."""

    low: int | float
    high: int | float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name}={value!r} must be a finite number")
        if self.low > self.high:
            raise ValueError(f"low={self.low!r} must be at most high={self.high!r}")
        if self.log and self.low <= 0:
            raise ValueError(f"low={self.low!r} must be above 0 on a logarithmic scale")

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def check_values(self) -> tuple[Any, ...]:
        """The values at which a config is checked."""
        return (self.low, self.high)


@dataclasses.dataclass(frozen=True)
class Choices:
    """One of `values`, each a number, a string or a bool, the types that Optuna's journal stores."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("values is empty: name at least one")
        for value in self.values:
            finite = not isinstance(value, float) or math.isfinite(value)
            if not isinstance(value, bool | int | float | str) or not finite:
                raise ValueError(f"values={value!r} must be finite numbers, texts, true or false")
        if len(set(self.values)) < len(self.values):  # True is 1, to Optuna too
            raise ValueError(f"values={self.values!r} must differ from each other")

    @property
    def check_values(self) -> tuple[Any, ...]:
        return self.values


@dataclasses.dataclass(frozen=True)
class Objective:
    """The final validation metric, as IQM over seeds, of the cell `cell`; of the best cell if it is empty."""

    cell: str = ""


@dataclasses.dataclass(frozen=True)
class Pruning:
    """The rule that ends bad trials early.

    `median` ends a trial whose best metric so far is worse than the median of the other trials at the same update. It
    starts after `warmup` updates and `startup` finished trials.
    """

    kind: Literal["none", "median"] = "none"
    warmup: int = 0
    startup: int = 5

    def __post_init__(self) -> None:
        check_at_least(self, 0, "warmup", "startup")


@dataclasses.dataclass(frozen=True)
class Limits:
    """The resources of a trial.

    Attributes:
      minutes, memory_gb: limits of wall time and resident memory, 0 for none.
      cpus, gpus: cores (0: all) and GPUs of its worker.
      gpu_memory_fraction: the share of each GPU's memory that JAX preallocates, 0 for JAX's default.
    """

    minutes: float = 0.0
    memory_gb: float = 0.0
    cpus: int = 1
    gpus: int = 0
    gpu_memory_fraction: float = 0.0

    def __post_init__(self) -> None:
        check_at_least(self, 0, "minutes", "memory_gb", "cpus", "gpus")
        if not 0 <= self.gpu_memory_fraction <= 1:
            raise ValueError(f"gpu_memory_fraction={self.gpu_memory_fraction!r} must be from 0 to 1")


@dataclasses.dataclass(frozen=True)
class RayCluster:
    """The `address` of a running cluster; "auto" finds this machine's, and "" starts Ray on this machine only."""

    address: str = ""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep over `fields`: a whole grid, or `trials` trials by Optuna's TPE, the first `startup` of them random.

    A trial that crashes is tried again up to `retries` times. A worker whose heartbeat stops for `dead_after` seconds
    counts as dead, and another worker takes over its trial.
    """

    fields: Mapping[str, Range | Choices]
    search: Literal["grid", "tpe"] = "grid"
    trials: int = 0
    startup: int = 10
    seed: int = 0
    retries: int = 1
    dead_after: float = 60.0
    objective: Objective = Objective()
    pruning: Pruning = Pruning()
    limits: Limits = Limits()
    slurm: Slurm = Slurm()
    ray: RayCluster = RayCluster()

    def __post_init__(self) -> None:
        check_at_least(self, 0, "trials", "startup", "seed", "retries")
        if not 0 < self.dead_after < math.inf:
            raise ValueError(f"dead_after={self.dead_after!r} must be above 0 and finite")
        if self.search == "tpe" and self.trials < 1:
            raise ValueError(f"trials={self.trials!r} must be at least 1 with search='tpe'")
        ranges = [name for name, field in self.fields.items() if isinstance(field, Range)]
        if self.search == "grid" and ranges:
            raise ValueError(f"fields.{ranges[0]} is a range: search='grid' needs values, search='tpe' takes ranges")
        if self.search == "grid" and self.trials not in (0, self.count):
            raise ValueError(f"trials={self.trials!r} must be {self.count}, the whole grid, or left out")

    @property
    def count(self) -> int:
        """The number of trials."""
        if self.search == "tpe":
            return self.trials
        return math.prod(len(field.check_values) for field in self.fields.values())

    def fixed_values(self) -> list[dict[str, Any]]:
        """Returns each trial's fixed values: all fields in a grid, none in a search."""
        if self.search == "tpe":
            return [{} for _ in range(self.trials)]
        values = itertools.product(*(field.check_values for field in self.fields.values()))
        return [dict(zip(self.fields, point, strict=True)) for point in values]


def parse_sweep(mapping: Mapping[str, Any]) -> Sweep:
    """Parses and checks a sweep file's mapping. Raises UserError."""
    rest = dict(mapping)
    for name in rest:
        check_known("sweep", name, [f.name for f in dataclasses.fields(Sweep)])
    fields = _fields("sweep.fields", rest.pop("fields", None))
    given: dict[str, Any] = {"fields": fields}
    for name, cls in GROUPS.items():
        given[name] = call(cls, rest.pop(name, {}), f"sweep.{name}")
    return call(Sweep, rest, "sweep", given)


GROUPS = {"objective": Objective, "pruning": Pruning, "limits": Limits, "slurm": Slurm, "ray": RayCluster}


def to_mapping(made: Sweep) -> dict[str, Any]:
    """Returns the mapping that `parse_sweep` reads, with all defaults filled in."""
    mapping = dataclasses.asdict(made)
    mapping["fields"] = {
        name: list(field.values) if isinstance(field, Choices) else dataclasses.asdict(field)
        for name, field in made.fields.items()
    }
    return mapping


def _fields(path: str, group: Any, prefix: str = "") -> dict[str, Range | Choices]:
    """Returns nested groups' fields by dotted name: a tuple or {choices} are values, {low, high, log} a range."""
    if not isinstance(group, Mapping) or not group:
        raise UserError(f"{path}={group!r} must be a group of fields, each with a tuple of values or low and high")
    found: dict[str, Range | Choices] = {}
    for name, value in group.items():
        here = f"{path}.{name}"
        if isinstance(value, Mapping) and set(value) & {"low", "high"}:
            found[prefix + name] = call(Range, value, here)
        elif isinstance(value, Mapping) and not set(value) & {"choices"}:
            found |= _fields(here, value, f"{prefix}{name}.")
        else:
            found[prefix + name] = _choices(here, value)
    return found


def _choices(path: str, value: Any) -> Choices:
    if isinstance(value, Mapping):
        for name in value:
            check_known(path, name, ("choices",))
        value = value["choices"]
    if not isinstance(value, list | tuple):
        raise UserError(f"{path}={value!r} must be a tuple of values, or a group with low and high")
    try:
        return Choices(tuple(value))
    except ValueError as e:
        raise UserError(f"{path}.{e}") from e
