"""Finds where an interrupted run is resumed: after its finished cells, at the newest undamaged snapshot."""

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gru_research import records
from gru_research.training import processes
from gru_research.training.checkpoint import FOLDER, UNFINISHED, Snapshot, newest_whole, unfinished
from gru_research.training.resumption import Resumption

PHASES = ("training", "tuning")
"""The phases of a cell, the later one first."""


def find_resumption(
    workdir: Path, labels: Sequence[str], seeds: int, say: Callable[[str], None] = lambda line: None
) -> Resumption:
    """Finds where a run is resumed: after its finished cells, at the next one's newest undamaged snapshot.

    A cell is finished when the results of all its `seeds` are recorded. Its parameters are saved before that.
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


def share_resumption(resumption: Resumption | None) -> Resumption | None:
    """Sends the first process's resumption to all processes, which may have no access to its directory."""
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
    """Returns kind and cell of every record, in the order of the lines."""
    run = records.read(path)
    return [(record.kind, getattr(record, "cell", "")) for record in run.in_order]


def environment_changes(run: records.Run, env: Mapping[str, Any]) -> list[str]:
    """Describes changes since the run began that may change bits: versions, backend, engine, XLA's flags."""
    before, now = (_changing_bits(each) for each in (run.header.env, env))
    return [f"{name} {before[name]} then, {now[name]} now" for name in now if before.get(name, now[name]) != now[name]]


def _changing_bits(env: Mapping[str, Any]) -> dict[str, str]:
    """Returns the parts of an environment that may change bits, by name, except parts that weren't recorded."""
    found = {name: env[name] or "none" for name in ("backend", "engine", "xla_flags") if name in env}
    if "engine" in found:  # the instruction set changes bits; the number of threads, after the comma, doesn't
        found["engine"] = found["engine"].partition(",")[0]
    return {**env.get("versions", {}), **found}


def remove_snapshots(workdir: Path) -> None:
    """Removes the folder of snapshots, once all cells are finished."""
    shutil.rmtree(workdir / FOLDER / UNFINISHED, ignore_errors=True)
