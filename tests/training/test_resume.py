"""Interrupted runs resume and end with the same bits and records as an uninterrupted run."""

import errno
import fcntl
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from gru_research import native, records
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.native import Library
from gru_research.runs.comparison import run_comparison
from gru_research.runs.lock import locked
from gru_research.training import batch_maker, checkpoint, load_parameters, make_plan
from tests.faults import fault, seen

# A constant of updates per call of 1 makes an opportunity to stop of every update.
CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 4, "validation_size": 10, "test_size": 10},
    "cells": {
        "gru": {"kind": "gru", "hidden_size": 3},
        "rnn": {"kind": "rnn", "hidden_size": 4, "learning_rate": 1e30},
    },
    "match": "none",
    "updates": 7,
    "batch_size": 5,
    "eval_every": 3,
    "seeds": 3,
    "select": "best",
    "patience": 2,
    "optimizer": {"learning_rate": 0.05, "schedule": "cosine"},
    "tune": {"draws": 2, "updates": 4, "learning_rate": (0.01, 0.1)},
}
LABELS = ("gru", "rnn")


@pytest.fixture(autouse=True)
def _one_update_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_maker, "UPDATES_PER_CALL", 1)


def run(workdir: Path, config: dict[str, Any] = CONFIG, **hooks: Any) -> bool:
    return run_comparison(make_plan(experiment(config)), workdir, DataDirs(), **hooks)


def fixed(workdir: Path) -> list[dict[str, Any]]:
    """Returns the records without times and environments, which differ between equal runs."""
    lines = (workdir / records.FILE_NAME).read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in ("time", "env")} for line in lines]


def bits(workdir: Path, labels: tuple[str, ...] = LABELS) -> list[bytes]:
    return [np.asarray(a).tobytes() for label in labels for a in jax.tree.leaves(load_parameters(workdir, label))]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("whole") / "run"
    assert run(workdir)
    return workdir


def after(calls: int) -> Callable[[], bool]:
    """Returns a function that is False for the first `calls` calls, then True: it requests a stop."""
    counter = iter(range(10**6))
    return lambda: next(counter) >= calls


@pytest.mark.processes
def test_stopped_at_every_opportunity_it_ends_alike(whole: Path, tmp_path: Path) -> None:
    said: list[str] = []
    stops = 0
    while not run(tmp_path / "run", stopping=after(1), say=said.append):
        stops += 1
    assert stops >= 15 and any("gru, tuning, update 1" in line for line in said)
    assert fixed(tmp_path / "run") == fixed(whole)
    assert bits(tmp_path / "run") == bits(whole)
    assert not (tmp_path / "run" / "checkpoints" / checkpoint.UNFINISHED).exists()
    resumed = records.read(tmp_path / "run" / records.FILE_NAME).header.env["resumed"]
    assert len(resumed) == stops and {r["phase"] for r in resumed} >= {"tuning", "training"}


def test_by_the_native_engine_too_it_ends_alike(native_engine: Library, tmp_path: Path) -> None:
    del native_engine
    long_enough = CONFIG | {"task": {**CONFIG["task"], "length": 9}, "tune": {}, "seeds": 2, "only": "gru"}
    assert run(tmp_path / "whole", long_enough)
    stops = 0
    while not run(tmp_path / "run", long_enough, stopping=after(3)):
        stops += 1
    assert stops >= 2
    for workdir in (tmp_path / "whole", tmp_path / "run"):
        assert {cell.env["engine"] for cell in records.read(workdir / records.FILE_NAME).cells} == {"native"}
    assert fixed(tmp_path / "run") == fixed(tmp_path / "whole")
    assert bits(tmp_path / "run", ("gru",)) == bits(tmp_path / "whole", ("gru",))


class Killed(BaseException):
    """An exception that no code catches, like a signal that can't be handled."""


def killed(workdir: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a comparison that is killed at progress report number `at`, before it can record its end."""
    seen = iter(range(10**6))

    def progress(_: Any) -> None:
        if next(seen) == at:
            raise Killed

    with monkeypatch.context() as patch:
        write = records.Writer.write
        patch.setattr(
            records.Writer, "write", lambda self, record: None if record.kind == "end" else write(self, record)
        )
        with pytest.raises(Killed):
            run(workdir, checkpoint_seconds=0, progress=progress)


@pytest.mark.parametrize("at", [3, pytest.param(9, marks=fault("signals", "kill -9, with half a line written")), 14])
def test_killed_it_drops_records_past_the_checkpoint_and_ends_alike(
    at: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir, said = tmp_path / "run", []
    killed(workdir, at, monkeypatch)
    path = workdir / records.FILE_NAME
    path.write_text(
        path.read_text() + '{"kind":"evaluation","task":"t","cell":"gru","seed":0,"step":1}\n{"kind":"evalu'
    )
    assert run(workdir, say=said.append)
    assert any("1 records after it are dropped" in line or "are dropped" in line for line in said)
    seen(said[-1])
    assert fixed(workdir) == fixed(whole) and bits(workdir) == bits(whole)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed while training its first cell, with two checkpoints."""
    workdir = tmp_path_factory.mktemp("interrupted") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_maker, "UPDATES_PER_CALL", 1)
        killed(workdir, 9, patch)
    return workdir


