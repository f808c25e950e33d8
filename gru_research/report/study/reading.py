"""Reads a study: `study.json`, and the available records of its runs."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from gru_research import records
from gru_research.report import results, summary

KINDS = ("suite", "horizon")
_LONGEST_NAME = 255  # bytes; file systems reject longer names


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """One run of a study. `outcome` is None without readable records. `problem` is the reason for that, or why results
    are incomplete. `value` is the value of the swept field; `rows` are the rows of the run's summary."""

    name: str
    outcome: results.TaskResults | None = None
    problem: str | None = None
    value: float | None = None
    rows: tuple[summary.SummaryRow, ...] = ()
    has_page: bool = False

    def cell(self, label: str) -> results.CellResults | None:
        """Returns the complete results of a cell; None if there are none."""
        cells = self.outcome.complete if self.outcome else ()
        return next((cell for cell in cells if cell.label == label), None)


@dataclasses.dataclass(frozen=True)
class Study:
    """A suite of runs, or the runs of a horizon over increasing values of `field`, in order.

    `solved` is the share of seeds that must solve the task at a value for a cell to be trained at the next one.
    """

    kind: Literal["suite", "horizon"]
    title: str
    runs: tuple[StudyRun, ...]
    field: str = ""
    solved: float = 0.5

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all cells, in order of first appearance, which is also the order of their colours."""
        return tuple(dict.fromkeys(label for run in self.runs if run.outcome for label in run.outcome.labels))


def read(workdir: Path) -> Study:
    """Reads a study and its runs. A run with missing or damaged records is kept, with its `problem`.

    Raises:
      records.RecordsError: `study.json` can't be read or isn't from this project.
    """
    path = workdir / records.STUDY_FILE_NAME
    fields = _fields(path)
    names, kind = fields.get("runs"), fields.get("kind")
    if kind not in KINDS:
        raise records.RecordsError(f"{path} has the kind {kind!r}; known: {', '.join(KINDS)}")
    if not isinstance(names, list) or not all(isinstance(name, str) and _is_plain(name) for name in names):
        raise records.RecordsError(f"{path} has the runs {names!r}; they must be a list of directory names")
    values = fields.get("values") or []
    if kind == "horizon" and len(values) < len(names):
        raise records.RecordsError(f"{path} has {len(names)} runs and {len(values)} values; each run needs one")
    runs = tuple(_run(workdir / name, values[i] if kind == "horizon" else None) for i, name in enumerate(names))
    title = str(fields.get("title") or workdir.name)
    share = fields.get("solved")
    return Study(kind, title, runs, str(fields.get("field") or ""), 0.5 if share is None else float(share))


def _fields(path: Path) -> Mapping[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise records.RecordsError(f"can't read {path}: {getattr(e, 'strerror', None) or e}") from e
    except records.NOT_JSON as e:
        raise records.RecordsError(f"{path} is not JSON ({records.why_not_json(e)})") from e
    if not isinstance(fields, dict) or fields.get("schema") != records.STUDY_SCHEMA:
        found = fields.get("schema") if isinstance(fields, dict) else None
        raise records.RecordsError(f"{path} has the schema {found!r}; this version reads {records.STUDY_SCHEMA!r}")
    return fields


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name) and len(name.encode()) <= _LONGEST_NAME


def _run(folder: Path, value: float | None) -> StudyRun:
    if not (folder / records.FILE_NAME).is_file():
        return StudyRun(folder.name, problem="has no records yet", value=value)
    try:
        run = records.read(folder / records.FILE_NAME)
        (task,) = results.collect(run)
    except records.RecordsError as e:
        said = str(e).replace(f"{folder}/", "")
        return StudyRun(folder.name, problem=f"can't be read ({said})", value=value)
    problem = None
    if not run.finished:
        problem = "was interrupted" if run.end else "has not ended"
    rows = tuple(summary.row(task, cell) for cell in task.complete)
    return StudyRun(folder.name, task, problem, value, rows, (folder / "report.html").is_file())
