"""Describes where an interrupted run is resumed."""

import dataclasses

from .checkpoint import Snapshot


@dataclasses.dataclass(frozen=True)
class Resumption:
    """The point at which a run is resumed.

    Attributes:
      keep, dropped: the numbers of lines of records that are kept and dropped.
      done: the labels of the finished cells.
      label, phase, snapshot: the cell that was in training, if a snapshot of it is usable.
      seconds: the time that the run had taken so far.
    """

    keep: int
    dropped: int
    done: tuple[str, ...]
    label: str | None = None
    phase: str | None = None
    snapshot: Snapshot | None = None
    seconds: float = 0.0

    def at(self, label: str, phase: str) -> Snapshot | None:
        return self.snapshot if (label, phase) == (self.label, self.phase) else None

    def describe(self) -> str:
        where = f"{self.label}, {self.phase}, update {self.snapshot.step:,}" if self.snapshot else "the next cell"
        done = f"{', '.join(self.done)} finished; " if self.done else ""
        dropped = f"; {self.dropped} records after it are dropped" if self.dropped else ""
        return f"{done}going on with {where}{dropped}"
