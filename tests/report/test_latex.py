"""The LaTeX tables of a run: what they hold, and by which command they were made."""

from pathlib import Path

import pytest

from gru_research import report
from tests.report.synthetic import constant, two_cells, write_run
from tests.tables.test_latex import HOSTILE, rows, shown


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[Path, report.ReportPaths]:
    workdir = tmp_path_factory.mktemp("latex")
    cells = {HOSTILE: two_cells(5)["GRU"], "RNN": two_cells(5)["RNN"]}
    write_run(workdir, cells)
    return workdir, report.write(workdir, latex_by="python -m experiments.report --workdir=RUN --latex")


def test_a_runs_tables_hold_what_its_page_holds(written):
    _, paths = written
    assert [path.name for path in paths.tables] == ["summary.tex", "pairs.tex", "seeds.tex"]  # one metric alone
    summary, pairs, seeds = (rows(path.read_text()) for path in paths.tables)
    assert [shown(row[0]) for row in summary[1]] == [HOSTILE, "RNN", "always predicting 1"]
    at = summary[0].index("test MSE (IQM)")
    assert [row[at] for row in summary[1]] == ["0.003", "0.19", "0.167"]
    assert shown(pairs[1][0][0]) == f"{HOSTILE} over RNN"
    assert pairs[1][0][pairs[0].index("difference")].startswith("$-$0.187 {[}$-$0.2")
    assert len(seeds[1]) == 10


def test_the_comment_says_by_which_command_and_of_which_run(written):
    workdir, paths = written
    for path in paths.tables:
        comment = [line for line in path.read_text().splitlines() if line.startswith("%")]
        assert comment[0] == "% Made by: python -m experiments.report --workdir=RUN --latex"
        assert comment[1] == f"% Of the run: {workdir}"
        said = "\n".join(comment)
        assert "experiments/compare.py --config=configs/adding.py '--config.only=GRU, RNN'" in said
        assert "2025-01-02T03:04:05+00:00" in said and "0123abcd, with uncommitted changes" in said


def test_without_the_flag_there_are_none(tmp_path):
    write_run(tmp_path, {"GRU": constant(0.1)})
    assert report.write(tmp_path).tables == ()
    assert not (tmp_path / "tables").exists()
