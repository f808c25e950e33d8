"""What a run's directory holds already, and where an interrupted run goes on."""

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_research import records
from gru_research.config import ExperimentConfig, UserError, experiment, to_mapping
from gru_research.run_files import VOCABULARIES

from . import processes
from .checkpoint import FOLDER, UNFINISHED, Snapshot, newest_whole, unfinished
from .lock import FILE_NAME as LOCK_FILE
from .plan import with_model_options

CONFIG_FILE = "config.json"
PHASES = ("training", "tuning")
"""The later one first."""
HARMLESS = ("only",)
"""Fields that change no number of a cell that is trained: which of the cells are."""
IGNORED = ("trackers",)
"""Fields that change nothing of a run at all."""


def look(workdir: Path, config: ExperimentConfig, allow_change: bool = False) -> records.Run | None:
    """The run that a directory holds, finished or not, of this config; None where it is new or holds nothing yet.

    `config` may be as it was asked for, or with everything in it that was measured then. `allow_change` lets
    fields differ that change no number.

    Raises:
      UserError: it holds something else, or a run of another config.
    """
    path = workdir / records.FILE_NAME
    try:
        if workdir.exists() and not workdir.is_dir():
            raise UserError(f"workdir={str(workdir)!r} is a file: choose another")
        begun = path.is_file()
        names = {p.name for p in workdir.iterdir()} if workdir.is_dir() else set()
    except OSError as e:  # a name that is too long, or no permission
        raise UserError(f"workdir={str(workdir)!r} can't be read: {e.strerror}") from e
    if not begun:
        # A run that was killed before its header was written leaves no more than these.
        whole = (CONFIG_FILE, VOCABULARIES)
        ours = {LOCK_FILE, *whole, *(f".{name}.new" for name in (*whole, records.FILE_NAME))}
        if not names or (LOCK_FILE in names and names <= ours):
            return None
        raise UserError(
            f"workdir={str(workdir)!r} holds something else: choose another, or leave --workdir out for a new one"
        )
    run = records.read(path)
    changed = changes(run, config)
    harmful = [name for name in changed if name.partition(".")[0] not in HARMLESS]
    said = "; ".join(f"{name} was {old!r}, now {new!r}" for name, (old, new) in changed.items())
    if changed and (harmful or not allow_change):
        hint = "choose another" if harmful else "--allow_config_change lets it go on with this one"
        raise UserError(f"workdir={str(workdir)!r} holds a run of another config ({said}): {hint}")
    return run


def changes(run: records.Run, config: ExperimentConfig) -> dict[str, tuple[Any, Any]]:
    """The fields in which a config differs from a run's, by name, as (then, now); fields that are new since have their
    defaults, and those that are `IGNORED` are left out."""
    wanted = _completed(records.to_json(to_mapping(config)))
    there = [config for config in (run.header.asked, run.header.config) if config is not None]
    found = [_differences(_completed(config), wanted) for config in there]
    return {name: values for name, values in min(found, key=len).items() if name not in IGNORED}


def _completed(mapping: Mapping[str, Any]) -> Any:
    """A header's config with the fields that later versions added; as it is where this version doesn't know it."""
    try:
        return records.to_json(to_mapping(with_model_options(experiment(mapping))))
    except UserError:
        return mapping


