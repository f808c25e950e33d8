"""The report of synthetic runs, through `report.write` and `report.print_table`."""

import base64
import csv
import dataclasses
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gru_research import records, report, stats
from gru_research.report import results, run_tables, summary
from tests.faults import fault, seen
from tests.report.synthetic import Cell, Page, falling, read_csv, table_text, two_cells, write_run

COLUMNS = (
    "task cell parameters seeds metric iqm ci_low ci_high solved_seeds steps_to_solve ms_per_step "
    "hidden_size learning_rate diverged_seeds compile_seconds updates flops tuned seconds_to_solve "
    "restricted_mean_steps restricted_mean_low restricted_mean_high restricted_to mean standard_deviation"
).split()


def csv_rows(run: records.Run) -> list[dict[str, str]]:
    """Returns the contents of `summary.csv` without drawing figures, which takes most of the time."""
    return list(csv.DictReader(io.StringIO(summary.to_csv(summary.summarize(run)))))


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> report.ReportPaths:
    """The report of a finished run of two cells with five seeds. Read-only."""
    workdir = tmp_path_factory.mktemp("usual")
    write_run(workdir, two_cells(5))
    return report.write(workdir)


def test_summary_csv_has_the_hand_computed_numbers(usual):
    assert usual.summary.name == "summary.csv"
    assert usual.summary.read_text().splitlines()[0].split(",") == COLUMNS
    gru, rnn = read_csv(usual.summary)
    assert (gru["task"], gru["cell"], gru["parameters"], gru["seeds"], gru["metric"]) == (
        "adding", "GRU", "1000", "5", "MSE",
    )  # fmt: skip
    assert float(gru["iqm"]) == pytest.approx(0.003)  # the middle three of 0.001 ... 0.005
    low, high = stats.iqm_interval([0.001, 0.002, 0.003, 0.004, 0.005])
    assert (float(gru["ci_low"]), float(gru["ci_high"])) == (pytest.approx(low), pytest.approx(high))
    # falling(0) is 0.2 / 2^i: below 0.01 at i = 5. falling(4) has the exponent 0.84 i: at i = 6.
    assert (gru["solved_seeds"], gru["steps_to_solve"]) == ("5", "500")
    assert float(gru["ms_per_step"]) == pytest.approx(4.0)  # the mean of 2 ... 6
    assert (gru["hidden_size"], gru["learning_rate"], gru["diverged_seeds"], gru["compile_seconds"]) == (
        "16", "0.003", "0", "1.25",
    )  # fmt: skip
    assert (rnn["solved_seeds"], rnn["steps_to_solve"]) == ("0", "")


def test_summary_csv_ends_with_the_times_to_solve(usual):
    gru, rnn = read_csv(usual.summary)
    assert (gru["updates"], gru["flops"], gru["tuned"], gru["restricted_to"]) == ("1200", "12345", "false", "1200")
    # Seeds 0 and 1 are below 0.01 at i = 5, as 0.96 * 5 > log2(20) = 4.32; seed 2 too: 0.92 * 5; 3: 0.88 * 5; not 4.
    assert gru["restricted_mean_steps"] == "520"
    low, high = float(gru["restricted_mean_low"]), float(gru["restricted_mean_high"])
    assert 500 <= low < 520 < high <= 600
    # Seeds take 2 to 6 ms a step: 500 steps of seeds 0 to 3, 600 of seed 4: 1, 1.5, 2, 2.5 and 3.6 seconds.
    assert float(gru["seconds_to_solve"]) == pytest.approx(2.0)
    # And with the mean and the deviation over 0.001 ... 0.005.
    assert float(gru["mean"]) == pytest.approx(0.003)
    assert float(gru["standard_deviation"]) == pytest.approx(math.sqrt(2.5) / 1000)
    # Unsolved, it counts with all that both were given.
    assert (rnn["restricted_mean_steps"], rnn["seconds_to_solve"]) == ("1200", "")


