"""A run that is killed between any two of the final steps of a cell or run resumes and ends with the same result."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from gru_research import records
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.records import writing
from gru_research.runs import comparison
from gru_research.runs.comparison import run_comparison
from gru_research.training import checkpoint, load_parameters, make_plan, train_variant

PLAN = make_plan(
    experiment(
        {
            "task": {"name": "adding", "length": 4, "validation_size": 10, "test_size": 10},
            "cells": {"gru": {"kind": "gru", "hidden_size": 2}, "rnn": {"kind": "rnn", "hidden_size": 2}},
            "match": "none",
            "updates": 3,
            "batch_size": 4,
            "eval_every": 1,
            "seeds": 3,
            "select": "best",
        }
    )
)


# Kills are in the other tier, as are `experiments.killtest` and sweeps.
pytestmark = pytest.mark.processes


class Killed(BaseException):
    """An exception that no code catches, like a signal that can't be handled."""


def run(workdir: Path, **arguments: Any) -> bool:
    return run_comparison(PLAN, workdir, DataDirs(), checkpoint_seconds=0.0, **arguments)


def ended(workdir: Path) -> tuple[list[dict[str, Any]], list[bytes], list[str]]:
    """Returns the records without times and environments, the parameters' bits, and the names of the run's files."""
    lines = (workdir / records.FILE_NAME).read_text().splitlines()
    found = [{k: v for k, v in json.loads(line).items() if k not in ("time", "env")} for line in lines]
    parameters = [load_parameters(workdir, label) for label in ("gru", "rnn")]
    names = [path.name for folder in (workdir, workdir / checkpoint.FOLDER) for path in sorted(folder.iterdir())]
    return found, [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(parameters)], names


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[bytes], list[str]]:
    workdir = tmp_path_factory.mktemp("whole") / "run"
    assert run(workdir)
    return ended(workdir)


def dies(function: Callable[..., Any], when: Callable[..., bool], after: bool) -> Callable[..., Any]:
    """Returns `function`, killed before or after the first call for which `when(*args)` holds."""

    def dying(*args: Any, **kwargs: Any) -> Any:
        last = when(*args)
        if last and not after:
            raise Killed
        result = function(*args, **kwargs)
        if last:
            raise Killed
        return result

    return dying


def half_removed(folder: Path, **_: Any) -> None:
    """Removes a folder, but is killed after half of its files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) > 3
    for path in files[::2]:
        path.unlink()
    raise Killed


def nth(number: int) -> Callable[..., bool]:
    seen = iter(range(10**6))
    return lambda *args: next(seen) == number


def is_kind(kind: str, number: int) -> Callable[..., bool]:
    counted = nth(number)
    return lambda writer, record: record.kind == kind and counted()


def always(*_: Any) -> bool:
    return True


Patch = tuple[Any, str, Any]
POINTS: dict[str, Callable[[], Patch]] = {
    "the config is there, the header isn't": lambda: (
        writing, "write_whole", dies(records.write_whole, nth(0), after=False)),
    "the header is there, nothing else": lambda: (
        writing, "write_whole", dies(records.write_whole, nth(0), after=True)),
    "the cell's line is there, no evaluation": lambda: (
        records.Writer, "write", dies(records.Writer.write, is_kind("cell", 0), after=True)),
    "evaluations of two of three seeds": lambda: (
        records.Writer, "write", dies(records.Writer.write, is_kind("evaluation", 4), after=True)),
    "tested, but no parameters": lambda: (
        train_variant, "save_parameters", dies(train_variant.save_parameters, always, after=False)),
    "parameters, but no result": lambda: (
        train_variant, "save_parameters", dies(train_variant.save_parameters, always, after=True)),
    "results of one of three seeds": lambda: (
        records.Writer, "write", dies(records.Writer.write, is_kind("result", 0), after=True)),
    "results of two of three seeds of the second cell": lambda: (
        records.Writer, "write", dies(records.Writer.write, is_kind("result", 4), after=True)),
    "all results, and the snapshots still there": lambda: (
        train_variant, "shutil", SimpleNamespace(rmtree=dies(shutil.rmtree, always, after=False))),
    "all results, and half of the snapshots": lambda: (
        train_variant, "shutil", SimpleNamespace(rmtree=half_removed)),
    "all cells, but the folder of snapshots": lambda: (
        comparison, "remove_snapshots", dies(comparison.remove_snapshots, always, after=False)),
    "everything but the last record": lambda: (
        comparison, "remove_snapshots", dies(comparison.remove_snapshots, always, after=True)),
}  # fmt: skip


def killed_at(workdir: Path, patch: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(*patch)
        # A killed process doesn't get to say how it ended.
        write = records.Writer.write
        patched.setattr(
            records.Writer, "write", lambda self, record: None if record.kind == "end" else write(self, record)
        )
        with pytest.raises(Killed):
            run(workdir)


@pytest.mark.parametrize("point", POINTS)
def test_killed_between_two_steps_it_ends_alike(
    point: str, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = tmp_path / "run"
    killed_at(workdir, POINTS[point](), monkeypatch)
    if workdir.joinpath(records.FILE_NAME).exists():
        assert not records.read(workdir / records.FILE_NAME).finished
    assert run(workdir)
    assert ended(workdir) == whole


@pytest.mark.parametrize("after", [False, True])
def test_killed_while_it_goes_on_it_goes_on_again(
    after: bool, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is killed before and after its records are replaced by the valid records."""
    workdir = tmp_path / "run"
    killed_at(workdir, POINTS["results of one of three seeds"](), monkeypatch)
    killed_at(workdir, (records, "write_whole", dies(records.write_whole, always, after)), monkeypatch)
    assert run(workdir)
    assert ended(workdir) == whole


def test_killed_within_the_replacement_of_the_records(
    whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workdir = tmp_path / "run"
    killed_at(workdir, POINTS["parameters, but no result"](), monkeypatch)
    before = (workdir / records.FILE_NAME).read_bytes()
    replace = dies(Path.replace, lambda path, _: path.name == f".{records.FILE_NAME}.new", after=False)
    killed_at(workdir, (Path, "replace", replace), monkeypatch)
    assert (workdir / records.FILE_NAME).read_bytes() == before
    assert (workdir / f".{records.FILE_NAME}.new").exists()
    assert run(workdir)
    assert ended(workdir) == whole


def test_killed_within_the_saving_of_parameters(whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orbax writes into a folder of another name first. Its leftovers are removed."""
    workdir = tmp_path / "run"
    killed_at(workdir, POINTS["tested, but no parameters"](), monkeypatch)
    left = workdir / checkpoint.FOLDER / "gru.orbax-checkpoint-tmp"
    (left / "d").mkdir(parents=True)
    (left / "d" / "half").write_bytes(b"\0" * 100)
    assert run(workdir)
    assert ended(workdir) == whole
