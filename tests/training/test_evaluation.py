"""Evaluation: every metric of every set, for any division over batches and devices, and the stored test outputs."""

import dataclasses
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.text import Text

from gru_research import records, report, stats
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.metrics import Collected, mean, ratio
from gru_research.report import captions, drawing, figures, results, run_notes, run_tables
from gru_research.spec import Spec
from gru_research.tasks import Generated, Task
from gru_research.training import Plan, make_plan, predictions, scoring
from gru_research.training.evaluation import evaluate
from gru_research.training.state import init_state
from tests.training import toy

SEEDS, EXAMPLES, UPDATES = (0, 1, 2), 7, 4
BATCH = 3
"""The batch size doesn't divide the examples: a set's last batch contains two copies."""
ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Line:
    """A model with one number w. The output is w times the last input."""

    def init(self, key: Any, example: Any) -> dict[str, Any]:
        return toy.Counter().init(key, example)

    def apply(self, params: Mapping[str, Any], batch: Mapping[str, Any], key: Any = None) -> Any:
        del key
        return params["w"] * batch["inputs"][:, -1]


def sets(key: Any, size: int) -> dict[str, Any]:
    """Returns inputs 1, 2, 3, ... and random targets, of which the third is 0."""
    xs = jnp.broadcast_to(1.0 + jnp.arange(size)[:, None, None], (size, toy.STEPS, 1))
    targets = jax.random.uniform(key, (size,), minval=1.0, maxval=20.0)
    return {"inputs": xs, "targets": jnp.where(jnp.arange(size) == 2, 0.0, targets)}


def slope(outputs: Any, batch: Any) -> Any:
    """Returns the loss -w and weight 1. Its gradient is -1, so w grows by the learning rate."""
    return -outputs[:, 0] / batch["inputs"][:, -1, 0], jnp.ones(len(outputs))


def off_goal(outputs: Any, batch: Any) -> Any:
    loss, ones = slope(outputs, batch)
    return jnp.abs(-loss - toy.GOAL), ones


def off_target(outputs: Any, batch: Any) -> Any:
    return jnp.abs(outputs[:, 0] - batch["targets"]), batch["targets"]


def gained(outputs: Any, batch: Any) -> Any:
    """Returns w, weighted by the example's number."""
    return -slope(outputs, batch)[0], batch["inputs"][:, -1, 0]


MEDIAN = Collected(
    lambda outputs, batch: {"error": off_target(outputs, batch)[0]},
    lambda kept: float(np.median(kept["error"])),
    "min",
    signature="numpy.median",
)
METRICS = {
    "distance": mean(off_goal, "min"),
    "gain": mean(gained, "max"),
    "relative": ratio(off_target, "min"),
    "median": MEDIAN,
}


def task(**fields: Any) -> Task:
    known: dict[str, Any] = {
        "name": "line",
        "data": Generated(sets, EXAMPLES, EXAMPLES),
        "spec": Spec({"inputs": jax.ShapeDtypeStruct((toy.STEPS, 1), jnp.float32)}, 1, "last"),
        "loss": slope,
        "metrics": METRICS,
        "metric": "median",
    }
    return Task(**known | fields)


def plan(made: Task, **fields: Any) -> Plan:
    config = toy.CONFIG | {"updates": UPDATES, "eval_every": 2, "seeds": len(SEEDS)} | fields
    of = make_plan(experiment(config))
    cells = tuple(dataclasses.replace(cell, model=Line()) for cell in of.cells)  # pyright: ignore
    return dataclasses.replace(of, task=made, cells=cells)


def expected(split: str, seed: int, step: int) -> dict[str, float]:
    """Computes every metric with NumPy over the whole set at once."""
    data = task().data.load(DataDirs())[split]
    w, x, target = toy.start(seed) + step, data["inputs"][:, -1, 0].astype(float), data["targets"].astype(float)
    error = np.abs(w * x - target)
    return {
        "loss": -w,
        "distance": abs(w - toy.GOAL),
        "gain": w,
        "relative": error.sum() / target.sum(),
        "median": float(np.median(error)),
    }


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "EVALUATION_BATCH", BATCH)


@pytest.fixture
def run(small_batches: None, tmp_path: Path) -> records.Run:
    del small_batches
    return toy.run(plan(task()), tmp_path / "run")


