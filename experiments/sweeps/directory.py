"""A sweep's directory: its layout, its description, and the check that it holds no other sweep.

sweep.json            the sweep, the config, the task's metric: everything that a worker needs
journal.log           Optuna's journal, shared by all workers
trial_configs/0003/   the config of trial 3, config.json
trials/0003/          trial 3's run, as `experiments.compare` writes it
logs/0003.1.log       what trial 3's first attempt printed
heartbeats/7          the heartbeat of the journal's entry 7
workers/              what the workers printed, and submitit's files
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research import records
from gru_research.config import UserError
from gru_research.runs import directory
from gru_research.runs.directory import check_files
from gru_research.stats import Direction

from . import search_space

SCHEMA = "gru_research.sweep/1"
FILE_NAME = "sweep.json"
FIXED = ("fields", "search", "startup", "seed", "objective", "pruning")
"""Fields that identify a sweep. Trials, retries, limits and engine may change from one command to the next."""

RENAMED = {"asked": "trial_configs", "alive": "heartbeats"}
"""Folders that had other names in earlier versions: the former name, and the present one."""


@dataclasses.dataclass(frozen=True)
class SweepDescription:
    """What `sweep.json` holds.

    Attributes:
      sweep: the sweep.
      config: the config's mapping, without the trials' values.
      metric, direction: the task's validation metric, and whether lower or higher is better.
      title: the report's title.
      arguments: flags that every trial gets.
      files: checksums of the user's own files that the trials use, by path.
    """

    sweep: search_space.Sweep
    config: Mapping[str, Any]
    metric: str
    direction: Direction
    title: str
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        fields = {"sweep": search_space.to_mapping(self.sweep), "config": self.config}
        rest = {"metric": self.metric, "direction": self.direction, "title": self.title, "arguments": self.arguments}
        return records.to_json({"schema": SCHEMA, **fields, **rest, "files": self.files})


@dataclasses.dataclass(frozen=True)
class SweepDirectory:
    """The paths within a sweep's directory. All are absolute, since workers may have another working directory."""

    path: Path

    @property
    def journal_file(self) -> Path:
        return self.path / "journal.log"

    @property
    def workers(self) -> Path:
        return self.path / "workers"

    def run_folder(self, trial: int) -> Path:
        return self.path / "trials" / f"{trial:04d}"

    def config_folder(self, trial: int) -> Path:
        return self.path / "trial_configs" / f"{trial:04d}"

    def log(self, trial: int, attempt: int) -> Path:
        return self.path / "logs" / f"{trial:04d}.{attempt}.log"

    def heartbeat(self, number: int) -> Path:
        return self.path / "heartbeats" / str(number)

    def make(self) -> None:
        for old, new in RENAMED.items():
            if (self.path / old).is_dir() and not (self.path / new).exists():
                with contextlib.suppress(FileNotFoundError):  # another command on this directory was first
                    (self.path / old).rename(self.path / new)
        for name in ("trial_configs", "trials", "logs", "heartbeats", "workers"):
            (self.path / name).mkdir(exist_ok=True)


def claim(path: Path, description: SweepDescription) -> SweepDirectory:
    """Makes a sweep's directory, or opens it to resume the same sweep.

    Raises UserError if it holds anything else, and names what differs.
    """
    claimed, file = SweepDirectory(path.absolute()), path / FILE_NAME
    if set(",=") & set(str(claimed.path)):
        raise UserError(f"workdir={str(claimed.path)!r} must have no comma and no = in it: trials are named by it")
    if file.is_file():
        check_files(path, read(path)[1].files, description.files)
    directory.claim(path, FILE_NAME, description.to_mapping(), "sweep", _identity)
    try:
        claimed.make()
    except OSError as e:
        raise UserError(f"workdir={str(path)!r} can't be written: {e.strerror}") from e
    return claimed


def read(path: Path) -> tuple[SweepDirectory, SweepDescription]:
    """Reads a sweep's directory. Raises UserError if it isn't one."""
    mapping = directory.read_described(path / FILE_NAME, SCHEMA)
    try:
        description = SweepDescription(
            search_space.parse_sweep(mapping["sweep"]),
            mapping["config"],
            mapping["metric"],
            mapping["direction"],
            mapping["title"],
            tuple(mapping["arguments"]),
            mapping.get("files", {}),
        )
    except KeyError as e:
        raise UserError(f"{path / FILE_NAME} has no {e.args[0]!r}: it is damaged") from e
    return SweepDirectory(path.absolute()), description


def _identity(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what two descriptions of the same sweep share."""
    return {"config": content.get("config"), "sweep": {k: v for k, v in content["sweep"].items() if k in FIXED}}
