"""From a user's tables to a trained run, its report and the anomalies of another table, through the commands."""

import csv
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gru_research import records, runs
from gru_research.config import UserError
from gru_research.runs.predict import predict
from gru_research.tasks import TASKS, Task
from gru_research.tasks.anomalies import metrics
from gru_research.tasks.anomalies.surprise import threshold
from tests.faults import fault, seen
from tests.launching import launch

ROWS, SPIKE = 240, 200
SMALL = (
    "--config.updates=60", "--config.batch_size=16", "--config.evaluations=2", "--config.seeds=1",
    "--config.cells.gru.hidden_size=6", "--config.task.window=24", "--config.task.learning_share=0.5",
    "--config.only=gru,rnn",
)  # fmt: skip


def table(rows: int = ROWS, label: bool = True, times: bool = True) -> str:
    """A wave with a spike, whose label covers the points around it."""
    values = np.sin(np.arange(rows) / 3) + 0.05 * np.random.default_rng(0).normal(size=rows)
    values[SPIKE : SPIKE + 1] += 6
    lines = [",".join((["time"] if times else []) + ["load"] + (["label"] if label else []))]
    for n, value in enumerate(values):
        cells = [f"2024-01-{1 + n // 24:02d} {n % 24:02d}:00"] if times else []
        lines.append(",".join([*cells, f"{value:.4f}", *([str(int(abs(n - SPIKE) <= 3))] if label else [])]))
    return "\n".join(lines) + "\n"


