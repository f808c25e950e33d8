"""The validated options of the task `anomalies`."""

import dataclasses
from pathlib import Path

from gru_research.config import choose, split_names
from gru_research.data.own_files import TABLES, existing_file

DATASETS = ("nab",)


@dataclasses.dataclass(frozen=True)
class Options:
    """The arguments of `anomalies`, validated.

    Raises:
      ValueError: a value out of range, or columns beside a data set that was named.
    """

    dataset: str = ""
    train: str = ""
    value: str = ""
    label: str = ""
    learning_share: float = 0.15
    window: int = 200
    quiet: float = 0.5
    tail: float = 1e-5
    calendar: bool = True

    def __post_init__(self) -> None:
        for field in ("learning_share", "tail"):
            if not 0 < getattr(self, field) < 1:
                raise ValueError(f"{field}={getattr(self, field)!r} must be above 0 and below 1")
        if self.window < 2:
            raise ValueError(f"window={self.window!r} must be at least 2")
        if not 0 <= self.quiet < float("inf"):
            raise ValueError(f"quiet={self.quiet!r} must be 0 or more, and finite")
        if self.train:
            return
        choose("dataset", self.dataset, DATASETS)
        for field in ("value", "label"):
            if getattr(self, field):
                raise ValueError(f"{field}={getattr(self, field)!r} goes with train, a file of yours")

    def paths(self) -> list[Path]:
        """Returns the user's files, none for a data set. Raises ValueError for one that isn't a table, is missing or is
        named twice."""
        paths: list[Path] = []
        for name in split_names(self.train):
            path = existing_file("train", name)
            if path.suffix.lower() not in TABLES:
                raise ValueError(f"train={name!r} must end with {' or '.join(TABLES)}")
            if path in paths:
                raise ValueError(f"train={self.train!r} names {name!r} twice")
            paths.append(path)
        return paths