def test_all_metrics_are_recorded_at_every_evaluation_and_on_test(run: records.Run) -> None:
    assert len(run.evaluations) == len(SEEDS) * 3
    for evaluation in run.evaluations:
        wanted = expected("validation", evaluation.seed, evaluation.step)
        assert evaluation.metrics == pytest.approx(wanted, rel=1e-6)
        assert evaluation.validation_metric == evaluation.metrics["median"]
        assert evaluation.validation_loss == evaluation.metrics["loss"]
    for result in run.results:
        assert result.test_metrics == pytest.approx(expected("test", result.seed, UPDATES), rel=1e-6)
        assert result.test_metric == result.test_metrics["median"]
        assert result.test_loss == result.test_metrics["loss"]
    named = run.header.task
    assert named["directions"] == {"loss": "min", "distance": "min", "gain": "max", "relative": "min", "median": "min"}
    assert named["signatures"] == {"median": "numpy.median"}


def test_what_was_kept_of_the_test_set_gives_its_metrics_again(run: records.Run, tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    seeds, kept = predictions.load_test(workdir, "toy")
    assert seeds == SEEDS and kept.keys() == {"loss", *METRICS, "predictions"}
    test = task().data.load(DataDirs())["test"]
    for s, seed in enumerate(SEEDS):
        outputs = (toy.start(seed) + UPDATES) * test["inputs"][:, -1]
        np.testing.assert_allclose(kept["predictions"]["outputs"][s], outputs, rtol=1e-6)
    found = predictions.recompute(task().metrics, workdir, "toy")
    for result in run.results:
        each = {name: float(values[result.seed]) for name, values in found.items()}
        assert each == pytest.approx(result.test_metrics, rel=1e-6)
    # A metric that the run didn't have reads what was kept as its prediction.
    largest = Collected(lambda outputs, batch: {}, lambda parts: float(parts["outputs"].max()), "max")
    np.testing.assert_allclose(
        predictions.compute(largest, kept["predictions"]),
        [7 * (toy.start(seed) + UPDATES) for seed in SEEDS],
        rtol=1e-6,
    )


DEVICES = """
import json, sys
from pathlib import Path
import jax
jax.config.update("jax_num_cpu_devices", 2)
from gru_research.training import predictions, scoring
from tests.training import test_evaluation as here, toy
assert jax.device_count() == 2
scoring.EVALUATION_BATCH = here.BATCH
found = {}
for parts in (1, 2):
    workdir = Path(sys.argv[1]) / str(parts)
    run = toy.run(here.plan(here.task(), data_parallel=parts, batch_size=2), workdir)
    again = predictions.recompute(here.task().metrics, workdir, "toy")
    kept = predictions.load_test(workdir, "toy")[1]
    found[parts] = {
        "evaluations": [[e.seed, e.step, e.metrics] for e in run.evaluations],
        "results": [[r.seed, r.test_metrics] for r in run.results],
        "again": {name: values.tolist() for name, values in again.items()},
        "shapes": [list(a.shape) for arrays in kept.values() for a in arrays.values()],
    }
print(json.dumps(found))
"""


@pytest.mark.processes
def test_seeds_on_two_devices_and_batches_divided_over_two_give_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEVICES, str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for found in json.loads(done.stdout).values():
        assert len(found["evaluations"]) == 9 and [seed for seed, _ in found["results"]] == list(SEEDS)
        for seed, step, metrics in found["evaluations"]:
            assert metrics == pytest.approx(expected("validation", seed, step), rel=1e-6)
        for seed, metrics in found["results"]:
            assert metrics == pytest.approx(expected("test", seed, UPDATES), rel=1e-6)
            assert {name: found["again"][name][seed] for name in metrics} == pytest.approx(metrics, rel=1e-6)
        assert all(shape[:2] == [len(SEEDS), EXAMPLES] for shape in found["shapes"])


def test_an_example_that_is_copied_counts_once_even_if_it_is_nan(small_batches: None, tmp_path: Path) -> None:
    def first_is_nan(key: Any, size: int) -> dict[str, Any]:
        batch = sets(key, size)
        return batch | {"targets": batch["targets"].at[0].set(jnp.nan)}

    def missing(outputs: Any, batch: Any) -> Any:
        return jnp.isnan(batch["targets"]).astype(jnp.float32), jnp.ones(len(outputs))

    kept = Collected(
        lambda outputs, batch: {"target": batch["targets"]}, lambda kept: float(np.isnan(kept["target"]).sum()), "min"
    )
    metrics = {"share": mean(missing, "min"), "ratio": ratio(missing, "min"), "number": kept}
    made = task(data=Generated(first_is_nan, EXAMPLES, EXAMPLES), metrics=metrics, metric="share")
    for result in toy.run(plan(made), tmp_path / "run").results:
        assert result.test_metrics["share"] == pytest.approx(1 / EXAMPLES, rel=1e-6)
        assert result.test_metrics["ratio"] == pytest.approx(1 / EXAMPLES, rel=1e-6)
        assert result.test_metrics["number"] == 1


def test_what_does_not_count_reaches_no_sum_not_even_as_nan() -> None:
    class NoOptimizer:
        def __call__(self, scalars: Any) -> Any:
            return dataclasses.make_dataclass("None", [], namespace={"init": lambda self, params: ()})()

    state = init_state(Line(), NoOptimizer(), {}, jnp.uint32(0), {}, jnp.bool_(True))  # type: ignore[arg-type]
    batch = sets(jax.random.key(0), 3)
    spoilt = batch | {"targets": batch["targets"].at[1].set(jnp.nan), "inputs": batch["inputs"].at[1].set(jnp.nan)}
    counted = jnp.array([True, False, True])
    found = evaluate(Line(), task(), tuple(task().metrics), None, state, spoilt, counted).sums
    whole = evaluate(Line(), task(), tuple(task().metrics), None, state, batch, counted).sums
    jax.tree.map(np.testing.assert_array_equal, found, whole)
    assert float(found["gain"]["weight"]) == 1 + 3 and float(found["relative"]["below"]) == batch["targets"][0]


TWO = {"metric": "gain", "validation_metric": "distance", "threshold": 1.25}
"""The test metric is w. The validation metric is the distance of w from the goal."""


def best_step(seed: int, last: int) -> int:
    return min(range(0, last + 1, 2), key=lambda step: abs(toy.start(seed) + step - toy.GOAL))


def test_the_validation_metric_selects_and_solves_and_the_metric_is_compared(tmp_path: Path) -> None:
    made = plan(task(**TWO, trivial={"one": 1.0}), updates=12, select="best", patience=2)
    run = toy.run(made, tmp_path / "run")
    assert {e.validation_metric == e.metrics["distance"] for e in run.evaluations} == {True}
    for seed, result in zip(SEEDS, run.results, strict=True):
        step = best_step(seed, 12)
        assert result.selected_step == step and result.updates == min(step + 4, 12)
        assert result.validation_metric == pytest.approx(abs(toy.start(seed) + step - toy.GOAL), rel=1e-5)
        assert result.test_metric == pytest.approx(toy.start(seed) + step, rel=1e-6)
        close = [abs(toy.start(seed) + s - toy.GOAL) < 1.25 for s in range(0, result.updates + 1, 2)]
        solved = [2 * i for i in range(len(close) - 1) if close[i] and close[i + 1]]
        assert result.steps_to_solve == (solved[0] if solved else None)
    (collected,) = results.collect(run)
    assert collected.task.on_test().threshold is None and collected.task.direction == "max"
    assert collected.task.on_validation().trivial == {} and collected.task.on_validation().direction == "min"
    (cell,) = collected.cells
    np.testing.assert_allclose(cell.curve.values[0], [abs(toy.start(seed) - toy.GOAL) for seed in SEEDS], rtol=1e-6)
    line = run_notes.reference(collected.task)
    assert captions.curves(collected).startswith("Validation distance: ")
    assert "Baseline (one): gain 1." in line and "a validation distance below 1.25" in line
    header, row = (tmp_path / "run" / "summary.csv", report.write(tmp_path / "run"))[0].read_text().splitlines()
    summary = dict(zip(header.split(","), row.split(","), strict=True))
    middle = stats.iqm(np.array([toy.start(seed) + best_step(seed, 12) for seed in SEEDS]))
    assert summary["metric"] == "gain" and float(summary["iqm"]) == pytest.approx(middle, rel=1e-6)


@pytest.mark.parametrize("validation_metric", ["distance", "gain"])
def test_the_validation_metric_tunes(validation_metric: str, tmp_path: Path) -> None:
    """Tuning by distance chooses a rate that ends near the goal; tuning by gain chooses the largest rate."""
    tune = {"draws": 3, "learning_rate": (0.1, 80.0), "first_seed": 50, "updates": 2}
    made = task(metric="median", validation_metric=validation_metric)
    run = toy.run(plan(made, tune=tune, seeds=1, eval_every=1), tmp_path / "run")
    rates = [draw.values["learning_rate"] for draw in run.draws]
    ends = [toy.start(50) + 2 * rate for rate in rates]
    by_distance = min(range(3), key=lambda i: abs(ends[i] - toy.GOAL))
    assert by_distance != int(np.argmax(rates))
    wanted = rates[by_distance] if validation_metric == "distance" else max(rates)
    assert run.cells[0].learning_rate == wanted


def test_a_task_without_a_threshold_solves_nothing_and_its_report_says_nothing_of_it(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    run = toy.run(plan(task()), workdir)
    assert run.header.task["threshold"] is None and run.header.task["trivial"] == {}
    assert [result.steps_to_solve for result in run.results] == [None] * 3
    paths = report.write(workdir)
    header, row = paths.summary.read_text().splitlines()
    summary = dict(zip(header.split(","), row.split(","), strict=True))
    empty = ("solved_seeds", "steps_to_solve", "seconds_to_solve", "restricted_mean_steps", "restricted_to")
    assert [summary[name] for name in empty] == [""] * 5 and float(summary["iqm"]) > 0
    (collected,) = results.collect(run)
    for table in (run_tables.summary_table(collected), run_tables.seeds_table(collected)):
        assert not [heading for heading in table.headings if "solve" in heading]
        assert {len(texts) for texts in table.rows} == {len(table.headings)}
    assert run_tables.solving_table(collected) is None
    page = paths.page.read_text()
    assert "states no trivial answer and no threshold" in page and "steps to solve" not in page
    assert "steps_to_solve.png" not in [path.name for path in paths.figures]


def test_every_trivial_answer_is_in_the_table_the_figure_and_the_words(tmp_path: Path) -> None:
    trivial = {"the median target": 2.5, "nothing": 11.0}
    run = toy.run(plan(task(trivial=trivial)), tmp_path / "run")
    assert run.header.task["trivial"] == trivial and task(trivial=trivial).baseline == 2.5
    (collected,) = results.collect(run)
    rows = run_tables.summary_table(collected, trivial=True).rows
    assert [[row[0], row[3]] for row in rows[1:]] == [["the median target", "2.5"], ["nothing", "11"]]
    assert "Trivial answers, median: the median target 2.5; nothing 11." in run_notes.reference(collected.task)
    (made,) = (made for made in figures.figures(collected) if made.name == "test_metric")
    labels = " ".join(text.get_text() for text in drawing.draw(made).findobj(Text))
    assert "the median target (2.5)" in labels and "nothing (11)" in labels


@dataclasses.dataclass(frozen=True)
class Coarse(Line):
    """A `Line` whose outputs have 8 bits of precision."""

    def apply(self, params: Mapping[str, Any], batch: Mapping[str, Any], key: Any = None) -> Any:
        return super().apply(params, batch, key).astype(jnp.bfloat16)


def test_16_bit_outputs_are_summed_in_float32_and_kept(small_batches: None, tmp_path: Path) -> None:
    def value(outputs: Any, batch: Any) -> Any:
        return outputs[:, 0], jnp.ones(len(outputs), jnp.bfloat16)

    made = plan(task(metrics={"value": mean(value, "max")}, metric="value", loss=value))
    made = dataclasses.replace(made, cells=tuple(dataclasses.replace(cell, model=Coarse()) for cell in made.cells))
    run = toy.run(made, tmp_path / "run")
    _, kept = predictions.load_test(tmp_path / "run", "toy")
    outputs = kept["predictions"]["outputs"]
    assert outputs.dtype == np.float32 and kept["value"]["sum"].dtype == np.float32
    for result, of_seed in zip(run.results, outputs, strict=True):
        # Exactly the mean of 7 coarse numbers, which isn't coarse itself.
        mean_of_all = of_seed.astype(np.float64).mean()
        assert result.test_metric == pytest.approx(mean_of_all, rel=1e-7)
    assert any(float(jnp.bfloat16(r.test_metric)) != pytest.approx(r.test_metric, rel=1e-4) for r in run.results)


def test_where_nothing_counts_a_mean_and_a_ratio_are_null_without_a_warning(tmp_path: Path) -> None:
    def nothing(outputs: Any, batch: Any) -> Any:
        return jnp.ones(len(outputs)), jnp.zeros(len(outputs))

    metrics = {**METRICS, "none": mean(nothing, "min"), "all": ratio(nothing, "min")}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        run = toy.run(plan(task(metrics=metrics)), tmp_path / "run")
    for line in (*(r.test_metrics for r in run.results), *(e.metrics for e in run.evaluations)):
        assert line["none"] is None and line["all"] is None and line["median"] > 0
    assert "none" in report.write(tmp_path / "run").page.read_text()


@pytest.mark.parametrize("name", ["predictions", "per/word", ""])
def test_names_that_test_arrays_could_not_tell_apart_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^metrics: the name '.*' must be other than 'predictions', and without '/'$"):
        task(metrics={**METRICS, name: MEDIAN})