def make(tmp_path: Path, text: str, **options: Any) -> Task:
    (tmp_path / "a.csv").write_text(text)
    return TASKS["anomalies"](**{"train": str(tmp_path / "a.csv"), "learning_share": 0.5, "window": 24, **options})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anomalies")
    (folder / "loads.csv").write_text(table())
    done = launch(
        "compare", "--config=configs/applications/anomalies.py", f"--config.task.train={folder / 'loads.csv'}",
        *SMALL, f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_trains_and_reports(run: Path) -> None:
    found = records.read(run / records.FILE_NAME)
    best = {result.cell: result.test_metric for result in found.results}
    assert best["gru"] is not None and best["gru"] > 90
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Surprise at loads" in page and "repeat the last value" in page


def test_it_finds_the_anomaly_of_another_table(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(table(label=False))
    done = launch(
        "predict", f"--workdir={run}", f"--input={tmp_path / 'new.csv'}", f"--output={tmp_path / 'out'}", "--json"
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line)["answer"] for line in done.stdout.splitlines()]
    assert len(answers) == 2
    for answer in answers:
        assert SPIKE + 1 in [one["row"] for one in answer["anomalies"]]
        assert answer["threshold"] == 5 and answer["first"] == ROWS // 2 + 1
        assert {len(answer[name]) for name in ("expected", "deviation", "surprise")} == {ROWS - 1}
    with open(tmp_path / "out" / "1-gru-seed-0.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ROWS and rows[0]["time"] == "2024-01-01 00:00:00" and rows[0]["expected"] == ""
    assert [n + 1 for n, row in enumerate(rows) if row["anomaly"] == "1"] == [
        one["row"] for one in answers[0]["anomalies"]
    ]
    assert (tmp_path / "out" / "1-rnn-seed-0.png").read_bytes().startswith(b"\x89PNG")
    shown = launch("predict", f"--workdir={run}", f"--input={tmp_path / 'new.csv'}", "--cell=gru")
    assert f"row {SPIKE + 1} (" in shown.stdout


def test_point_by_point_it_forecasts_what_it_forecasts_at_once(run: Path) -> None:
    loaded = runs.load(run)
    model: Any = loaded.model("gru")
    params = loaded.parameters("gru", 0)
    inputs = np.random.default_rng(0).normal(size=(3, 20, 5)).astype(np.float32)
    whole = model.apply(params, {"inputs": inputs})
    carry, outputs = model.stack.initial_carry(params["stack"], (3,)), []
    for t in range(20):
        carry, h = model.stack.step(params["stack"], carry, inputs[:, t])
        outputs.append(model.readout.apply(params["readout"], h, h[:, None])[:, 0])
    np.testing.assert_allclose(np.stack(outputs, 1), whole, atol=1e-5)


def test_the_sets_and_what_counts_in_them(tmp_path: Path) -> None:
    task = make(tmp_path, table())
    sets = task.data.load(None)  # pyright: ignore[reportArgumentType]
    assert sets["train"]["points"].shape == (73, 24, 5)  # windows begin at every one of 96 points
    assert (sets["validation"]["start"], sets["validation"]["stop"]) == ([96], [120])
    assert (sets["test"]["start"], sets["test"]["stop"]) == ([120], [240])
    values = np.array([float(line.split(",")[1]) for line in table().splitlines()[1:]])
    known = values[:120]
    np.testing.assert_allclose(sets["test"]["points"][0, :, 0], (values - known.mean()) / known.std(), rtol=1e-4)
    hours = np.arange(240) / 24 * 2 * np.pi
    np.testing.assert_allclose(sets["test"]["points"][0, :, 1], np.sin(hours), atol=1e-5)
    np.testing.assert_allclose(sets["test"]["points"][0, :, 4], np.cos(hours / 7 + _monday()), atol=1e-5)
    batch = task.data.prepare({name: jnp.asarray(a) for name, a in sets["test"].items()})  # type: ignore[union-attr]
    outputs = np.zeros((1, 239, 2), np.float32)
    _, weights = metrics.loss(jnp.asarray(outputs), batch)
    assert weights.tolist() == [120]  # the points 120 to 239, each forecast from the one before


def _monday() -> float:
    """The angle of the week at 2024-01-01, a Monday: weeks count from a Thursday, 1970-01-01."""
    return 2 * np.pi * 4 / 7


def test_the_loss_is_a_density_with_the_derivatives_of_finite_differences() -> None:
    grid = np.linspace(-60, 60, 240_001)
    total = np.exp(-(metrics.huber(grid) + metrics.LOG_TOTAL)).sum() * (grid[1] - grid[0])
    assert total == pytest.approx(1, abs=1e-6)
    batch = {
        "inputs": jnp.zeros((1, 4, 1)), "targets": jnp.array([[0.3, -5.0, 2.0, 9.0]]), "start": jnp.array([1]),
        "stop": jnp.array([4]),
    }  # fmt: skip
    outputs = jnp.array(np.random.default_rng(0).normal(size=(1, 4, 2)).astype(np.float32))

    def value(outputs: Any) -> Any:
        return metrics.loss(outputs, batch)[0].sum()

    found = np.asarray(jax.grad(value)(outputs))
    for t, c in np.ndindex(4, 2):
        step = np.zeros((1, 4, 2), np.float32)
        step[0, t, c] = 1e-2
        assert found[0, t, c] == pytest.approx(float(value(outputs + step) - value(outputs - step)) / 2e-2, abs=2e-3)
    assert (found[0, 3] == 0).all()  # behind the end


def test_without_labels_the_metric_is_the_loss(tmp_path: Path) -> None:
    task = make(tmp_path, table(label=False))
    assert task.metric == "loss" and set(task.metrics) == {"loss"}
    assert "no column of labels" in task.warnings[1]
    assert set(task.trivial) == {"repeat the last value", "mean of the learning part"}
    assert task.trivial["repeat the last value"] < task.trivial["mean of the learning part"]


def test_a_constant_series_and_one_without_times(tmp_path: Path) -> None:
    rows = "\n".join(["load", *["5.0"] * 60])
    task = make(tmp_path, rows, window=10)
    assert "constant" in task.warnings[-1]
    encoded = task.encode(np.array([5.0] * 40 + [7.0]))
    assert encoded["inputs"].shape == (40, 1) and encoded["inputs"].sum() == 0 and encoded["targets"][-1] == 2
    assert threshold(1e-5) == pytest.approx(5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "time,load\n2024-01-01,1\n2024-01-02,two\n2024-01-03,3\n",
            r"a.csv:3: load='two' must be a number$",
            marks=fault("file contents", "a series of anomalies with a word"),
        ),
        pytest.param(
            "time,load\n2024-01-01,1\n2024-01-02,nan\n2024-01-03,3\n",
            r"a.csv:3: load='nan' must be finite$",
            marks=fault("file contents", "a series of anomalies with NaN"),
        ),
        pytest.param(
            "time,load\n2024-01-02,1\n2024-01-01,2\n",
            r"a.csv:3: time='2024-01-01' is before the time of the row above: sort the rows by time$",
            marks=fault("file contents", "a series of anomalies out of order"),
        ),
        pytest.param(
            "load,label\n1,0\n2,yes\n3,0\n",
            r"a.csv:3: label='yes' must be a number$",
            marks=fault("file contents", "a label of an anomaly that is a word"),
        ),
        pytest.param(
            "load,label\n1,0\n2,2\n3,0\n",
            r"a.csv:3: label='2' must be 1 for an anomalous point, or 0$",
            marks=fault("file contents", "a label of an anomaly other than 0 and 1"),
        ),
        pytest.param(
            "load,rain\n1,0\n2,2\n",
            r"a.csv: has the columns load, rain: name the one to watch with task.value$",
            marks=fault("file contents", "two series where one is watched for anomalies"),
        ),
        pytest.param(
            "time,name\n2024-01-01,a\n2024-01-02,b\n",
            r"a.csv: has no column of numbers, only time, name$",
            marks=fault("file contents", "no series to watch for anomalies"),
        ),
        pytest.param(
            "load\n" + "1\n" * 30,
            r"a: has 30 points, of which 15 are for learning, and 20 are needed there: choose a larger learning_share$",
            marks=fault("file contents", "a series too short to learn anomalies"),
        ),
        ("load\n1,2\n", r"a.csv:2: has 2 cells, and the header has 1 \(load\)$"),
        ("load\n", r"a.csv: has a header and no rows$"),
    ],
)
def test_a_fault_in_a_table_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says) as caught:
        make(tmp_path, text)
    seen(caught)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"learning_share": 1.0}, r"learning_share=1.0 must be above 0 and below 1"),
        ({"tail": 0.0}, r"tail=0.0 must be above 0 and below 1"),
        ({"window": 1}, r"window=1 must be at least 2"),
        ({"quiet": -1.0}, r"quiet=-1.0 must be 0 or more, and finite"),
        ({"train": "x.txt"}, r"train='x.txt': no such file"),
        ({"train": "", "value": "load"}, r"value='load' goes with train, a file of yours"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        make(tmp_path, table(), **options)


def test_inputs_that_it_cannot_watch(run: Path) -> None:
    loaded = runs.load(run)
    with pytest.raises(UserError, match="input 1: the run was trained with times: give a table with a column of times"):
        predict(loaded, [np.zeros(100)])
    encode = loaded.task.encode
    with pytest.raises(TypeError, match="the series must be numbers"):
        encode(np.array(["a"]))
    with pytest.raises(ValueError, match="point 2 is nan, and must be finite"):
        encode(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"a series of shape \[2, 2\] must be numbers \[N\]"):
        encode(np.ones((2, 2)))
