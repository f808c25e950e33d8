"""Where a run stands, by what it printed and what lies in its directory."""

import dataclasses
import re
from pathlib import Path

from gru_research import records
from gru_research.training.checkpoint import FOLDER, UNFINISHED, unfinished

START_UP = "start-up"  # imports, the config, the plan, the data
SET_UP = "set-up"  # the directory is opened, snapshots are read back, programs compiled
TUNING = "tuning"
TRAINING = "training"
CHECKPOINT = "checkpoint"  # a snapshot is being written, while members go on training
TEST = "test"
SAVING = "saving"  # final parameters, then the results' records
END = "end"  # all results are on record: the last record, the report
STAGES = (START_UP, SET_UP, TUNING, TRAINING, CHECKPOINT, TEST, SAVING, END)

TEMPORARY = "orbax-checkpoint-tmp"
"""In the name of a folder that orbax hasn't finished."""
_PROGRESS = re.compile(r"^\[ *\d+%\] (?P<cell>.+?)(?P<tuning>, tuning)? (?P<step>\d+)/(?P<updates>\d+) ", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Where:
    """A run's stage, one of `STAGES` but `CHECKPOINT`, its cell if known, and whether a snapshot is being written."""

    stage: str
    cell: str = ""
    writing: bool = False

    @property
    def phase(self) -> str:
        """What a kill interrupts."""
        return CHECKPOINT if self.writing else self.stage


def where(workdir: Path, printed: str, since: float, labels: tuple[str, ...], seeds: int) -> Where:
    """Where a process stands that began at `since`, in seconds since the epoch, and `printed` this so far."""
    if "finished: its report is made again" in printed:
        return Where(END)
    if "writing to" not in printed:
        return Where(START_UP)
    found = list(_PROGRESS.finditer(printed))
    if not found:
        return Where(SET_UP)
    cell, step, updates = found[-1]["cell"], int(found[-1]["step"]), int(found[-1]["updates"])
    if found[-1]["tuning"]:
        writing = is_writing(workdir, cell, since)
        return Where(SET_UP if step == updates and not writing else TUNING, cell, writing)
    if step < updates:
        return Where(TRAINING, cell, is_writing(workdir, cell, since))
    done = results(workdir)
    if all(done.get(label) == seeds for label in labels):
        return Where(END, cell)
    if done.get(cell) == seeds:
        return Where(SET_UP)
    if is_writing(workdir, cell, since):
        return Where(TRAINING, cell, True)
    saved = (path for path in (workdir / FOLDER).glob(f"{cell}*") if path.name.removeprefix(cell)[:1] in ("", "."))
    return Where(SAVING if any(is_newer(path, since) for path in saved) else TEST, cell)


def is_writing(workdir: Path, cell: str, since: float) -> bool:
    """Whether orbax has begun a snapshot of the cell and not finished it."""
    return any(is_newer(path, since) for path in unfinished(workdir, cell).glob(f"*/*{TEMPORARY}*"))


def is_newer(path: Path, since: float) -> bool:
    try:
        return path.stat().st_mtime >= since
    except FileNotFoundError:  # it was renamed meanwhile
        return False


def results(workdir: Path) -> dict[str, int]:
    """How many results each cell has on record."""
    found: dict[str, int] = {}
    for result in records.read(workdir / records.FILE_NAME).results:
        found[result.cell] = found.get(result.cell, 0) + 1
    return found


def newest_snapshot(workdir: Path) -> str:
    """The newest snapshot on disk as CELL/PHASE/STEP; nothing where there is none."""
    found = [path for path in (workdir / FOLDER / UNFINISHED).glob("*/*/*") if path.name.isdigit()]
    newest = max(found, key=lambda path: (path.parent.name == TRAINING, int(path.name)), default=None)
    return "/".join(newest.parts[-3:]) if newest else ""


class Watch:
    """The visits of one process to each stage, in seconds since it began; one to `CHECKPOINT` is a snapshot."""

    def __init__(self) -> None:
        self.visits: dict[str, list[tuple[float, float]]] = {stage: [] for stage in STAGES}
        self.now = 0.0
        self._last: Where | None = None

    def look(self, at: Where, now: float) -> None:
        """Takes in where the process stands `now`."""
        last, self.now = self._last, now
        if last is None or (at.stage, at.cell) != (last.stage, last.cell):
            self.visits[at.stage].append((now, now))
        else:
            self._go_on(at.stage)
        if at.writing:
            if last is not None and last.writing:
                self._go_on(CHECKPOINT)
            else:
                self.visits[CHECKPOINT].append((now, now))
        self._last = at

    def _go_on(self, stage: str) -> None:
        self.visits[stage][-1] = (self.visits[stage][-1][0], self.now)

    def seconds(self) -> dict[str, float]:
        """The mean length of a visit to each stage that was visited."""
        return {
            stage: sum(end - began for began, end in visits) / len(visits)
            for stage, visits in self.visits.items()
            if visits
        }
