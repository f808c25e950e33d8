"""Forecasts of the steps after the end of a user's table: as JSON, as a table and as a picture."""

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.prediction import answers, inputs, outputs
from gru_research import runs
from gru_research.config import UserError
from gru_research.runs.predict import predict
from gru_research.tasks.forecasting.tables import times_after
from tests.faults import fault, seen
from tests.launching import launch
from tests.runs.small import trained
from tests.tasks.forecasting.test_forecasting import own, series

TASK = {"name": "forecasting", "look_back": 12, "horizon": 4, "season": 6}
MODEL = {"kind": "segrnn", "segment": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    (folder / "own.csv").write_text(series())
    return trained(folder / "run", TASK | {"train": str(folder / "own.csv")}, model=MODEL, only="gru")


@pytest.fixture(scope="module")
def run(folder: Path) -> Any:
    return runs.load(folder)


def written(run: Any, path: Path, out: Path) -> tuple[list[dict[str, str]], Any]:
    """Returns the rows of the table that `--output` writes, and the answer."""
    (asked,) = inputs.read(str(path), run.task)
    (found,) = predict(run, [asked.raw], "gru", 0)
    paths = outputs.write_all(outputs.writer(run.task), [found], out)
    assert [path.name for path in paths] == ["1-gru-seed-0.csv", "1-gru-seed-0.png"]
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    with open(paths[0]) as file:
        return list(csv.DictReader(file)), found.answer


def test_the_command_forecasts_the_steps_after_the_end_of_a_table(folder: Path, tmp_path: Path) -> None:
    lines = series(30).splitlines()
    path = tmp_path / "new.csv"
    path.write_text("\n".join(lines) + "\n")
    done = launch("predict", f"--workdir={folder}", f"--input={path}", f"--output={tmp_path / 'out'}", "--json")
    assert done.returncode == 0, done.stderr
    (answer,) = [json.loads(line)["answer"] for line in done.stdout.splitlines()]
    assert list(answer) == ["wave", "line"]
    for parts in answer.values():
        assert {name: len(values) for name, values in parts.items()} == {"forecast": 4, "low": 4, "high": 4}
    with open(tmp_path / "out" / "1-gru-seed-0.csv") as file:
        rows = list(csv.DictReader(file))
    last = datetime.fromisoformat(lines[-1].partition(",")[0])
    assert [row["time"] for row in rows] == [str(last + timedelta(hours=n)) for n in range(1, 5)]
    for name, parts in answer.items():
        for part, column in {"forecast": name, "low": f"{name}_low", "high": f"{name}_high"}.items():
            np.testing.assert_allclose([float(row[column]) for row in rows], parts[part], rtol=1e-6)


def test_earlier_rows_change_nothing_and_columns_may_be_in_any_order(run: Any, tmp_path: Path) -> None:
    table = list(csv.DictReader(series(30).splitlines()))
    (tmp_path / "whole.csv").write_text(series(30))
    turned = ["time,line,wave", *(f"{row['time']},{row['line']},{row['wave']}" for row in table[-12:])]
    (tmp_path / "end.csv").write_text("\n".join(turned) + "\n")
    whole, end = (written(run, tmp_path / name, tmp_path / "out") for name in ("whole.csv", "end.csv"))
    assert whole == end


def test_without_times_the_steps_are_numbered(run: Any, tmp_path: Path) -> None:
    rows = [line.partition(",")[2] for line in series(12).splitlines()]
    (tmp_path / "bare.csv").write_text("\n".join(rows) + "\n")
    table, _ = written(run, tmp_path / "bare.csv", tmp_path / "out")
    assert [row["step"] for row in table] == ["1", "2", "3", "4"]


def test_times_go_on_by_the_calendar() -> None:
    months = [datetime(2023, month, 1) for month in (10, 11, 12)]
    assert times_after(months, 2) == [datetime(2024, 1, 1), datetime(2024, 2, 1)]
    uneven = [datetime(2024, 1, 1, hour) for hour in (0, 1, 2, 5, 6)]
    assert times_after(uneven, 1) == [datetime(2024, 1, 1, 7)]
    assert times_after(uneven[:1], 1) is None


def test_missing_values_are_masked_where_the_run_masks_them(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(series(gaps=True))
    task = TASK | {"train": str(tmp_path / "own.csv"), "missing": "carry"}
    run = runs.load(trained(tmp_path / "run", task, model=MODEL, only="gru"))
    rows = series(12).splitlines()
    found = []
    for cell in ("", "nan", "-"):
        # The first segment of "line" has a gap, so that its three other values must not matter either.
        text = [*rows[:2], rows[2].rpartition(",")[0] + f",{cell}", *rows[3:]]
        if cell == "-":
            text[1] = text[1].rpartition(",")[0] + ",-50.0"
        (tmp_path / "new.csv").write_text("\n".join(text) + "\n")
        found.append(written(run, tmp_path / "new.csv", tmp_path / "out")[1])
    assert found[0] == found[1] == found[2]
    (tmp_path / "new.csv").write_text("\n".join(rows) + "\n")
    assert written(run, tmp_path / "new.csv", tmp_path / "out")[1]["line"] != found[0]["line"]


def test_a_run_without_quantiles_says_that_it_has_no_interval(run: Any, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(series())
    task = TASK | {"train": str(tmp_path / "own.csv"), "quantiles": ()}
    mean = runs.load(trained(tmp_path / "run", task, model=MODEL, only="gru"))
    rows, answer = written(mean, tmp_path / "own.csv", tmp_path / "out")
    assert list(rows[0]) == ["time", "wave", "line"] and list(answer["wave"]) == ["forecast"]
    assert answers.said(answer).count("[") == 0
    assert answers.remarks(mean.task) == [
        "the answers have no interval: the run was trained with config.task.quantiles=()"
    ]
    assert not answers.remarks(run.task)


@fault(
    "predictions", "a series shorter than the look-back", "a series without a column of training",
    "a series with a missing value at its end", "a series with a word among its numbers", "a series out of order",
    "a series in another encoding", "a series that isn't there", "a series of a header only",
    "an array with other series than in training", "a text instead of a series",
)  # fmt: skip
def test_a_series_amiss_is_one_line(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    good = series(14)
    cases: list[tuple[str | bytes, str]] = [
        (series(11), r"new.csv:12: the last row is row 11, and a forecast reads the last 12, the look-back"),
        (good.replace("line", "lime"), r"new.csv: has no column 'line'; it has time, wave, lime"),
        (good.replace(",4.2000\n", ",nan\n"), r"new.csv:14: line='nan' is missing"),
        (good.replace(",4.2000\n", ",much\n"), r"new.csv:14: line='much' must be a number"),
        (good.replace("01 12:00", "01 02:00"), r"new.csv:14: time='2024-01-01 02:00' is before the time of the row"),
        (good.encode("utf-16"), r"new.csv:1: the byte 0xff isn't UTF-8"),
        (b"", r"^--input=.*gone.csv: no such file"),
        ("time,wave,line\n", r"new.csv: has a header and no rows"),
    ]
    for content, says in cases:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError, match=says) as caught:
            inputs.read(str(path if content else tmp_path / "gone.csv"), run.task)
        assert "\n" not in str(caught.value)
        seen(caught)
    for raw, says in ((np.zeros((12, 3)), r"^input 1: .*\[12, 3\] must be numbers \[N, 2\]"), ("12 3", "^input 1: ")):
        with pytest.raises(UserError, match=says) as caught:
            predict(run, [raw], "gru", 0)
        seen(caught)


def test_a_series_without_a_value_in_the_look_back_is_refused(tmp_path: Path) -> None:
    task = own(tmp_path, missing="carry")
    rows = [line.rpartition(",")[0] + "," for line in series(12).splitlines()[1:]]
    (tmp_path / "new.csv").write_text("\n".join(["time,wave,line", *rows]) + "\n")
    with pytest.raises(UserError, match=r"new.csv:13: line has no value in the last 12 rows, the look-back"):
        inputs.read(str(tmp_path / "new.csv"), task)
