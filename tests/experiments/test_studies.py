"""Many runs under one directory: who goes on, what is trained again, and what is refused."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import running, studies
from gru_research import records
from gru_research.config import ExperimentConfig, UserError, experiment, to_mapping
from gru_research.data import DataDirs
from gru_research.runs import study
from gru_research.tasks import TASKS
from tests.faults import fault, seen

CELL = {"kind": "rnn", "hidden_size": 2}
CONFIG: dict[str, Any] = {
    "task": {"name": "adding", "length": 9},
    "cells": {"a": CELL, "b": CELL, "c": CELL},
    "match": "none",
    "seeds": 4,
    "horizon": {"values": (4, 5, 6, 7)},
}


@dataclasses.dataclass
class Trainer:
    """Stands in for training: writes the records of a run and keeps what it was asked for."""

    solved: Callable[[str, int], int] = lambda label, length: 4  # of the seeds of a cell
    stops_in: str = ""
    stops_with: int = running.INTERRUPTED
    calls: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    reports: int = 0

    def run(self, config: ExperimentConfig, folder: Path, stop: Any, workdir: Path) -> int:
        assert folder.parent == workdir  # which the user is told to name again
        del stop
        self.calls.append((folder.name, ",".join(config.selected_labels)))
        folder.mkdir(parents=True, exist_ok=True)
        mapping = records.to_json(to_mapping(config))
        path = folder / records.FILE_NAME
        header = records.Header(config=mapping, asked=mapping)
        go_on = path.exists()
        writer = records.Writer.resume(path, 1, header) if go_on else records.Writer.begin(path, header)
        for label in config.selected_labels:
            solved = self.solved(label, config.task.options["length"])
            for seed in range(config.seeds):
                steps = 1 if seed < solved else None
                writer.write(records.Result(task="adding", cell=label, seed=seed, steps_to_solve=steps))
        finished = folder.name != self.stops_in
        writer.write(records.End(status="finished" if finished else "interrupted"))
        writer.close()
        return 0 if finished else self.stops_with

    def write_report(self, workdir: Path) -> None:
        assert (workdir / records.STUDY_FILE_NAME).is_file()
        self.reports += 1


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    made = Trainer()
    monkeypatch.setattr(running, "run", made.run)
    monkeypatch.setattr(running, "data_dirs", DataDirs)
    monkeypatch.setattr(studies, "write_report", made.write_report)
    return made


STOP: Any = None


def horizon(**fields: Any) -> study.Study:
    return study.horizon(experiment(CONFIG | fields), "lengths")


def suite(**changes: dict[str, Any]) -> study.Study:
    plain = CONFIG | {"horizon": None, "only": "a"}
    return study.suite("tasks", {name: experiment(plain | change) for name, change in changes.items()})


def test_a_cell_that_fails_is_dropped_and_without_any_the_sweep_ends(trainer: Trainer, tmp_path: Path) -> None:
    trainer.solved = lambda label, length: 4 if length < {"a": 6, "b": 5, "c": 4}[label] else 1
    assert studies.run(horizon(), tmp_path / "s", STOP) == 0
    assert trainer.calls == [("length-4", "a,b,c"), ("length-5", "a,b"), ("length-6", "a")]
    assert trainer.reports == 1
    assert json.loads((tmp_path / "s" / "study.json").read_text()) == {
        "schema": "gru_research.study/1",
        "kind": "horizon",
        "title": "lengths",
        "runs": ["length-4", "length-5", "length-6", "length-7"],
        "field": "task.length",
        "values": [4, 5, 6, 7],
        "solved": 0.5,
    }


def test_cells_that_solve_everything_see_every_value(trainer: Trainer, tmp_path: Path) -> None:
    studies.run(horizon(only="c,a"), tmp_path / "s", STOP)
    assert trainer.calls == [(f"length-{length}", "c,a") for length in (4, 5, 6, 7)]
    written = records.read(tmp_path / "s" / "length-6" / records.FILE_NAME).header.config
    assert written["task"]["length"] == 6 and written["horizon"] is None


@pytest.mark.parametrize(("share", "going"), [(0.25, True), (0.5, True), (0.75, False), (1.0, False)])
def test_a_share_of_the_seeds_must_solve_it(share: float, going: bool) -> None:
    results = tuple(
        records.Result(task="adding", cell="a", seed=s, steps_to_solve=3 if s < 2 else None) for s in range(4)
    )
    run = records.Run(records.Header(), results=results)
    assert study.solves(run, "a", share) == going
    assert not study.solves(run, "b", share)


def test_any_field_may_grow(trainer: Trainer, tmp_path: Path) -> None:
    studies.run(horizon(horizon={"field": "cells.a.hidden_size", "values": (2, 3)}), tmp_path / "s", STOP)
    sizes = [
        records.read(tmp_path / "s" / f"hidden_size-{size}" / records.FILE_NAME).header.config["cells"]["a"]
        for size in (2, 3)
    ]
    assert [cell["hidden_size"] for cell in sizes] == [2, 3]


def test_it_goes_on_where_it_was_interrupted(trainer: Trainer, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    trainer.stops_in = "length-5"
    assert studies.run(horizon(), folder, STOP) == running.INTERRUPTED
    assert [name for name, _ in trainer.calls] == ["length-4", "length-5"] and trainer.reports == 1
    first = (folder / "length-4" / records.FILE_NAME).read_bytes()
    trainer.stops_in = ""
    trainer.calls.clear()
    assert studies.run(horizon(), folder, STOP) == 0
    assert [name for name, _ in trainer.calls] == ["length-5", "length-6", "length-7"]
    assert (folder / "length-4" / records.FILE_NAME).read_bytes() == first
    trainer.calls.clear()
    assert studies.run(horizon(), folder, STOP) == 0 and trainer.calls == []


@fault("studies", "a run of a suite that was killed")
def test_a_run_that_was_killed_goes_on_in_its_directory(trainer: Trainer, tmp_path: Path) -> None:
    """It has no end, and its last line may be half a one."""
    folder = tmp_path / "s"
    studies.run(suite(x={}, y={}), folder, STOP)
    path = folder / "y" / records.FILE_NAME
    path.write_text("\n".join(path.read_text().splitlines()[:-1])[:-5])
    trainer.calls.clear()
    assert studies.run(suite(x={}, y={}), folder, STOP) == 0
    assert [name for name, _ in trainer.calls] == ["y"] and records.read(path).finished
    seen("")


def test_a_machine_that_is_taken_away_leaves_no_time_for_a_report(trainer: Trainer, tmp_path: Path) -> None:
    trainer.stops_in, trainer.stops_with = "x", running.PREEMPTED
    assert studies.run(suite(x={}, y={}), tmp_path / "s", STOP) == running.PREEMPTED
    assert [name for name, _ in trainer.calls] == ["x"] and trainer.reports == 0


def test_a_suite_trains_the_runs_that_are_named(
    trainer: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = suite(x={}, y={"seeds": 2}, z={})
    studies.run(made, tmp_path / "s", STOP, only=("y",))
    assert trainer.calls == [("y", "a")]
    assert "y (1 of 1)" in capsys.readouterr().out  # numbered among those that are named
    studies.run(made, tmp_path / "s", STOP)
    assert [name for name, _ in trainer.calls] == ["y", "x", "z"]
    summary = json.loads((tmp_path / "s" / "study.json").read_text())
    assert (summary["kind"], summary["runs"], summary["values"]) == ("suite", ["x", "y", "z"], None)


@fault("studies", "another study's directory", "a run of another config in the study's directory")
def test_another_study_is_refused(trainer: Trainer, tmp_path: Path) -> None:
    studies.run(suite(x={}), tmp_path / "s", STOP)
    with pytest.raises(UserError, match="holds another study") as caught:
        studies.run(suite(x={}, y={}), tmp_path / "s", STOP)
    seen(caught)
    with pytest.raises(UserError, match="holds a run of another config") as caught:
        studies.run(suite(x={"seeds": 2}), tmp_path / "s", STOP)
    seen(caught)
    assert len(trainer.calls) == 1


@fault(
    "studies",
    "a file instead of a directory",
    "a directory below a file",
    "a directory with other content",
    "a damaged study.json",
)
def test_what_is_not_a_study_is_left_alone(trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "study.json").write_text("{")
    for name, said in [
        ("file", "holds something else"),
        ("file/below", "can't be written"),
        ("other", "holds something else"),
        ("damaged", "is damaged"),
    ]:
        with pytest.raises(UserError, match=said) as caught:
            studies.run(suite(x={}), tmp_path / name, STOP)
        seen(caught)
    assert trainer.calls == [] and [p.name for p in (tmp_path / "other").iterdir()] == ["thesis.tex"]


HORIZONS = [
    pytest.param(
        {"field": "task.lenght", "values": (4, 5)},
        "run lenght-4: config.task has no field 'lenght'",
        marks=fault("studies", "a horizon of an unknown field"),
    ),
    ({"field": "task.length", "values": (1, 5)}, "run length-1: config.task.length=1 must be at least 2"),
    ({"field": "lenght", "values": (4,)}, "config has no field 'lenght'"),
    ({"field": "tsk.length", "values": (4,)}, "config.horizon.field='tsk.length': config has no field 'tsk'"),
    (
        {"field": "updates.x", "values": (4,)},
        "config.horizon.field='updates.x': config.updates=1000 is a value: it has no field 'x'",
    ),
    (
        {"field": "cells.d.hidden_size", "values": (4,)},
        "config.horizon.field='cells.d.hidden_size': config.cells.d.kind is missing",
    ),
    ({"field": "batch_size", "values": (0, 4)}, "config.batch_size=0"),
]


@pytest.mark.parametrize(("sweep", "said"), HORIZONS, ids=lambda v: str(v)[:40])
def test_a_mistake_in_a_horizon_shows_before_anything_is_written(
    sweep: dict[str, Any], said: str, trainer: Trainer, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        studies.run(horizon(horizon=sweep), tmp_path / "s", STOP)
    assert said in str(caught.value)
    seen(caught)
    assert trainer.calls == [] and not (tmp_path / "s").exists()


def test_a_horizon_of_a_task_that_nothing_solves_is_refused(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding = TASKS["adding"]
    endless = lambda length=9: dataclasses.replace(adding(length), threshold=None)  # noqa: E731
    monkeypatch.setitem(TASKS, "adding", endless)
    with pytest.raises(UserError, match=r"^run length-4: config\.horizon asks who solves adding, which has no thresh"):
        studies.run(horizon(), tmp_path / "s", STOP)
    assert trainer.calls == [] and not (tmp_path / "s").exists()
    assert studies.run(suite(x={}), tmp_path / "s", STOP) == 0  # a suite needs none


@fault("studies", "a mistake in a later run")
def test_a_mistake_in_a_later_run_shows_before_the_first(trainer: Trainer, tmp_path: Path) -> None:
    made = suite(x={}, y={"task": {"name": "adding", "lenght": 4}})
    with pytest.raises(UserError, match=r"run y: config\.task has no field 'lenght'") as caught:
        studies.run(made, tmp_path / "s", STOP)
    seen(caught)
    assert trainer.calls == [] and not (tmp_path / "s").exists()
    studies.run(made, tmp_path / "s", STOP, only=("x",))
    assert [name for name, _ in trainer.calls] == ["x"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "..", "", "a\0b", "x" * 101])
def test_a_run_s_name_stays_within_the_directory(name: str, trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the run "):
        studies.run(suite(**{name: {}}), tmp_path / "s", STOP)
    assert trainer.calls == [] and list(tmp_path.iterdir()) == []