def test_below_five_seeds_there_is_no_interval_and_every_seed_is_shown(tmp_path):
    run = write_run(tmp_path, two_cells(4))
    row = csv_rows(run)[0]
    assert float(row["iqm"]) == pytest.approx(0.0025)  # the middle two of 0.001 ... 0.004
    assert (row["ci_low"], row["ci_high"]) == ("", "")
    text = table_text(run)
    assert "0.001, 0.002, 0.003, 0.004" in text
    assert "With 4 seeds no interval is shown" in text
    assert "about 88 %" in text


@pytest.mark.parametrize(("seeds", "said"), [(5, True), (9, True), (10, False)])
def test_the_true_coverage_is_said_from_five_to_nine_seeds(tmp_path, seeds, said):
    text = table_text(write_run(tmp_path, two_cells(seeds)))
    assert (f"With {seeds} seeds the interval covers less than its nominal 95 %" in text) is said


def test_every_metric_has_its_iqm_its_mean_and_its_deviation(tmp_path):
    run = write_run(tmp_path, {"GRU": two_cells(5)["GRU"]}, directions={"MSE": "min", "F1": "max"})
    F1 = [0.1, 0.2, 0.6, 0.8, 1.0]
    told = [dataclasses.replace(r, test_metrics={"MSE": r.test_metric, "F1": F1[r.seed]}) for r in run.results]
    (task,) = results.collect(dataclasses.replace(run, results=tuple(told)))
    found = run_tables.metrics_table(task)
    assert found is not None
    (row,) = found.rows
    assert found.headings == ("cell", "test MSE (IQM)", "mean \u00b1\u00a0SD", "test F1 (IQM)", "mean \u00b1\u00a0SD")
    mean = 2.7 / 5
    deviation = math.sqrt(sum((value - mean) ** 2 for value in F1) / 4)
    assert row == ("GRU", "0.003", "0.003 \u00b1\u00a00.0016", "0.5333", f"{mean:.3g} \u00b1\u00a0{deviation:.2g}")
    told[2] = dataclasses.replace(told[2], test_metrics={"MSE": 0.003, "F1": None})
    (task,) = results.collect(dataclasses.replace(run, results=tuple(told)))
    found = run_tables.metrics_table(task)
    assert found is not None
    (row,) = found.rows
    assert row[3:] == (f"{(0.1 + 0.2 + 0.8) / 3:.4g}", "not finite")  # it ranks worst, and leaves no mean


def test_the_table_on_a_terminal(tmp_path):
    text = table_text(write_run(tmp_path, two_cells(5)))
    for part in (
        "adding",
        "hidden",
        "params",
        "(IQM)",
        "GRU",
        "1,000",
        "0.003",
        "[0.00",
        "5/5",
        "500",
        "0/5",
        "0.003 \u00b1\u00a00.0016",
    ):
        assert part in text
    assert "Baseline (always predicting 1): MSE 0.167." in text
    assert "validation MSE below 0.01" in text


