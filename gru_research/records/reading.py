"""Reads and checks a records file."""

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from .json_lines import NOT_JSON, READABLE, record_of, why_not_json
from .kinds import Cell, Draw, End, Evaluation, Header, Probe, Record, Result

R = TypeVar("R", bound=Record)


class RecordsError(ValueError):
    """Raised for a records file that can't be read. The message is one line for the user."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The records of a file by kind, in the order written. `in_order` has all records, including the header.

    `incomplete_line` is True if the file ends in an incomplete line, as after a killed run. That line is ignored.
    """

    header: Header
    draws: tuple[Draw, ...] = ()
    cells: tuple[Cell, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    probes: tuple[Probe, ...] = ()
    results: tuple[Result, ...] = ()
    end: End | None = None
    incomplete_line: bool = False
    in_order: tuple[Record, ...] = ()

    @property
    def finished(self) -> bool:
        return self.end is not None and self.end.status == "finished"


def read(path: Path) -> Run:
    """Reads a records file.

    Raises:
      RecordsError: the file can't be read, isn't JSON, or has no header, an unknown schema, an unknown kind, or a
        record with a missing field or a field of another type.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise RecordsError(f"can't read {path}: {getattr(e, 'strerror', None) or e}") from e
    lines = text.split("\n")
    half = lines.pop()
    objects = [_parse(path, number, line) for number, line in enumerate(lines, 1)]
    if not objects or objects[0].get("kind") != Header.kind:
        raise RecordsError(f"{path} has no run header in its first line: not a records file of this project")
    if objects[0].get("schema") not in READABLE:
        known = " and ".join(map(repr, READABLE))
        raise RecordsError(f"{path} has the schema {objects[0].get('schema')!r}; this version reads {known}")
    found = [_record(path, number, line) for number, line in enumerate(objects, 1)]
    return run_of(found, incomplete_line=bool(half))


def run_of(found: list[Record], incomplete_line: bool = False) -> Run:
    """Sorts records by kind. The first must be the header; of several `End` records the last counts."""

    def of_kind(cls: type[R]) -> tuple[R, ...]:
        return tuple(record for record in found if isinstance(record, cls))

    header, ends = found[0], of_kind(End)
    assert isinstance(header, Header)
    return Run(
        header=header,
        draws=of_kind(Draw),
        cells=of_kind(Cell),
        evaluations=of_kind(Evaluation),
        probes=of_kind(Probe),
        results=of_kind(Result),
        end=ends[-1] if ends else None,
        incomplete_line=incomplete_line,
        in_order=tuple(found),
    )


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except NOT_JSON as e:
        raise RecordsError(f"{path}, line {number}: not JSON ({why_not_json(e)})") from e
    if not isinstance(value, dict):
        raise RecordsError(f"{path}, line {number}: not a JSON object")
    return value


def _record(path: Path, number: int, line: dict[str, Any]) -> Record:
    try:
        return record_of(_upgraded(line) if line.get("kind") == Header.kind else line)
    except ValueError as e:
        raise RecordsError(f"{path}, line {number}: {e}") from e


def _upgraded(line: dict[str, Any]) -> dict[str, Any]:
    """Converts a header up to schema 3, with one metric and one baseline, to `directions` and `trivial`."""
    task = line.get("task")
    if not isinstance(task, dict) or "directions" in task or not task.get("metric"):
        return line
    known = {name: value for name, value in task.items() if name not in ("direction", "baseline", "baseline_name")}
    trivial = {} if task.get("baseline") is None else {task.get("baseline_name") or "baseline": task["baseline"]}
    return line | {"task": known | {"directions": {task["metric"]: task.get("direction")}, "trivial": trivial}}
