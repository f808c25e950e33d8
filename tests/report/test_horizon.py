"""The horizon of each cell: numbers, texts, table, figure and page."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from gru_research import report
from gru_research.report import drawing
from gru_research.report.study import captions, horizon, horizon_figure, reading
from tests.report.synthetic import Page, constant, read_csv, write_run, write_study


def write_horizon(workdir: Path, values: list[int], solved: dict[str, list[int | None]], share: float = 0.5, **fields):
    """Writes a horizon with four seeds per run. `solved` has each cell's solved seeds by value; None: not trained."""
    names = [f"length-{value}" for value in values]
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        cells = {
            label: constant(*[0.001 * (seed + 1) for seed in range(4)], solved=count)
            for label, counts in solved.items()
            if (count := counts[i]) is not None
        }
        if cells:
            task = {
                "trivial": {"always predicting 1": 0.1 * (i + 1)},
                "length": value,
                "scaling": "Longer is harder.",
            } | fields
            write_run(workdir / name, cells, **task)
    write_study(workdir, "horizon", names, field="task.length", values=values, solved=share)


def reaches(tmp_path, *counts: int | None, share: float = 0.5) -> horizon.Reach:
    write_horizon(tmp_path, [10, 20, 40][: len(counts)], {"GRU": list(counts)}, share)
    study = reading.read(tmp_path)
    (reach,) = horizon.reaches(study)
    return reach


@pytest.mark.parametrize(
    ("counts", "expected", "said"),
    [
        ((4, 2, 1), (20, 40), "GRU goes up to length 20; it failed at 40: 1 of 4 seeds solved it."),
        ((1, None, None), (None, 10), "GRU failed at the first length, 10: 1 of 4 seeds solved it."),
        ((4, 4, 2), (40, None), "GRU never failed up to the last length, 40."),
        ((4, 1, 4), (10, 20), "GRU goes up to length 10; it failed at 20: 1 of 4 seeds solved it."),
        ((4, 3, None), (20, None), "GRU goes up to length 20 at least; there are no complete results at 40."),
    ],
)
def test_the_horizon_is_contiguous_from_the_first_value(tmp_path, counts, expected, said):
    reach = reaches(tmp_path, *counts)
    assert (reach.horizon, reach.failed) == expected
    assert horizon.words(reading.read(tmp_path), reach) == said


@pytest.mark.parametrize(("share", "expected"), [(0.75, 10), (0.5, 20), (0.25, 20)])
def test_the_share_is_the_studys(tmp_path, share, expected):
    assert reaches(tmp_path, 4, 2, 0, share=share).horizon == expected


def test_a_cell_that_is_missing_at_the_first_value_has_no_horizon(tmp_path):
    write_horizon(tmp_path, [10, 20], {"GRU": [4, 4], "RNN": [None, 4]})
    study = reading.read(tmp_path)
    reach = horizon.reaches(study)[1]
    assert (reach.horizon, reach.failed, reach.values) == (None, None, ())
    assert "RNN has no complete results at the first length, 10." in horizon.words(study, reach)


def test_the_table(tmp_path):
    write_horizon(tmp_path, [10, 20, 40], {"GRU": [4, 3, 3], "LSTM": [4, 1, None], "RNN": [0, None, None]})
    table = horizon.table(reading.read(tmp_path), "")
    assert table.headings == ("cell", "horizon (length)", "first failed", "length 10", "length 20", "length 40")
    assert table.rows == (
        ("GRU", "at least 40", "-", "4/4", "3/4", "3/4"),
        ("LSTM", "10", "20", "4/4", "1/4", "-"),
        ("RNN", "below 10", "10", "0/4", "-", "-"),
    )


def test_the_figure_has_shares_metric_baseline_and_which_values_count(tmp_path):
    write_horizon(tmp_path, [10, 20, 40], {"GRU": [4, 3, 1], "RNN": [0, None, None]})
    drawn = drawing.draw(horizon_figure.figure(reading.read(tmp_path)))
    shares, metric = drawn.axes
    assert shares.get_xscale() == metric.get_xscale() == "log"
    marks = [line for line in shares.lines if line.get_marker() == "o"]
    passed, failed = ([float(y) for y in line.get_ydata()] for line in marks)
    assert (passed, failed) == ([1.0, 0.75], [0.25])
    assert marks[1].get_markerfacecolor() == "white"
    lines = {line.get_label(): line.get_xydata().tolist() for line in metric.lines}
    assert lines["always predicting 1"] == [
        [10, pytest.approx(0.1)],
        [20, pytest.approx(0.2)],
        [40, pytest.approx(0.3)],
    ]
    assert [y for _, y in lines["solved"]] == [0.01] * 3
    low, high = metric.get_ylim()
    assert low < 0.001
    assert high > 0.3
    assert [tick.get_text() for tick in metric.get_xticklabels()] == ["10", "20", "40"]
    # Cells stand beside each other, nearer to their value than to the next.
    places = [float(line.get_xdata()[0]) for line in metric.lines if line.get_marker() in ("o", "s")]
    assert places[0] < 10 < places[1]
    assert math.log(places[1] / places[0]) < 0.25 * math.log(2)
    drawn.draw_without_rendering()


def test_one_value_one_cell_all_lost_and_no_references(tmp_path):
    names = ["length-10"]  # a power of ten is a corner case of a logarithmic axis
    write_run(tmp_path / names[0], {"GRU": constant(None, None)}, threshold=None, trivial={})
    write_study(tmp_path, "horizon", names, field="task.length", values=[10], solved=0.5)
    paths = report.write_study(tmp_path)
    assert [path.name for path in paths.figures] == ["horizon.png"]
    assert "GRU failed at the first length, 10: 0 of 2 seeds solved it." in Page(paths.page).text


def test_nothing_trained_yet(tmp_path):
    write_study(tmp_path, "horizon", ["length-5"], field="task.length", values=[5])
    paths = report.write_study(tmp_path)
    assert paths.figures == ()
    assert "length-5 has no records yet." in Page(paths.page).text


def test_values_that_no_cell_was_left_for_are_not_missing(tmp_path):
    write_horizon(tmp_path, [10, 20, 40], {"GRU": [4, 0, None], "RNN": [0, None, None]})
    study = reading.read(tmp_path)
    assert captions.notes(study) == []
    assert captions.state(study, study.runs[2]) == "not trained: no cell was left"


LAUNCH = """
import runpy, sys
sys.argv = ["report", "--workdir=" + sys.argv[1]]
runpy.run_module("experiments.report", run_name="__main__")
"""


def test_the_launcher_recognises_a_study_and_reports_on_its_runs_too(tmp_path):
    write_horizon(tmp_path, [10], {"GRU": [1]})
    command = [sys.executable, "-c", LAUNCH, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "GRU failed at the first length, 10: 1 of 4 seeds solved it." in done.stdout
    assert f"Report: {tmp_path / 'report.html'}" in " ".join(done.stdout.split())
    assert [row["run"] for row in read_csv(tmp_path / "summary.csv")] == ["length-10"]
    assert {row["run"] for row in read_csv(tmp_path / "seeds.csv")} == {"length-10"}
    shown = Page(tmp_path / "report.html")
    assert {link["href"] for link in shown.of("a")} == {"length-10/report.html"}
    assert "Longer is harder." in shown.text
    assert (tmp_path / "length-10" / "report.html").is_file()