def test_it_prints_nothing_without_a_console(tmp_path, capfd):
    write_run(tmp_path, {})
    report.write(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_diverged_seed_ranks_worst_and_is_named(tmp_path):
    curves = [falling(s) for s in range(4)] + [[*falling(4)[:4], *[None] * 9]]
    # The last seed diverged: its finite test value, of the state before, must not count.
    cells = {"GRU": Cell(curves, [0.001, 0.002, 0.003, 0.004, 0.0001], diverged={4: 321})}
    run = write_run(tmp_path, cells)
    row = csv_rows(run)[0]
    assert float(row["iqm"]) == pytest.approx(0.003)  # the middle three of 1, 2, 3, 4, inf
    assert row["ci_low"] != ""
    assert row["ci_high"] == ""  # resamples with the seed twice are infinite
    assert (row["diverged_seeds"], row["solved_seeds"]) == ("1", "4")
    assert (row["mean"], row["standard_deviation"]) == ("", "")  # not those of the four others
    text = table_text(run)
    assert "GRU diverged in 1 of 5 seeds (seed 4 at step 321); they rank worst." in text
    assert re.search(r"0\.003 +\[0\.00\d+, not finite\] +not finite", text)


def test_all_diverged(tmp_path):
    cells = {"GRU": Cell([[0.2, None, None]] * 5, [None] * 5, diverged=dict.fromkeys(range(5), 7))}
    run = write_run(tmp_path, cells)
    paths = report.write(tmp_path)
    row = read_csv(paths.summary)[0]
    assert (row["iqm"], row["ci_low"], row["ci_high"], row["steps_to_solve"]) == ("", "", "", "")
    assert row["diverged_seeds"] == "5"
    assert "not finite" in table_text(run)
    assert len(paths.figures) == 4


def test_one_seed_of_one_cell(tmp_path):
    run = write_run(tmp_path, {"GRU": Cell([falling(0)], [0.001])})
    assert [csv_rows(run)[0][name] for name in ("mean", "standard_deviation")] == ["0.001", ""]
    assert len(report.write(tmp_path).figures) == 4
    assert "One seed: there is no interval" in table_text(run)


def test_more_is_better(tmp_path):
    curves = [[0.1, 0.5, 0.9, 0.95]] * 4 + [[0.1, None, None, None]]
    run = write_run(tmp_path, {"GRU": Cell(curves, [0.9, 0.8, 0.95, 0.85, None])}, direction="max", threshold=0.9)
    row = csv_rows(run)[0]
    assert float(row["iqm"]) == pytest.approx(0.85)  # the middle three of -inf, .8, .85, .9, .95
    assert (row["ci_low"], row["metric"], row["solved_seeds"]) == ("", "accuracy", "4")
    assert row["steps_to_solve"] == "200"  # at 0.9: at the threshold is past it


def test_an_interrupted_run_says_so_and_leaves_incomplete_cells_out(tmp_path):
    cells = two_cells(5) | {"LSTM": Cell([falling(s, 4) for s in range(5)], [0.1] * 5, results=2)}
    run = write_run(tmp_path, cells, planned=["GRU", "RNN", "LSTM", "Minimal"], end="interrupted")
    paths = report.write(tmp_path)
    assert [row["cell"] for row in read_csv(paths.summary)] == ["GRU", "RNN"]
    text = Page(paths.page).text
    for said in (text, table_text(run)):
        assert "This run was interrupted" in said
        assert "LSTM has no complete result; its last evaluation is at step 300." in said
        assert "Not begun: Minimal." in said
    assert text.index("This run was interrupted") < text.index("Results")


def test_a_killed_run_without_any_result_still_has_its_curves(tmp_path):
    run = write_run(tmp_path, {"GRU": Cell([falling(0, 3)] * 5, [0.1] * 5, results=0)}, end=None)
    with (tmp_path / records.FILE_NAME).open("a") as file:
        file.write('{"kind":"evalu')
    paths = report.write(tmp_path)
    assert read_csv(paths.summary) == []
    assert [path.name for path in paths.figures] == ["learning_curves.png"]
    text = Page(paths.page).text
    assert "This run has not ended" in text
    assert "No cell has the results of all its seeds." in text
    assert "incomplete line" in text
    assert "No cell has the results of all its seeds." in table_text(run)


def test_a_run_of_nothing_but_a_header(tmp_path):
    write_run(tmp_path, {}, planned=["GRU"], end="interrupted")
    paths = report.write(tmp_path)
    assert paths.figures == ()
    assert "Not begun: GRU." in Page(paths.page).text


def test_fields_that_may_be_missing_are_left_out(tmp_path):
    run = write_run(tmp_path, two_cells(5), bare=True)
    paths = report.write(tmp_path)
    row = read_csv(paths.summary)[0]
    assert (row["parameters"], row["ms_per_step"], row["compile_seconds"], row["steps_to_solve"]) == ("", "", "", "")
    assert [path.stem for path in paths.figures] == ["learning_curves", "test_metric", "speed_and_size"]
    assert "None" not in Page(paths.page).text
    assert "no trivial answer and no threshold" in table_text(run)


def test_curves_keep_the_steps_that_compare(tmp_path):
    cell = Cell(
        [[4.0, 3.0, 2.0, 1.0], [4.0, 3.5, 3.0, 2.5], [4.0, 3.0, 0.1, 0.1]], [1.0] * 3, diverged={2: 150}, results=0
    )
    write_run(tmp_path, {"GRU": cell})
    path = tmp_path / records.FILE_NAME

    def curve_without(*gone: str) -> dict[int, list[float]]:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not any(text in line for text in gone)))
        curve = results.collect(records.read(path))[0].cells[0].curve
        return dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))

    # Seed 2 is worst from where it diverged, whether it is evaluated from there on or not.
    inf = float("inf")
    whole = {0: [4.0, 4.0, 4.0], 100: [3.0, 3.5, 3.0], 200: [2.0, 3.0, inf], 300: [1.0, 2.5, inf]}
    assert curve_without() == whole
    assert curve_without('"seed":2,"step":300') == whole
    # A step that another seed lacks, or this one before it diverged, is left out.
    assert list(curve_without('"seed":1,"step":300')) == [0, 100, 200]
    assert list(curve_without('"seed":2,"step":100')) == [0, 200]


