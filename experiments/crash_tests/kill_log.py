"""The kills and victims of a kill test, as a log, as JSON and as a table."""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gru_research.tables import Column, Table, tabulate

from . import stages
from .kill_times import KillTime
from .run_process import ProcessOutcome

LOG_NAME = "kills.log"


@dataclasses.dataclass(frozen=True)
class Kill:
    """A kill that landed: the victim, the time aimed at, and the process that it ended."""

    victim: int
    aimed: KillTime
    process: ProcessOutcome

    def line(self, number: int) -> str:
        process = self.process
        parts = [
            f"kill {number}: victim {self.victim}",
            f"aimed at {self.aimed.stage} {self.aimed.visit}+{self.aimed.share:.2f}",
            f"landed in {process.at.phase}" + (f" of {process.at.cell}" if process.at.cell else ""),
            f"{process.seconds:.2f} s after its start",
            f"on disk {process.snapshot or 'no snapshot'}",
        ]
        parts += [f"resumed from {process.resumed_from}"] if process.resumed_from else []
        parts += [f"{process.dropped} records dropped"] if process.dropped else []
        parts += [f"{process.left_out} snapshots left out"] if process.left_out else []
        return ", ".join([*parts, *(["half a line"] if process.half_line else [])])


@dataclasses.dataclass(frozen=True)
class Victim:
    """A run that ended after `kills` kills.

    `difference` is its first difference from the reference, empty where it is equal. `last` is its last process.
    """

    number: int
    kills: int
    difference: str
    last: ProcessOutcome

    def line(self) -> str:
        return f"victim {self.number}: ended after {self.kills} kills, {self.difference or 'equal to the reference'}"


class KillLog:
    """All kills and victims so far. Each becomes a line of the log at once."""

    def __init__(self, folder: Path):
        self.kills: list[Kill] = []
        self.victims: list[Victim] = []
        self._log = folder / LOG_NAME

    def add_kill(self, kill: Kill) -> None:
        self.kills.append(kill)
        self.write_line(kill.line(len(self.kills)))

    def add_victim(self, victim: Victim) -> None:
        self.victims.append(victim)
        self.write_line(victim.line())

    def write_line(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @property
    def difference(self) -> str:
        """The first difference of any victim; empty where all are equal."""
        return next((f"victim {v.number}: {v.difference}" for v in self.victims if v.difference), "")

    @property
    def processes(self) -> list[ProcessOutcome]:
        """All processes that were killed, and the last one of each victim."""
        return [*(kill.process for kill in self.kills), *(victim.last for victim in self.victims)]

    def to_json(self) -> dict[str, Any]:
        return {
            "equal": not self.difference,
            "difference": self.difference,
            "totals": self.totals(),
            "landed": {stage: self.landed(stage) for stage in stages.STAGES},
            "resumed_from": dict(self.resumed_from()),
            "victims": [dataclasses.asdict(victim) for victim in self.victims],
            "kills": [dataclasses.asdict(kill) for kill in self.kills],
        }

    def totals(self) -> dict[str, int]:
        return {
            "kills": len(self.kills),
            "runs completed": len(self.victims),
            "runs equal to the reference": sum(not victim.difference for victim in self.victims),
            "most kills of one run": max((victim.kills for victim in self.victims), default=0),
            "records dropped behind snapshots": sum(process.dropped for process in self.processes),
            "snapshots left out": sum(process.left_out for process in self.processes),
            "half lines repaired": sum(process.half_line for process in self.processes),
        }

    def landed(self, stage: str) -> int:
        return sum(kill.process.at.phase == stage for kill in self.kills)

    def resumed_from(self) -> Mapping[str, int]:
        """Counts the processes that resumed from a snapshot of each phase, or with the next cell."""
        return Counter(self._phase(process.resumed_from) for process in self.processes if process.resumed_from)

    def steps(self, phase: str) -> list[int]:
        """Returns the updates of the snapshots of a phase from which processes resumed."""
        found = (re.search(rf", {phase}, update ([\d,]+)", process.resumed_from) for process in self.processes)
        return sorted(int(match[1].replace(",", "")) for match in found if match)

    @staticmethod
    def _phase(resumed_from: str) -> str:
        match = re.search(r", (\w+), update", resumed_from)
        return match[1] if match else resumed_from

    def table(self) -> Table:
        """Returns the counts in groups, with an empty row between two groups."""
        rows: list[tuple[str, int | str]] = [(f"killed in {stage}", self.landed(stage)) for stage in stages.STAGES]
        rows.append(("", ""))
        for phase, count in sorted(self.resumed_from().items()):
            steps = self.steps(phase)
            at = f", updates {steps[0]:,} to {steps[-1]:,}" if steps else ""
            rows.append((f"resumed from {'a snapshot of ' if steps else ''}{phase}{at}", count))
        rows += [("", ""), *self.totals().items(), ("", ""), ("verdict", "different" if self.difference else "equal")]
        columns = [Column("", lambda what, count: what, "left"), Column("count", lambda what, count: str(count))]
        return tabulate(columns, rows, "Kill test")