@pytest.fixture
def broken(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of `interrupted`, to be damaged."""
    shutil.copytree(interrupted, tmp_path / "run")
    return tmp_path / "run"


def snapshots(workdir: Path) -> list[Path]:
    folder = checkpoint.unfinished(workdir, "gru") / "training"
    return sorted((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))


def _largest(folder: Path) -> Path:
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def _cut(folder: Path) -> None:
    file = _largest(folder / "arrays")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flip(folder: Path) -> None:
    file = _largest(folder / "arrays")
    data = bytearray(file.read_bytes())
    for i in range(len(data) // 4, 3 * len(data) // 4):
        data[i] ^= 0xFF
    file.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a file cut short": _cut,
    "a file with other bytes": _flip,
    "a missing file": lambda folder: _largest(folder / "arrays").unlink(),
    "arrays missing": lambda folder: shutil.rmtree(folder / "arrays"),
    "its note missing": lambda folder: shutil.rmtree(folder / "note"),
    "an empty folder": lambda folder: [shutil.rmtree(p) if p.is_dir() else p.unlink() for p in folder.iterdir()][:0],
}


DAMAGED = [
    pytest.param("a file cut short", marks=fault("checkpoints", "a file cut short")),
    pytest.param("a file with other bytes", marks=fault("checkpoints", "a file with changed bytes")),
    pytest.param("a missing file", marks=fault("checkpoints", "a missing file")),
    pytest.param("arrays missing", marks=fault("checkpoints", "a checkpoint without arrays")),
    pytest.param("its note missing", marks=fault("checkpoints", "a checkpoint without a note")),
    pytest.param("an empty folder", marks=fault("checkpoints", "an empty folder")),
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_of_damaged_checkpoints_the_newest_whole_one_is_used(damage: str, whole: Path, broken: Path) -> None:
    said: list[str] = []
    older, newest = snapshots(broken)
    DAMAGES[damage](newest)
    assert run(broken, say=said.append)
    assert any(f"snapshot of step {newest.name}" in line and "damaged" in line for line in said)
    seen(said[0])
    assert any(f"update {older.name}" in line for line in said)
    assert fixed(broken) == fixed(whole) and bits(broken) == bits(whole)


@fault("checkpoints", "all checkpoints of a cell are damaged")
def test_without_a_whole_checkpoint_the_cell_begins_anew(whole: Path, broken: Path) -> None:
    said: list[str] = []
    for folder in [*snapshots(broken), *(checkpoint.unfinished(broken, "gru") / "tuning").iterdir()]:
        _cut(folder)
    assert run(broken, say=said.append)
    assert any("going on with the next cell" in line for line in said)
    seen(said[-1])
    assert fixed(broken) == fixed(whole) and bits(broken) == bits(whole)


@fault("checkpoints", "records that end before the checkpoint")
def test_records_that_end_before_a_checkpoint_take_the_one_before(whole: Path, broken: Path) -> None:
    said: list[str] = []
    path = broken / records.FILE_NAME
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    assert run(broken, say=said.append)
    assert any("the records end before it" in line for line in said)
    seen(said[0])
    assert fixed(broken) == fixed(whole) and bits(broken) == bits(whole)


@fault("working directory", "a run that was killed before its header")
def test_a_run_killed_before_its_header_begins_anew(whole: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    workdir.mkdir()
    (workdir / ".lock").write_text("process 1\n")
    for name in ("config.json", "vocabularies.json", ".vocabularies.json.new"):
        (workdir / name).write_text('{"inputs"')
    (workdir / ".records.jsonl.new").write_text('{"kind":"ru')
    assert run(workdir)
    assert fixed(workdir) == fixed(whole)
    assert not (workdir / "vocabularies.json").exists()  # this run's task has none
    seen("")


@fault("working directory", "a changed config", "a change that could be allowed")
def test_a_changed_config_is_refused_with_the_fields_that_differ(broken: Path) -> None:
    before = (broken / records.FILE_NAME).read_bytes()
    changed = CONFIG | {"updates": 8, "optimizer": {"learning_rate": 0.05}}
    with pytest.raises(
        UserError, match=r"updates was 7, now 8; optimizer.schedule was 'cosine', now 'constant'"
    ) as caught:
        run(broken, changed, allow_config_change=True)
    seen(caught)
    with pytest.raises(UserError, match=r"only was '', now 'gru'\): --allow_config_change") as caught:
        run(broken, CONFIG | {"only": "gru"})
    seen(caught)
    assert (broken / records.FILE_NAME).read_bytes() == before


def test_a_harmless_change_goes_on(whole: Path, broken: Path) -> None:
    assert run(broken, CONFIG | {"only": "gru"}, allow_config_change=True)
    assert {r.cell for r in records.read(broken / records.FILE_NAME).results} == {"gru"}
    assert run(broken, allow_config_change=True)
    assert fixed(broken)[1:] == fixed(whole)[1:] and bits(broken) == bits(whole)


def begun_elsewhere(path: Path, **env: Any) -> None:
    """Changes the recorded environment in which a run began. A value of None removes the field."""
    header, *rest = path.read_text().splitlines(keepends=True)
    changed = json.loads(header)
    merged = changed["env"] | env
    changed["env"] = {name: value for name, value in merged.items() if value is not None}
    path.write_text(json.dumps(changed) + "\n" + "".join(rest))


@fault("checkpoints", "packages of other versions than at the run's start")
def test_other_versions_are_said_and_recorded(broken: Path) -> None:
    path = broken / records.FILE_NAME
    begun_elsewhere(path, versions={**records.read(path).header.env["versions"], "jax": "0.9.9"})
    said: list[str] = []
    assert run(broken, say=said.append)
    assert any(f"jax 0.9.9 then, {jax.__version__} now" in line for line in said)
    seen(next(line for line in said if "jax 0.9.9 then" in line))
    (resumed,) = records.read(path).header.env["resumed"]
    assert resumed["versions"]["jax"] == jax.__version__


@fault("checkpoints", "another engine or instruction set than at the run's start")
def test_another_engine_is_said_and_recorded(broken: Path) -> None:
    path = broken / records.FILE_NAME
    begun_elsewhere(path, engine="native sse4, 2 threads")
    said: list[str] = []
    assert run(broken, say=said.append)
    here = native.describe()
    (warned,) = [line for line in said if "not as the run began" in line]
    assert warned.endswith(f"engine native sse4 then, {here.partition(',')[0]} now")
    seen(warned.replace(f"{here.partition(',')[0]} now", "XLA now"))
    header = records.read(path).header.env
    assert header["engine"] == "native sse4, 2 threads" and header["resumed"][0]["engine"] == here


@pytest.mark.parametrize("then", ["same", None])
def test_other_threads_and_runs_from_before_the_engine_go_on_without_a_word(broken: Path, then: str | None) -> None:
    begun_elsewhere(broken / records.FILE_NAME, engine=then and f"{native.describe().partition(',')[0]}, 99 threads")
    said: list[str] = []
    assert run(broken, say=said.append)
    assert not [line for line in said if "not as the run began" in line]


@fault("checkpoints", "a model other than the code makes now")
def test_a_checkpoint_of_another_model_is_refused() -> None:
    from gru_research.training.loop_state import by_number, like

    tree = {"a": np.zeros((3, 2), np.float32)}
    with pytest.raises(UserError, match="another model") as caught:
        like(tree, by_number({"a": np.zeros((3, 3), np.float32)}))
    seen(caught)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Any]:
    """Another process that holds the run's directory until it is killed."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path / "run", ready), daemon=True)
    process.start()
    assert ready.wait(60)
    yield process
    process.kill()


def _hold(workdir: Path, ready: Any) -> None:
    with locked(workdir):
        ready.set()
        multiprocessing.Event().wait()


@fault("working directory", "a directory that another process uses", "a lock whose process was killed")
def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(holder: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"in use by another process \(process {holder.pid} on") as caught:
        run(tmp_path / "run")
    seen(caught)
    assert not (tmp_path / "run" / records.FILE_NAME).exists()
    holder.kill()
    holder.join()
    assert run(tmp_path / "run", CONFIG | {"only": "rnn", "updates": 1, "tune": {"draws": 0}})
    seen("")


def test_a_file_system_without_flock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(UserError, match="can't be locked by flock: No locks available"), locked(tmp_path / "run"):
        pass


def test_somebody_elses_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else"):
        run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