def test_a_size_off_by_more_than_two_percent_is_noted(tmp_path):
    cells = {f"x{n}": Cell([falling(0)], [0.1], parameters=n) for n in (970, 985, 1015, 1030)}
    text = table_text(write_run(tmp_path, cells))
    assert "x970 has 970 parameters, 3.0 % fewer than the reference's 1,000" in text
    assert "x1030 has 1,030 parameters, 3.0 % more" in text
    assert "x985 has" not in text
    assert "x1015 has" not in text


def test_what_cells_do_not_share_is_noted(tmp_path):
    cells = two_cells(1) | {"LSTM": Cell([falling(0, 5)], [0.1])}
    run = write_run(tmp_path, cells, length=50, scaling="Longer is harder.")
    config = {**run.header.config, "select": "best"}
    header = dataclasses.replace(run.header, config=config, warnings=("GRU is too large",))
    text = table_text(dataclasses.replace(run, header=header))
    assert "Note: Cells were given different numbers of updates: GRU 1,200, RNN 1,200, LSTM 400." in text
    assert "Note: The test uses each seed's parameters at its best validation evaluation" in text
    assert "Note: GRU is too large" in text
    assert "The longest training sequence has 50 steps. Longer is harder." in text


def test_the_page_is_whole_and_loads_nothing(usual):
    page = Page(usual.page)
    assert page.source.startswith("<!DOCTYPE html>")
    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    assert not page.of("script") + page.of("link") + page.of("iframe")
    loaded = [v for _, attrs in page.tags for k, v in attrs.items() if k in ("src", "href", "srcset", "action")]
    assert loaded
    assert all(value.startswith("data:image/svg+xml;base64,") for value in loaded)
    assert "@import" not in page.source
    assert "url(" not in page.source
    images = page.of("img")
    assert len(images) == len(usual.figures) == 4
    assert all(len(image["alt"]) > 30 for image in images)
    for image in images:
        assert b"<svg" in base64.b64decode(image["src"].partition("base64,")[2])
    facts = ["0123abcd, with uncommitted changes", "cpu", "2 x TFRT_CPU_0", "jax 0.10.0", "2025-01-02"]
    for fact in [*facts, "compare.py --config=configs/adding.py '--config.only=GRU, RNN'"]:
        assert fact in page.text
    assert [path.stem for path in usual.figures] == [
        "learning_curves",
        "test_metric",
        "steps_to_solve",
        "speed_and_size",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in usual.figures)


def test_captions_say_what_the_data_say(usual):
    text = Page(usual.page).text
    assert "GRU: 5 of 5 seeds solved the task, the first at step 500." in text
    assert "RNN: 0 of 5 seeds solved the task." in text
    assert "Interquartile means: GRU 0.003; RNN 0.19." in text
    assert "Medians: GRU 500; RNN infinite." in text
    assert "RNN took the least, 3 ms; GRU the most, 4 ms." in text
    assert "significant" not in text


