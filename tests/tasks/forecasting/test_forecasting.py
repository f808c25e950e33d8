"""Forecasting: trivial answers on ETT, metrics against NumPy, both models, and tables of one's own."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gru_research as gr
from gru_research import runs
from gru_research.config import UserError
from gru_research.data import DataDirs
from gru_research.models import one_step, segrnn
from gru_research.runs.predict import predict
from gru_research.tasks import TASKS, Task
from gru_research.tasks.forecasting import metrics
from tests.faults import fault, seen
from tests.runs.small import trained

# MSE and MAE at horizon 96 on 2,785 test windows, as they were computed once from the raw files by other code.
KNOWN = {
    "etth1": {
        "repeat the last value": (1.294, 0.713),
        "seasonal naive (24)": (0.512, 0.433),
        "mean of 7 seasons (24)": (0.400, 0.400),
    },
    "etth2": {
        "repeat the last value": (0.432, 0.422),
        "seasonal naive (24)": (0.391, 0.380),
        "mean of 7 seasons (24)": (0.350, 0.378),
    },
}
CELL = gr.GRU(hidden_size=6)


@pytest.mark.processes
@pytest.mark.parametrize("name", KNOWN)
def test_trivial_answers_prove_the_protocol(name: str, ett_data_dir: str) -> None:
    task = TASKS["forecasting"](dataset=name, dirs=DataDirs(ett_data_dir))
    assert task.application is not None
    found = {
        answer: (round(task.trivial[answer], 3), round(task.application.trivial_metrics[answer]["mae"], 3))
        for answer in KNOWN[name]
    }
    assert found == KNOWN[name]
    ridge = task.trivial["ridge regression (NLinear)"]
    assert ridge < min(value for answer, value in task.trivial.items() if answer != "ridge regression (NLinear)")
    sets = task.data.load(DataDirs(ett_data_dir))
    assert len(sets["test"]["windows"]) == 2785 and len(sets["validation"]["windows"]) == 2785


def series(rows: int = 80, gaps: bool = False) -> str:
    steps = np.arange(rows)
    lines = [f"2024-01-{1 + n // 24:02d} {n % 24:02d}:00,{np.sin(n / 3):.4f},{n / 10 + 3:.4f}" for n in steps]
    if gaps:
        lines[5] = lines[5].rpartition(",")[0] + ","
        lines[60] = lines[60].rpartition(",")[0] + ",nan"
    return "\n".join(["time,wave,line", *lines]) + "\n"


def own(path: Path, text: str = "", **options: Any) -> Task:
    (path / "own.csv").write_text(text or series())
    small = {"look_back": 12, "horizon": 4, "season": 6, "quantiles": (0.1, 0.5, 0.9)}
    return TASKS["forecasting"](train=str(path / "own.csv"), **{**small, **options})


def batch_of(task: Task, rows: int = 3) -> Any:
    sets = task.data.load(DataDirs())
    return task.prepare({name: jnp.asarray(a[:rows]) for name, a in sets["test"].items()})


def test_metrics_are_numpy_s(tmp_path: Path) -> None:
    task = own(tmp_path)
    batch = batch_of(task)
    outputs = jax.random.normal(jax.random.key(0), (3, 4, 2, 3))
    y, f = np.asarray(batch["targets"], np.float64), np.asarray(outputs, np.float64)
    error = y[..., None] - f
    levels = np.array([0.1, 0.5, 0.9])
    wanted = {
        "mse": np.square(error[..., 1]).mean(),
        "mae": np.abs(error[..., 1]).mean(),
        "crps": 2 * np.maximum(levels * error, (levels - 1) * error).mean(),
        "coverage_80": ((f.min(-1) <= y) & (y <= f.max(-1))).mean(),
        "mse_series_2": np.square(error[:, :, 1, 1]).mean(),
    }
    for name, value in wanted.items():
        metric: Any = task.metrics[name]
        sums = {part: np.asarray(a, np.float64).sum() for part, a in metric.statistics(outputs, batch).items()}
        np.testing.assert_allclose(metric.finish(sums), value, rtol=1e-5, err_msg=name)
    assert metrics.mase_scales(np.array([[0.0], [1.0], [5.0]]), 1) == [2.5]


@pytest.mark.parametrize("masked", [False, True])
def test_segments_read_one_by_one_forecast_what_the_whole_look_back_does(masked: bool, tmp_path: Path) -> None:
    task = own(tmp_path, series(gaps=True) if masked else "", missing="carry" if masked else "refuse")
    model = segrnn(task.spec, CELL, segment=4)
    batch = {name: a for name, a in batch_of(task).items() if name in ("inputs", "observed")}
    params = model.init(jax.random.key(1), task.spec.example)
    whole = jax.jit(model.apply)(params, batch)
    assert whole.shape == (3, 4, 2, 3) and np.isfinite(whole).all()
    streamed = jax.jit(lambda params, batch: model.forecast(params, model.start(params, batch)))(params, batch)
    np.testing.assert_allclose(streamed, whole, rtol=1e-5, atol=1e-6)


def test_one_step_at_a_time_forecasts_what_the_whole_look_back_does(tmp_path: Path) -> None:
    task = own(tmp_path)
    model = one_step(task.spec, CELL)
    params = model.init(jax.random.key(1), task.spec.example)
    inputs = batch_of(task)["inputs"]
    whole = jax.jit(model.apply)(params, {"inputs": inputs})
    state, forecast = jax.jit(model.start)(params, {"inputs": inputs[:, :8]})
    step = jax.jit(model.step)
    for t in range(8, 12):
        state, forecast = step(params, state, inputs[:, t])
    for t in range(task.spec.example["targets"].shape[0]):
        np.testing.assert_allclose(forecast, whole[:, t], rtol=1e-5, atol=1e-5)
        state, forecast = step(params, state, forecast[..., 1])


def test_missing_values_reach_nothing(tmp_path: Path) -> None:
    task = own(tmp_path, series(gaps=True), missing="carry")
    model = segrnn(task.spec, CELL, segment=4)
    params = model.init(jax.random.key(1), task.spec.example)
    sets = task.data.load(DataDirs())
    assert np.isnan(sets["train"]["windows"][:10]).any()
    batch = task.prepare({"windows": jnp.asarray(sets["train"]["windows"][:10])})

    def total(params: Any) -> Any:
        values, weights = task.loss(model.apply(params, batch), batch)
        return (values * weights).sum()

    gradient = jax.jit(jax.grad(total))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_run_on_a_table_of_one_s_own_forecasts_the_steps_after_its_end(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(series())
    task = {"name": "forecasting", "train": str(tmp_path / "own.csv"), "look_back": 12, "horizon": 4, "season": 6}
    folder = trained(tmp_path / "run", task, model={"kind": "segrnn", "segment": 4}, only="gru")
    run = runs.load(folder)
    (found,) = predict(run, [np.stack([np.sin(np.arange(30) / 3), np.arange(30) / 10], 1)], "gru", 0)
    assert set(found.answer) == {"wave", "line"} and len(found.answer["wave"]["forecast"]) == 4
    assert all(low <= high for low, high in zip(found.answer["line"]["low"], found.answer["line"]["high"], strict=True))
    assert (folder / "arrays" / "examples-gru.npz").exists()


@fault(
    "file contents", "a series with a missing value", "a series with too few rows for its horizon",
    "a series whose column is constant text", "a series without a column that is named", "an empty table of a series",
    "a table of a series with a heading only", "a row of a series with too few cells",
)  # fmt: skip
def test_a_table_that_can_not_be_read_is_one_line(tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        (series(gaps=True), {}, r"own.csv:7: line='' is missing: fill it in, or let missing='carry' mask it"),
        (series(20), {}, r"own.csv: .* rows, too few for horizon=4 after look_back=12"),
        (series().replace(",3.0000\n", ",many\n", 1), {}, r"own.csv:2: line='many' must be a number"),
        (series(), {"columns": "waves"}, "columns='waves' is unknown"),
        ("\n", {}, r"own.csv: is empty|own.csv"),
        ("time,wave\n", {}, r"own.csv"),
        (series().replace("2024-01-01 03:00,", "", 1), {}, r"own.csv:5: "),
    ]
    for text, options, says in cases:
        with pytest.raises(UserError, match=says) as caught:
            own(tmp_path, text, **options)
        assert "\n" not in str(caught.value)
        seen(caught)
