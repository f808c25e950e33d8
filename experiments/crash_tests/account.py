"""What a kill test has done: its log, its numbers as JSON, its table."""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.box
import rich.table

from . import stages
from .moments import Moment
from .processes import Life

LOG_NAME = "kills.log"


@dataclasses.dataclass(frozen=True)
class Kill:
    """A kill that landed: of which victim, at what moment it was aimed, and what it ended."""

    victim: int
    aimed: Moment
    life: Life

    def line(self, number: int) -> str:
        life = self.life
        parts = [
            f"kill {number}: victim {self.victim}",
            f"aimed at {self.aimed.stage} {self.aimed.visit}+{self.aimed.share:.2f}",
            f"landed in {life.at.phase}" + (f" of {life.at.cell}" if life.at.cell else ""),
            f"{life.seconds:.2f} s after its start",
            f"on disk {life.snapshot or 'no snapshot'}",
        ]
        parts += [f"went on with {life.went_on}"] if life.went_on else []
        parts += [f"{life.dropped} records dropped"] if life.dropped else []
        parts += [f"{life.left_out} snapshots left out"] if life.left_out else []
        return ", ".join([*parts, *(["half a line"] if life.half_line else [])])


@dataclasses.dataclass(frozen=True)
class Victim:
    """A run that came to its end after `kills` kills; `difference` is the first thing that isn't as in the reference.

    `last` is the process that ended it.
    """

    number: int
    kills: int
    difference: str
    last: Life

    def line(self) -> str:
        return f"victim {self.number}: ended after {self.kills} kills, {self.difference or 'equal to the reference'}"


class Account:
    """All kills and victims so far; each is a line of the log at once."""

    def __init__(self, folder: Path):
        self.kills: list[Kill] = []
        self.victims: list[Victim] = []
        self._log = folder / LOG_NAME

    def killed(self, kill: Kill) -> None:
        self.kills.append(kill)
        self.say(kill.line(len(self.kills)))

    def ended(self, victim: Victim) -> None:
        self.victims.append(victim)
        self.say(victim.line())

    def say(self, line: str) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @property
    def difference(self) -> str:
        """The first thing in which a victim differs; nothing where all are equal."""
        return next((f"victim {v.number}: {v.difference}" for v in self.victims if v.difference), "")

    @property
    def lives(self) -> list[Life]:
        """All processes that were to go on from something or were killed."""
        return [*(kill.life for kill in self.kills), *(victim.last for victim in self.victims)]

    def to_json(self) -> dict[str, Any]:
        return {
            "equal": not self.difference,
            "difference": self.difference,
            "totals": self.totals(),
            "landed": {stage: self.landed(stage) for stage in stages.STAGES},
            "went_on": dict(self.went_on()),
            "victims": [dataclasses.asdict(victim) for victim in self.victims],
            "kills": [dataclasses.asdict(kill) for kill in self.kills],
        }

    def totals(self) -> dict[str, int]:
        return {
            "kills": len(self.kills),
            "runs completed": len(self.victims),
            "runs equal to the reference": sum(not victim.difference for victim in self.victims),
            "most kills of one run": max((victim.kills for victim in self.victims), default=0),
            "records dropped behind snapshots": sum(life.dropped for life in self.lives),
            "snapshots left out": sum(life.left_out for life in self.lives),
            "half lines mended": sum(life.half_line for life in self.lives),
        }

    def landed(self, stage: str) -> int:
        return sum(kill.life.at.phase == stage for kill in self.kills)

    def went_on(self) -> Mapping[str, int]:
        """How many processes went on with a snapshot of each phase, or with the next cell."""
        return Counter(self._phase(life.went_on) for life in self.lives if life.went_on)

    def steps(self, phase: str) -> list[int]:
        """The updates behind the snapshots of a phase from which processes went on."""
        found = (re.search(rf", {phase}, update ([\d,]+)", life.went_on) for life in self.lives)
        return sorted(int(match[1].replace(",", "")) for match in found if match)

    @staticmethod
    def _phase(went_on: str) -> str:
        match = re.search(r", (\w+), update", went_on)
        return match[1] if match else went_on

    def table(self) -> rich.table.Table:
        table = rich.table.Table(box=rich.box.SIMPLE_HEAD, title="the kill test", pad_edge=False)
        table.add_column("")
        table.add_column("count", justify="right")
        for stage in stages.STAGES:
            table.add_row(f"killed in {stage}", str(self.landed(stage)))
        table.add_section()
        for phase, count in sorted(self.went_on().items()):
            steps = self.steps(phase)
            at = f", updates {steps[0]:,} to {steps[-1]:,}" if steps else ""
            table.add_row(f"went on with {'a snapshot of ' if steps else ''}{phase}{at}", str(count))
        table.add_section()
        for name, count in self.totals().items():
            table.add_row(name, str(count))
        table.add_section()
        table.add_row("verdict", "different" if self.difference else "equal")
        return table