def test_every_seed_is_on_the_page(usual):
    text = Page(usual.page).text
    for seed in range(5):
        # And the mean training loss since the evaluation before: not that of the last batch, 0.5.
        tested, validation = 0.001 * (seed + 1), falling(seed)[-1]
        assert f"GRU {seed} 1,200 1,100 {tested:.4g} {tested:.4g} {validation:.4g} {12 + seed / 10:g} " in text
        assert f"RNN {seed} 1,200 1,100 {0.17 + 0.01 * seed:.4g}" in text


def test_labels_are_shown_as_they_are(tmp_path):
    # Not as a tag, as rich's markup, as a formula; and Matplotlib leaves labels with "_" out of legends.
    labels = ["<script>alert(1)</script>", '"><img src=x>', "[red]x[/red]", r"$\frac{1$", "_x"]
    cells = {label: Cell([falling(s, 5) for s in range(2)], [0.1] * 2, parameters=2000) for label in labels}
    run = write_run(tmp_path, cells)
    page, table = Page(report.write(tmp_path).page), table_text(run, width=300)
    assert not page.of("script")
    assert len(page.of("img")) == 4
    assert page.of("img")[0]["alt"].endswith(f"for {', '.join(labels)}.")
    for label in labels:
        assert f"{label} has 2,000 parameters" in page.text
        assert f"{label} has 2,000 parameters" in table
        assert table.count(label) == 2  # in its row and in its note


def test_the_report_is_the_same_each_time(usual):
    first = {path: path.read_bytes() for path in _files(usual)}
    assert {path: path.read_bytes() for path in _files(report.write(usual.page.parent))} == first
    assert not list(usual.page.parent.rglob(".*"))  # no part of a file is left


def _files(paths: report.ReportPaths) -> list[Path]:
    return [paths.summary, paths.page, *paths.figures]


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        pytest.param(
            "evaluation",
            {"task": "adding", "cell": "GRU", "seed": 0},
            "'evaluation' has no 'step'",
            marks=fault("records", "a record without one of its fields"),
        ),
        pytest.param(
            "result",
            {"task": "adding", "cell": "other", "seed": 0},
            "'other', which has no cell record",
            marks=fault("records", "a result of a cell without its record"),
        ),
        ("cell", {"task": "copying", "cell": "GRU"}, "'copying', which the header doesn't describe"),
    ],
)
def test_records_that_do_not_fit_are_refused(tmp_path, kind, fields, message):
    write_run(tmp_path, two_cells(5), end=None)
    with (tmp_path / records.FILE_NAME).open("a") as file:
        file.write(json.dumps({"kind": kind} | fields) + "\n")
    with pytest.raises(records.RecordsError, match=message) as error:
        report.write(tmp_path)
    seen(error)
    assert not (tmp_path / "report.html").exists()


def test_there_are_no_records(tmp_path):
    with pytest.raises(records.RecordsError, match="No such file"):
        report.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


# The package's own __init__ imports JAX, for those who want the cells; an empty one stands in for it, so that this
# shows what the report itself imports.
LAUNCH = """
import runpy, sys, types
package = sys.modules["gru_research"] = types.ModuleType("gru_research")
package.__path__ = ["gru_research"]
import gru_research.report
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"jax", "jaxlib", "flax"}, loaded
assert "matplotlib.pyplot" not in sys.modules
sys.argv = ["report", "--workdir=" + sys.argv[1]]
runpy.run_module("experiments.report", run_name="__main__")
"""


def test_the_launcher_and_that_the_report_imports_no_jax(tmp_path):
    write_run(tmp_path, {"GRU": Cell([falling(0)], [0.001])})
    command = [sys.executable, "-c", LAUNCH, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "GRU" in done.stdout
    assert f"Report: {tmp_path / 'report.html'}" in done.stdout