def _differences(old: Any, new: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return {} if old == new else {path: (old, new)}
    found: dict[str, tuple[Any, Any]] = {}
    for name in [*old, *(n for n in new if n not in old)]:
        inner = f"{path}.{name}" if path else name
        found |= _differences(old.get(name), new.get(name), inner)
    return found


@dataclasses.dataclass(frozen=True)
class Resumption:
    """Where a run goes on.

    Attributes:
      keep: how many lines of its records stay; `dropped` is how many don't.
      done: the labels of the cells that are finished.
      label, phase, snapshot: the cell that was under way, if a snapshot of it can be used.
      seconds: how long the run had taken by then.
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


def find(
    workdir: Path, labels: Sequence[str], seeds: int, say: Callable[[str], None] = lambda line: None
) -> Resumption:
    """Where the run in `workdir` goes on: behind its finished cells, at the newest whole snapshot of the next one.

    A cell is finished when the results of all its `seeds` are on record; its parameters were saved before that.
    """
    text = (workdir / records.FILE_NAME).read_text(encoding="utf-8")
    lines = text.count("\n")
    kinds = _kinds(workdir / records.FILE_NAME)
    counts: dict[str, int] = {}
    behind = 1
    for number, (kind, label) in enumerate(kinds, 1):
        if kind == "result":
            counts[label] = counts.get(label, 0) + 1
            if counts[label] == seeds:
                behind = number
    done = tuple(label for label in labels if counts.get(label, 0) == seeds)
    for label in done:
        shutil.rmtree(unfinished(workdir, label), ignore_errors=True)
    rest = [label for label in labels if label not in done]
    ends = sum(kind == "end" for kind, _ in kinds)
    for label in rest[:1]:
        for phase in PHASES:
            snapshot = newest_whole(
                unfinished(workdir, label) / phase, lambda note: behind <= note["records"] <= lines, say
            )
            if snapshot is not None:
                keep, seconds = snapshot.note["records"], snapshot.note["seconds"]
                return Resumption(keep, lines - keep - ends, done, label, phase, snapshot, seconds)
    last = records.read(workdir / records.FILE_NAME).results
    seconds = (last[-1].time.get("run_seconds") or 0.0) if done and last else 0.0
    return Resumption(behind, lines - behind - ends, done, seconds=seconds)


def share(resumption: Resumption | None) -> Resumption | None:
    """The first process's, in all of them: the others needn't see its directory."""
    if processes.alone():
        return resumption
    told = processes.from_first(lambda: None if resumption is None else _without_arrays(resumption))
    if told is None:
        return None
    arrays = processes.arrays_from_first(resumption.snapshot.arrays if resumption and resumption.snapshot else {})
    snapshot = told.pop("snapshot")
    if snapshot is not None:
        snapshot = Snapshot(arrays=arrays, **snapshot)
    return Resumption(**told | {"snapshot": snapshot, "done": tuple(told["done"])})


def _without_arrays(resumption: Resumption) -> dict[str, Any]:
    fields = {field.name: getattr(resumption, field.name) for field in dataclasses.fields(resumption)}
    snapshot = resumption.snapshot
    return fields | {"snapshot": snapshot and {"step": snapshot.step, "note": dict(snapshot.note)}}


def _kinds(path: Path) -> list[tuple[str, str]]:
    """Kind and cell of every record, in the order of the lines."""
    run = records.read(path)
    return [(record.kind, getattr(record, "cell", "")) for record in run.in_order]


def other_surroundings(run: records.Run, env: Mapping[str, Any]) -> list[str]:
    """What of an environment isn't as the run began and may change bits: versions, backend, engine, XLA's flags."""
    before, now = (_changing_bits(each) for each in (run.header.env, env))
    return [f"{name} {before[name]} then, {now[name]} now" for name in now if before.get(name, now[name]) != now[name]]


def _changing_bits(env: Mapping[str, Any]) -> dict[str, str]:
    """Of an environment by name; what a run of an earlier version doesn't say is left out."""
    found = {name: env[name] or "none" for name in ("backend", "engine", "xla_flags") if name in env}
    if "engine" in found:  # the instruction set changes bits; the number of threads, which comes after it, doesn't
        found["engine"] = found["engine"].partition(",")[0]
    return {**env.get("versions", {}), **found}


def clear(workdir: Path) -> None:
    """Removes the folder of snapshots when nothing is unfinished any more."""
    shutil.rmtree(workdir / FOLDER / UNFINISHED, ignore_errors=True)
