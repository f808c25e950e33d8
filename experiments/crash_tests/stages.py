"""Finds the stage of a run from what it printed and from the files in its directory."""

import dataclasses
import re
from pathlib import Path

from gru_research import records
from gru_research.training.checkpoint import FOLDER, UNFINISHED, unfinished

START_UP = "start-up"  # imports, the config, the plan, the data
SET_UP = "set-up"  # the directory is opened, snapshots are read back, programs compiled
TUNING = "tuning"
TRAINING = "training"
CHECKPOINT = "checkpoint"  # a snapshot is being written while training continues
TEST = "test"
SAVING = "saving"  # final parameters, then the results' records
END = "end"  # all results are on record: the last record, the report
STAGES = (START_UP, SET_UP, TUNING, TRAINING, CHECKPOINT, TEST, SAVING, END)

TEMPORARY = "orbax-checkpoint-tmp"
"""Part of the name of a folder that orbax hasn't finished."""
_PROGRESS = re.compile(r"^\[ *\d+%\] (?P<cell>.+?)(?P<tuning>, tuning)? (?P<step>\d+)/(?P<updates>\d+) ", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class RunPosition:
    """A run's stage (one of `STAGES`, not `CHECKPOINT`), its cell if known, and whether it is writing a snapshot."""

    stage: str
    cell: str = ""
    writing: bool = False

    @property
    def phase(self) -> str:
        """What a kill interrupts."""
        return CHECKPOINT if self.writing else self.stage


def locate_run(workdir: Path, printed: str, since: float, labels: tuple[str, ...], seeds: int) -> RunPosition:
    """Returns the position of a process that began at `since`, in seconds since the epoch, and has `printed` this."""
    if "finished: its report is made again" in printed:
        return RunPosition(END)
    if "writing to" not in printed:
        return RunPosition(START_UP)
    found = list(_PROGRESS.finditer(printed))
    if not found:
        return RunPosition(SET_UP)
    cell, step, updates = found[-1]["cell"], int(found[-1]["step"]), int(found[-1]["updates"])
    if found[-1]["tuning"]:
        writing = is_writing(workdir, cell, since)
        return RunPosition(SET_UP if step == updates and not writing else TUNING, cell, writing)
    if step < updates:
        return RunPosition(TRAINING, cell, is_writing(workdir, cell, since))
    done = results(workdir)
    if all(done.get(label) == seeds for label in labels):
        return RunPosition(END, cell)
    if done.get(cell) == seeds:
        return RunPosition(SET_UP)
    if is_writing(workdir, cell, since):
        return RunPosition(TRAINING, cell, True)
    saved = (path for path in (workdir / FOLDER).glob(f"{cell}*") if path.name.removeprefix(cell)[:1] in ("", "."))
    return RunPosition(SAVING if any(is_newer(path, since) for path in saved) else TEST, cell)


def is_writing(workdir: Path, cell: str, since: float) -> bool:
    """Returns whether orbax is writing a snapshot of the cell."""
    return any(is_newer(path, since) for path in unfinished(workdir, cell).glob(f"*/*{TEMPORARY}*"))


def is_newer(path: Path, since: float) -> bool:
    try:
        return path.stat().st_mtime >= since
    except FileNotFoundError:  # it was renamed meanwhile
        return False


def results(workdir: Path) -> dict[str, int]:
    """Counts the results of each cell in the records."""
    found: dict[str, int] = {}
    for result in records.read(workdir / records.FILE_NAME).results:
        found[result.cell] = found.get(result.cell, 0) + 1
    return found


def newest_snapshot(workdir: Path) -> str:
    """Returns the newest snapshot on disk as CELL/PHASE/STEP; empty where there is none."""
    found = [path for path in (workdir / FOLDER / UNFINISHED).glob("*/*/*") if path.name.isdigit()]
    newest = max(found, key=lambda path: (path.parent.name == TRAINING, int(path.name)), default=None)
    return "/".join(newest.parts[-3:]) if newest else ""


class StageTimeline:
    """When a process was in each stage: visits as (begin, end) in seconds since its start.

    A visit to `CHECKPOINT` is the writing of a snapshot.
    """

    def __init__(self) -> None:
        self.visits: dict[str, list[tuple[float, float]]] = {stage: [] for stage in STAGES}
        self.now = 0.0
        self._last: RunPosition | None = None

    def update(self, at: RunPosition, now: float) -> None:
        """Records the process's position at time `now`."""
        last, self.now = self._last, now
        if last is None or (at.stage, at.cell) != (last.stage, last.cell):
            self.visits[at.stage].append((now, now))
        else:
            self._extend(at.stage)
        if at.writing:
            if last is not None and last.writing:
                self._extend(CHECKPOINT)
            else:
                self.visits[CHECKPOINT].append((now, now))
        self._last = at

    def _extend(self, stage: str) -> None:
        self.visits[stage][-1] = (self.visits[stage][-1][0], self.now)

    def seconds(self) -> dict[str, float]:
        """Returns the mean length of a visit to each visited stage."""
        return {
            stage: sum(end - began for began, end in visits) / len(visits)
            for stage, visits in self.visits.items()
            if visits
        }
