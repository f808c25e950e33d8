"""The interruptions and sweeps of a kill test on Slurm, as a log, as JSON and as a table."""

import dataclasses
from pathlib import Path
from typing import Any

from gru_research.plural import several
from gru_research.tables import Column, Table, tabulate

from . import interruptions
from .kill_log import LOG_NAME


@dataclasses.dataclass(frozen=True)
class Landed:
    """An interruption that happened: in which sweep, to which job, what its trial was doing, after how many seconds of
    the sweep."""

    sweep: int
    kind: str
    job: str
    stage: str
    seconds: float

    def line(self, number: int) -> str:
        return (
            f"interruption {number}: sweep {self.sweep}, {self.kind} in {self.stage}, job {self.job}, "
            f"{self.seconds:.1f} s after the sweep began"
        )


@dataclasses.dataclass(frozen=True)
class EndedSweep:
    """A sweep that ended: its interruptions, how often its command was given, how each attempt ended, and its first
    difference from the undisturbed sweep ("" if there is none)."""

    number: int
    interruptions: int
    commands: int
    attempts: dict[str, int]
    seconds: float
    difference: str

    def line(self) -> str:
        made = ", ".join(f"{count} {how}" for how, count in sorted(self.attempts.items()))
        return (
            f"sweep {self.number}: ended after {several(self.interruptions, 'interruption')}, "
            f"{several(self.commands, 'command')} and {self.seconds:.0f} s; attempts: {made}; "
            f"{self.difference or 'every trial ended once, equal to the undisturbed one'}"
        )


class SlurmKillLog:
    """All interruptions and sweeps so far. Each becomes a line of the log at once."""

    def __init__(self, folder: Path):
        self.landed: list[Landed] = []
        self.sweeps: list[EndedSweep] = []
        self._log = folder / LOG_NAME

    def add_interruption(self, landed: Landed) -> None:
        self.landed.append(landed)
        self.write_line(landed.line(len(self.landed)))

    def add_sweep(self, sweep: EndedSweep) -> None:
        self.sweeps.append(sweep)
        self.write_line(sweep.line())

    def write_line(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @property
    def difference(self) -> str:
        """The first difference of any sweep; empty where there is none."""
        return next((f"sweep {sweep.number}: {sweep.difference}" for sweep in self.sweeps if sweep.difference), "")

    @property
    def verdict(self) -> str:
        trials = sum(sweep.attempts.get("finished", 0) for sweep in self.sweeps)
        return self.difference or (
            f"all {trials} trials of {several(len(self.sweeps), 'sweep')} ended once, equal to the undisturbed ones, "
            "bit for bit; no job, process or lock is left"
        )

    def totals(self) -> dict[str, int]:
        attempts: dict[str, int] = {}
        for sweep in self.sweeps:
            for how, count in sweep.attempts.items():
                attempts[f"attempts {how}"] = attempts.get(f"attempts {how}", 0) + count
        return {
            "interruptions": len(self.landed),
            "sweeps completed": len(self.sweeps),
            "commands given": sum(sweep.commands for sweep in self.sweeps),
            **attempts,
        }

    def count(self, kind: str) -> int:
        return sum(landed.kind == kind for landed in self.landed)

    def to_json(self) -> dict[str, Any]:
        return {
            "equal": not self.difference,
            "difference": self.difference,
            "totals": self.totals(),
            "kinds": {kind: self.count(kind) for kind in interruptions.KINDS},
            "sweeps": [dataclasses.asdict(sweep) for sweep in self.sweeps],
            "interruptions": [dataclasses.asdict(landed) for landed in self.landed],
        }

    def table(self) -> Table:
        """Returns the counts in groups, with an empty row between two groups."""
        rows: list[tuple[str, int | str]] = [(kind, self.count(kind)) for kind in interruptions.KINDS]
        stages = dict.fromkeys(landed.stage for landed in self.landed)
        rows += [("", ""), *((f"in {stage}", sum(at.stage == stage for at in self.landed)) for stage in stages)]
        rows += [("", ""), *self.totals().items(), ("", ""), ("verdict", "different" if self.difference else "equal")]
        columns = [Column("", lambda what, count: what, "left"), Column("count", lambda what, count: str(count))]
        return tabulate(columns, rows, "Kill test on Slurm")
