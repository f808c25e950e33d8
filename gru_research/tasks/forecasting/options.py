"""The validated options of the task `forecasting`."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from gru_research.config import choose
from gru_research.data.own_files import TABLES

from ..files.splits import SplitShares, check_shares, distinct_files

DATASETS = ("etth1", "etth2")
MISSING = ("refuse", "carry")
MEDIAN = 0.5


@dataclasses.dataclass(frozen=True)
class Options:
    """The arguments of `forecasting`, validated.

    Raises:
      ValueError: a value out of range, or files beside a data set that was named.
    """

    dataset: str = ""
    train: str = ""
    validation: str = ""
    test: str = ""
    validation_share: float = 0.2
    test_share: float = 0.2
    columns: str = ""
    look_back: int = 336
    horizon: int = 96
    season: int = 24
    quantiles: Sequence[float] = ()
    missing: str = "refuse"

    def __post_init__(self) -> None:
        choose("missing", self.missing, MISSING)
        for field, least in {"look_back": 1, "horizon": 1, "season": 0}.items():
            if getattr(self, field) < least:
                raise ValueError(f"{field}={getattr(self, field)!r} must be at least {least}")
        _check_levels(tuple(self.quantiles))
        if self.train:
            check_shares(self._named(), {"validation": self.validation_share, "test": self.test_share})
            return
        choose("dataset", self.dataset, DATASETS)
        for field in ("validation", "test", "columns"):
            if getattr(self, field):
                raise ValueError(f"{field}={getattr(self, field)!r} goes with train, a file of yours")

    def _named(self) -> dict[str, str]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def paths(self) -> dict[str, Path]:
        """Returns the user's files by set, none for a data set. Raises ValueError for one that isn't a table, is
        missing or is used twice."""
        paths = distinct_files(self._named())
        for split, path in paths.items():
            if path.suffix.lower() not in TABLES:
                raise ValueError(f"{split}={getattr(self, split)!r} must end with {' or '.join(TABLES)}")
        return paths

    def shares(self) -> SplitShares:
        """Returns the shares of the training file; 0 for a set with its own file."""
        return SplitShares(
            validation=0.0 if self.validation else self.validation_share, test=0.0 if self.test else self.test_share
        )


def _check_levels(levels: tuple[float, ...]) -> None:
    """Raises ValueError unless levels are none, or increase within 0 to 1 and have the median in their middle."""
    if not levels:
        return
    inside = all(isinstance(q, int | float) and math.isfinite(q) and 0 < q < 1 for q in levels)
    if not inside or list(levels) != sorted(set(levels)):
        raise ValueError(f"quantiles={levels!r} must be levels that increase, above 0 and below 1, or () for the mean")
    if levels[len(levels) // 2] != MEDIAN or len(levels) % 2 == 0:
        raise ValueError(f"quantiles={levels!r} must have {MEDIAN}, the median, in the middle")
