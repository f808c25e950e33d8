"""Findings of checks, and how they are printed."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Literal

Level = Literal["ok", "optional", "warning", "problem"]
LEVELS: tuple[Level, ...] = ("ok", "optional", "warning", "problem")
"""From best to worst. "optional": missing, and not needed."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """`found` is one line; `advice` is what to do, a command if there is one."""

    level: Level
    subject: str
    found: str
    advice: str = ""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Where data are looked for, as given by the launchers' flags."""

    data_dir: str = ""
    manual_dir: str = ""


def line(finding: Finding) -> str:
    said = f"{finding.level:8}  {finding.subject:22}  {finding.found}"
    return said + (f"\n{'':34}-> {finding.advice}" if finding.advice else "")


def conclusion(findings: Sequence[Finding]) -> str:
    counts = {level: sum(f.level == level for f in findings) for level in ("problem", "warning")}
    said = [f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count]
    return f"{' and '.join(said)}: see above" if said else "nothing is wrong"


def to_json(findings: Sequence[Finding]) -> str:
    return json.dumps({"level": worst(findings), "findings": [dataclasses.asdict(f) for f in findings]}, indent=2)


def worst(findings: Sequence[Finding]) -> Level:
    found: set[Level] = {f.level for f in findings}
    for level in reversed(LEVELS):
        if level in found:
            return level
    return "ok"


def one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
