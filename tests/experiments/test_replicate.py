"""Published tables: verdicts in all their branches, what a budget buys, and what is shown of runs there are."""

import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments import replicate
from experiments.cli import running, studies
from experiments.replications import TABLES
from experiments.replications.table import TRAINING_SHARE, PublishedTable, RowResult, TableRow, TableRun
from experiments.replications.verdicts import (
    agrees_with,
    interval_text,
    metrics_of_seeds,
    reaches,
    reported,
    same_order,
    summary_row,
)
from gru_research import records
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.report.summary import summarize


def made(tests: Mapping[str, Sequence[float | None]], direction: str = "min", status: str = "finished") -> records.Run:
    """The records of a run: of each cell its seeds' test metrics, None for one that diverged."""
    task = {"name": "toy", "metric": "error", "directions": {"error": direction}, "threshold": 0.5}
    config = {"seeds": len(next(iter(tests.values()))), "cells": {label: {} for label in tests}}
    cells = [
        records.Cell(
            task="toy", cell=label, parameters=1234, learning_rate=0.01, updates=1000, hidden_size=3,
            reference_parameters=0, time={"compile_seconds": 1.0},
        )
        for label in tests
    ]  # fmt: skip
    results = [
        records.Result(
            task="toy", cell=label, seed=seed, updates=1000, test_metric=value, steps_to_solve=None,
            diverged_at=7 if value is None else None, time={"ms_per_step": 1.0, "train_seconds": 1.0},
        )
        for label, values in tests.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    end = records.End(status=status, time={"seconds": 90.0})
    env = {"cores": 2, "backend": "cpu", "versions": {"jax": "0.10.2"}, "git_commit": None}
    header = records.Header(config=config, task=task, env=env, time={"started": "2026-11-25T12:00:00+00:00"})
    return records.Run(header, cells=tuple(cells), results=tuple(results), end=end)


BOUNDS = [
    ([0.25] * 3, "min", 0.25, "reached"),
    ([0.5] * 3, "min", 0.25, "not reached"),
    ([0.75] * 3, "max", 0.75, "reached"),
    ([0.5] * 3, "max", 0.75, "not reached"),
    ([0.25, 0.25, None], "min", 0.25, "not reached"),  # a seed that diverged ranks worst
    ([0.75, 0.75, None], "max", 0.75, "not reached"),
    ([0.25] * 4 + [None], "min", 0.25, "reached"),  # one of five is cut off
]


@pytest.mark.parametrize(("values", "direction", "limit", "verdict"), BOUNDS)
def test_a_bound_is_reached_from_the_good_side(
    values: list[float | None], direction: str, limit: float, verdict: str
) -> None:
    ours = reaches("r", "a", limit)({"r": made({"a": values}, direction)})
    assert ours is not None and ours.verdict == verdict


COMPARED = [
    (1.04, "min", "agrees within 5%"),
    (0.96, "min", "agrees within 5%"),
    (1.06, "min", "worse"),
    (0.94, "min", "better"),
    (1.06, "max", "better"),
    (0.94, "max", "worse"),
    (None, "min", "worse"),
    (None, "max", "worse"),
]


@pytest.mark.parametrize(("value", "direction", "verdict"), COMPARED)
def test_a_value_agrees_or_is_better_or_worse(value: float | None, direction: str, verdict: str) -> None:
    ours = agrees_with("r", "a", 1.0, 0.05)({"r": made({"a": [value] * 3}, direction)})
    assert ours is not None and ours.verdict == verdict


def test_values_and_intervals_are_scaled_and_few_seeds_have_none() -> None:
    runs = {"few": made({"a": [0.96] * 3}, "max"), "five": made({"a": [0.95, 0.96, 0.97, 0.96, 0.96]}, "max")}
    assert reaches("few", "a", 96.0, ".1f", 100)(runs) == RowResult("96.0", "3 seeds", "reached")
    ours = reaches("five", "a", 90.0, ".1f", 100)(runs)
    assert ours is not None and (ours.value, ours.verdict) == ("96.0", "reached")
    low, high = (float(text) for text in ours.interval.strip("[]").split(", "))
    assert 95.0 <= low <= 96.0 <= high <= 97.0


def test_an_interval_may_be_infinite() -> None:
    row = summary_row({"r": made({"a": [0.1, 0.2, None, None, None]})}, "r", "a")
    assert row is not None and interval_text(row, ".2f").endswith(", inf]")


def seeds_around(value: float) -> list[float]:
    return [value + 0.01 * i for i in (-2, -1, 0, 1, 2)]


@pytest.mark.parametrize(
    ("levels", "direction", "ranked", "verdict"),
    [
        ((1.0, 2.0, 3.0), "min", "a < b < c", "same order"),
        ((3.0, 2.0, 1.0), "max", "a < b < c", "same order"),
        ((2.0, 1.0, 3.0), "min", "b < a < c", "another order"),
        ((1.0, 2.0, 2.001), "min", "a < b < c", "same order, but intervals overlap or are missing"),
        ((2.001, 2.0, 3.0), "min", "b < a < c", "another order, but intervals overlap or are missing"),
    ],
)
def test_an_order_is_that_of_the_iqm(levels: Sequence[float], direction: str, ranked: str, verdict: str) -> None:
    run = made({name: seeds_around(level) for name, level in zip("abc", levels, strict=True)}, direction)
    ours = same_order("r", ("a", "b", "c"))({"r": run})
    assert ours is not None and (ours.value, ours.verdict) == (ranked, verdict)
    rows = {row.cell: interval_text(row, ".3f") for row in summarize(run)}
    assert ours.interval == "; ".join(f"{cell} {rows[cell]}" for cell in ranked.split(" < "))


def test_a_number_that_nothing_published_compares_with() -> None:
    ours = reported("r", "a", ".1f", 100)({"r": made({"a": [0.5] * 5})})
    assert ours == RowResult("50.0", "[50.0, 50.0]", "not comparable")


def test_a_verdict_says_where_the_interval_holds_the_published_value() -> None:
    run = made({"a": [0.1, 0.2, 0.3, 0.4, 0.5]})
    missed = reaches("r", "a", 0.25)({"r": run})
    assert missed is not None and missed.verdict == "not reached, within the interval"
    worse = agrees_with("r", "a", 0.25, 0.01, what="the baseline")({"r": run})
    assert worse is not None and worse.verdict == "worse, within the interval: the baseline"


def test_an_order_of_few_seeds_has_no_intervals_to_be_apart() -> None:
    run = made({"a": [1.0] * 3, "b": [2.0] * 3})
    ours = same_order("r", ("a", "b"))({"r": run})
    assert ours is not None and ours.verdict == "same order, but intervals overlap or are missing"


def test_what_was_not_run_has_no_verdict() -> None:
    runs = {"r": made({"a": [1.0] * 3})}
    for judge in (reaches("other", "a", 1.0), agrees_with("other", "a", 1.0, 0.1), same_order("other", ("a",))):
        assert judge(runs) is None
    for judge in (reaches("r", "b", 1.0), agrees_with("r", "b", 1.0, 0.1), same_order("r", ("a", "b"))):
        assert judge(runs) is None
    assert metrics_of_seeds(runs, "other", "a") == [] and metrics_of_seeds(runs, "r", "a") == [1.0] * 3


def test_the_budget_is_shared_by_runs_and_cells() -> None:
    config = {"cells": {"a": {}, "b": {}, "c": {}, "d": {}}}
    assert TableRun(config, share=0.5).with_budget(60)["seconds"] == 60 * 60 * TRAINING_SHARE * 0.5 / 4
    assert "seconds" not in TableRun(config).with_budget(60)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_s_rows_are_about_its_runs(name: str) -> None:
    """All rows have a verdict when all runs are there, and none where a table's runs are missing."""
    table = TABLES[name]
    runs = {run: made({label: [0.5] * 5 for label in each.config["cells"]}) for run, each in table.runs.items()}
    for row in table.rows:
        ours = row.judge(runs)
        assert ours is not None and ours.value and ours.verdict, row.label
        assert not table.runs or row.judge({}) is None
    assert sum(run.share for run in table.runs.values()) <= 1.0
    for each in table.runs.values():
        experiment(each.with_budget(60))


TINY = PublishedTable(
    title="Tiny [table]",
    source="nobody",
    runs={
        name: TableRun(
            {"task": {"name": "adding", "length": 4}, "cells": {"a": {"kind": "rnn", "hidden_size": 2}}}, gpu=gpu
        )
        for name, gpu in (("done", False), ("broken", False), ("large", True))
    },
    rows=(
        TableRow("of done", "1.0", agrees_with("done", "a", 1.0, 0.1)),
        TableRow("of broken|off", "2.0", agrees_with("broken", "a", 2.0, 0.1)),
        TableRow("of large", "3.0", reaches("large", "a", 3.0)),
    ),
    differences=("It is tiny.",),
)


def write(run: records.Run, folder: Path) -> None:
    folder.mkdir(parents=True)
    writer = records.Writer.begin(folder / records.FILE_NAME, run.header)
    assert run.end is not None
    for record in (*run.cells, *run.results, run.end):
        writer.write(record)
    writer.close()


def test_show_has_finished_runs_and_says_what_was_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(made({"a": [1.0, 1.1, 0.9]}), tmp_path / "done")
    write(made({"a": [2.0, 2.0, 2.0]}, status="interrupted"), tmp_path / "broken")
    runs = replicate.finished_runs(TINY, tmp_path)
    assert list(runs) == ["done"]
    replicate.show(TINY, runs, tmp_path)
    printed = capsys.readouterr().out
    assert "Tiny [table]" in printed and "agrees within 10%" in printed and printed.count("not run") == 2
    lines = (tmp_path / "replication.md").read_text().splitlines()
    assert "| of done | 1.0 | 1 | 3 seeds | agrees within 10% |" in lines
    assert "| of broken\\|off | 2.0 | - | - | not run |" in lines
    assert "| of large | 3.0 | - | - | not run |" in lines
    assert "- Run done: 3 seeds; a 1,234 parameters, rate 0.01, 1,000 updates; 1.5 min." in lines
    assert "- Differs: It is tiny." in lines


def test_show_without_runs_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    replicate.show(TINY, {}, Path())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The command with `--table=tiny`, where training is pretended; the names of the runs that it trains."""
    names: list[str] = []

    def train(config: Any, folder: Path, stop: Any, workdir: Path) -> int:
        assert folder.parent == workdir
        names.append(folder.name)
        write(made({"a": [1.0] * config.seeds}), folder)
        return 0

    monkeypatch.setattr(replicate, "TABLES", {"tiny": TINY})
    flag(monkeypatch, TABLE="tiny", BUDGET_MINUTES=60.0, RUNS="")
    monkeypatch.setattr(replicate, "use_cores", lambda seeds, parts: None)
    monkeypatch.setattr(running, "start_backend", lambda: None)
    monkeypatch.setattr(running, "workdir", lambda name: tmp_path / name)
    monkeypatch.setattr(running, "data_dirs", DataDirs)
    monkeypatch.setattr(running, "StopRequest", lambda: None)
    monkeypatch.setattr(running, "run", train)
    monkeypatch.setattr(studies, "write_report", lambda workdir: None)
    return names


def flag(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    for name, value in values.items():
        monkeypatch.setattr(replicate, name, types.SimpleNamespace(value=value))


def test_what_needs_a_gpu_is_left_out_elsewhere_unless_it_is_named(
    trained: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replicate.main() == 0
    assert trained == ["done", "broken"] and capsys.readouterr().out.count("not run") == 1
    flag(monkeypatch, RUNS="large")
    monkeypatch.setattr(running, "workdir", lambda name: tmp_path / "named")
    assert replicate.main() == 0
    assert trained == ["done", "broken", "large"] and capsys.readouterr().out.count("not run") == 2


def test_a_table_for_a_gpu_alone_trains_nothing_elsewhere(
    trained: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only = PublishedTable("Large", "nobody", TINY.rows[2:], (), {"large": TINY.runs["large"]})
    monkeypatch.setattr(replicate, "TABLES", {"tiny": only})
    assert replicate.main() == 0 and trained == [] and not (tmp_path / "tiny").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"TABLE": ""}, "--table is missing: choose from tiny"),
        ({"TABLE": "tny"}, "--table='tny' is unknown; did you mean 'tiny'"),
        ({"BUDGET_MINUTES": 0.0}, "--budget_minutes=0 must be above 0"),
        ({"BUDGET_MINUTES": -1.0}, "--budget_minutes=-1 must be above 0"),
        ({"BUDGET_MINUTES": math.inf}, "--budget_minutes=inf must be above 0 and finite"),
        ({"BUDGET_MINUTES": math.nan}, "--budget_minutes=nan must be above 0"),
        ({"RUNS": "dne"}, "--runs='dne' is unknown; did you mean 'done'"),
    ],
    ids=str,
)
def test_a_mistake_trains_nothing(
    flags: dict[str, Any], said: str, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flag(monkeypatch, **flags)
    with pytest.raises(UserError) as caught:
        replicate.main()
    assert said in str(caught.value) and trained == []
