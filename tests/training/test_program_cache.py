"""A cell's tuning, training and test share a compiled program. Copies of seeds aren't trained or evaluated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import pytest

from gru_research import records
from gru_research.config import OptimizerConfig
from gru_research.data import DataDirs
from gru_research.runs.comparison import run_comparison
from gru_research.training import Hooks, Plan, SeedAxis, make_seed_axis, program_cache
from gru_research.training.loop import train_members
from gru_research.training.optimizer import Optimizer
from gru_research.training.selection import Schedule
from gru_research.training.tuning import shares_programs
from tests.training import toy
from tests.training.test_prefetch import Rows, stored

TUNED: dict[str, Any] = {"updates": 6, "eval_every": 2, "seeds": 2, "tune": {"draws": 5, "learning_rate": (0.1, 1.0)}}


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the programs that are compiled."""
    seen: list[str] = []
    for name in ("lower_training", "compile_evaluation"):
        make = getattr(program_cache, name)
        monkeypatch.setattr(program_cache, name, lambda *a, name=name, make=make: seen.append(name) or make(*a))
    return seen


def fixed(workdir: Path) -> list[Mapping[str, Any]]:
    run = records.read(workdir / records.FILE_NAME)
    return [toy.timeless(record) for record in run.in_order[1:]]


def cosine(plan: dict[str, Any]) -> dict[str, Any]:
    return plan | {"optimizer": toy.CONFIG["optimizer"] | {"schedule": "cosine"}}


def shorter(plan: dict[str, Any], updates: int = 4) -> dict[str, Any]:
    return plan | {"tune": plan["tune"] | {"updates": updates}}


@pytest.mark.parametrize(
    ("fields", "read", "trainings"),
    [
        pytest.param(TUNED, False, 1, id="as long"),
        pytest.param(cosine(TUNED), False, 1, id="as long, with a schedule"),
        pytest.param(TUNED, True, 1, id="as long, on stored data"),
        pytest.param(shorter(TUNED), False, 1, id="shorter"),
        pytest.param(shorter(TUNED), True, 1, id="shorter, on stored data"),
        pytest.param(shorter(TUNED, 1), True, 2, id="shorter than a call, on stored data"),
        pytest.param(shorter(cosine(TUNED)), False, 2, id="shorter, with a schedule"),
    ],
)
def test_tuning_training_and_test_share_what_they_can(
    fields: dict[str, Any], read: bool, trainings: int, compilations: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def plan() -> Plan:
        return toy.make(stored(Rows()) if read else toy.TASK, **fields)

    assert run_comparison(plan(), tmp_path / "shared", DataDirs())
    assert sorted(compilations) == ["compile_evaluation"] + ["lower_training"] * trainings
    assert shares_programs(plan(), plan().cells[0]) == (trainings == 1)
    (cell,) = records.read(tmp_path / "shared" / records.FILE_NAME).cells
    assert cell.time["compile_seconds"] > 0 and cell.env["engine"] in ("native", "XLA")

    monkeypatch.setattr(program_cache.ProgramCache, "_once", lambda self, key, compile_it: compile_it())
    monkeypatch.setattr(SeedAxis, "length", property(lambda self: self.mesh.shape["seed"] * self._share))
    monkeypatch.setattr(SeedAxis, "places", property(lambda self: range(len(self.seeds))))
    assert run_comparison(plan(), tmp_path / "apart", DataDirs())
    assert fixed(tmp_path / "apart") == fixed(tmp_path / "shared")


def test_copies_are_neither_trained_nor_evaluated() -> None:
    calls: list[str] = []

    def counted(outputs: Any, batch: Any) -> dict[str, Any]:
        jax.debug.callback(lambda: calls.append("measured"))
        return toy.distance(outputs, batch)

    plan = toy.make(toy.task(counted), seeds=2)
    cell, schedule = plan.cells[0], Schedule("training", 5, 3, "last", 0)
    axis = make_seed_axis([0, 1], cell.scalars, beside=7)
    assert axis.length >= 7
    hooks = Hooks(record=lambda kind, **fields: None)
    trained = train_members(plan, cell, plan.task.data.load(DataDirs()), axis, schedule, hooks)
    jax.effects_barrier()
    # An update measures the loss; an evaluation of the set's one batch the loss and the distance.
    assert [evaluation.step for evaluation in trained.evaluations] == [0, 3, 5]
    assert len(calls) == len(axis.seeds) * (5 + 3 * 2)
    assert axis.gather(trained.params)["w"] == pytest.approx([toy.start(seed) + 5 for seed in (0, 1)])


def test_an_optimizer_s_program_depends_on_the_updates_only_through_its_schedule() -> None:
    for schedule in ("constant", "cosine", "linear", "onecycle"):
        config = OptimizerConfig(schedule=schedule)
        same = Optimizer(config, 100).program == Optimizer(config, 200).program
        assert same == (schedule == "constant")
        assert Optimizer(config, 100).program == Optimizer(config, 100).program
        assert Optimizer(config, 100).program != Optimizer(OptimizerConfig("sgd", schedule=schedule), 100).program
