"""The shared report of a suite, by `report.write_study` and its parts."""

import io
import json

import numpy as np
import pytest
import rich.console

from gru_research import records, report, stats
from gru_research.report import drawing, pairwise_tests
from gru_research.report.study import aggregate, captions, figures, page, reading
from tests.faults import fault, seen
from tests.report.synthetic import Page, constant, read_csv, write_run, write_study

ERROR = {"name": "adding", "trivial": {"always 1": 0.1}, "threshold": 0.001}
ACCURACY = {"name": "digits", "trivial": {"always 1": 0.1}, "threshold": 0.9, "direction": "max"}


def usual_suite(workdir, seeds: int = 3) -> None:
    """Writes a suite: two complete runs of two cells, one unfinished run without a cell, one missing, one damaged."""
    better, worse = [0.01] * seeds, [0.05] * seeds
    write_run(workdir / "adding", {"GRU": constant(*better, solved=1), "RNN": constant(*worse)}, **ERROR)
    write_run(workdir / "digits", {"GRU": constant(*[0.9] * seeds), "RNN": constant(*[0.5] * seeds)}, **ACCURACY)
    write_run(workdir / "half", {"GRU": constant(*better)}, planned=["GRU", "RNN"], end="interrupted", **ERROR)
    (workdir / "broken").mkdir()
    (workdir / "broken" / records.FILE_NAME).write_text("{}\n")
    write_study(workdir, "suite", ["adding", "digits", "half", "absent", "broken"])


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> tuple[report.ReportPaths, str]:
    """The report of `usual_suite` and its printed text. Read-only."""
    workdir = tmp_path_factory.mktemp("suite")
    usual_suite(workdir)
    (workdir / "adding" / "report.html").write_text("")
    console = rich.console.Console(file=io.StringIO(), width=160)
    paths = report.write_study(workdir, console)
    return paths, console.file.getvalue()


def test_the_summary_has_all_rows_of_all_runs(usual):
    rows = read_csv(usual[0].summary)
    assert [(row["run"], row["cell"], row["iqm"]) for row in rows] == [
        ("adding", "GRU", "0.01"), ("adding", "RNN", "0.05"), ("digits", "GRU", "0.9"), ("digits", "RNN", "0.5"),
        ("half", "GRU", "0.01"),
    ]  # fmt: skip
    columns = usual[0].summary.read_text().splitlines()[0].split(",")
    assert columns[:4] == ["run", "task", "cell", "parameters"]


def test_the_page_names_what_is_missing_and_links_what_is_there(usual):
    shown = Page(usual[0].page)
    assert "Missing or unfinished, 3 of 5 runs: half, absent, broken." in shown.text
    for said in ("half was interrupted.", "absent has no records yet.", "broken can't be read (records.jsonl has"):
        assert said in shown.text
        assert said in " ".join(usual[1].split())
    assert {link["href"] for link in shown.of("a")} == {"adding/report.html"}
    assert shown.headings == ["Results", "Over all tasks", "Pairs", "Tests", "Runs"]
    assert [path.stem for path in usual[0].figures] == ["scores", "means", "profiles", "pairs"]
    assert len(shown.of("img")) == 4
    assert not shown.of("script")
    loaded = [attrs["src"] for _, attrs in shown.tags if "src" in attrs]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in loaded)


def test_the_table_has_a_row_a_run_and_a_column_a_cell(usual):
    shown = Page(usual[0].page).text
    assert "run test metric baseline GRU RNN" in shown
    assert "adding MSE always 1: 0.1 0.01, 1/3 solved 0.05, 0/3 solved" in shown
    assert "digits accuracy always 1: 0.1 0.9, 0/3 solved 0.5, 0/3 solved" in shown
    assert "half MSE always 1: 0.1 0.01, 0/3 solved -" in shown
    assert "absent - - - -" in shown


def test_scores_are_normalised_and_averaged_over_the_tasks_that_have_every_cell(tmp_path):
    usual_suite(tmp_path)
    found = aggregate.scores(reading.read(tmp_path))
    # In the logarithm 0.01 is halfway from 0.1 to 0.001, 0.05 is at log(2) / log(100); 0.5 is halfway from 0.1 to 0.9.
    expected = {"adding": {"GRU": 0.5, "RNN": 0.15051500}, "digits": {"GRU": 1.0, "RNN": 0.5}, "half": {"GRU": 0.5}}
    got = {run: {label: float(scores[0]) for label, scores in cells.items()} for run, cells in found.by_run.items()}
    assert got == {run: pytest.approx(cells) for run, cells in expected.items()}
    assert found.common == ("adding", "digits")
    assert set(found.without) == {"half", "absent", "broken"}
    assert "RNN" in found.without["half"]
    means = aggregate.iqms(found)
    assert means["GRU"].value == pytest.approx(stats.iqm([0.5] * 3 + [1.0] * 3))
    shares = aggregate.profiles(found)["RNN"]
    assert shares.share[np.searchsorted(shares.thresholds, 0.2)] == pytest.approx(0.5)  # digits' alone
    assert "GRU 0.75" in captions.means_line(found)
    assert "Over the 2 tasks that have every cell." in captions.means_caption(found)


def test_the_heat_map_has_the_numbers_and_hatches_what_is_missing(tmp_path):
    usual_suite(tmp_path)
    study = reading.read(tmp_path)
    axes = drawing.draw(figures.heat_map(study, aggregate.scores(study))).axes[0]
    numbers = {text.get_text() for text in axes.texts if "/" not in text.get_text()}
    assert numbers == {"0.50", "0.15", "1.00"}
    (image,) = axes.images
    missing = [(x, y) for y, x in np.argwhere(np.ma.getmaskarray(image.get_array()))]
    assert missing == [(1, 2), (0, 3), (1, 3), (0, 4), (1, 4)]
    assert axes.patch.get_hatch() and image.to_rgba(image.get_array())[2, 1, 3] == 0  # seen through
    for text in axes.texts[::2]:
        x, y = text.get_position()
        bright = np.dot(image.to_rgba(image.get_array())[y, x, :3], (0.299, 0.587, 0.114)) > 0.5
        assert text.get_color() == ("black" if bright else "white")


@pytest.mark.parametrize(("value", "shown"), [(1.0, "1.00"), (0.999, ">0.99"), (0.0, "0.00"), (0.001, "<0.01")])
def test_a_score_is_not_rounded_to_an_end(value, shown):
    assert captions.score(value) == shown


def test_a_pair_is_compared_on_all_tasks_that_have_both(tmp_path):
    usual_suite(tmp_path)
    ((x, y, tasks, estimate),) = aggregate.improvements(reading.read(tmp_path))
    assert (x, y, tasks) == ("GRU", "RNN", 2)
    assert estimate.value == 1.0  # less error and more accuracy


def test_a_pairs_tests_are_corrected_over_its_tasks(tmp_path):
    for name in ("a", "b", "c"):
        seeds = 6 if name == "a" else 8
        cells = {"GRU": constant(*np.linspace(0.01, 0.02, seeds)), "RNN": constant(*np.linspace(0.1, 0.3, seeds))}
        write_run(tmp_path / name, cells | {"MGU": constant(*np.linspace(0.01, 0.02, seeds))})
    write_study(tmp_path, "suite", ["a", "b", "c"])
    study = reading.read(tmp_path)
    tested = pairwise_tests.over({run.name: run.outcome for run in study.runs}, "GRU", "RNN")
    # Holm over 3 tests with p = 2/64, 2/256 and 2/256, whatever the other pairs say.
    assert [pair.verdict.adjusted_p for pair in tested] == pytest.approx([2 / 64, 6 / 256, 6 / 256])
    assert captions.verdict_table(tested).rows == (("GRU over RNN", "3", "0", "0", "0"),)
    assert captions.tests_table(tested).rows[0][:3] == ("a", "GRU over RNN", "6")
    assert "at least 7 seeds for 3 tasks" in captions.tests_explanation(tested)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"trivial": {}}, "no trivial answer"),
        ({"threshold": None}, "no threshold"),
        ({"threshold": 0.5}, "no better than its baseline"),
    ],
)
def test_a_task_that_has_no_scale_has_no_scores(tmp_path, fields, why):
    write_run(tmp_path / "a", {"GRU": constant(0.1, 0.2), "RNN": constant(0.2, 0.3)}, **fields)
    write_study(tmp_path, "suite", ["a"])
    study = reading.read(tmp_path)
    found = aggregate.scores(study)
    assert why in found.without["a"]
    assert [made.name for made in figures.figures(study, found)] == ["pairs"]
    assert captions.left_out(found) == []
    shown = page.to_html(study, found, [], {})
    assert "0.15" in shown
    assert "Over all tasks" not in shown


def test_one_seed_of_one_cell_lost(tmp_path):
    write_run(tmp_path / "a", {"GRU": constant(None)}, **ERROR)
    write_study(tmp_path, "suite", ["a"])
    paths = report.write_study(tmp_path)
    shown = Page(paths.page)
    assert [path.stem for path in paths.figures] == ["scores", "means", "profiles"]
    assert "GRU 0.00" in shown.text
    assert "With 1 seed a task no interval is shown." in shown.text
    assert "Tests" not in shown.headings


def test_a_suite_without_any_run_yet(tmp_path):
    write_study(tmp_path, "suite", ["a", "b"])
    paths = report.write_study(tmp_path, rich.console.Console(file=io.StringIO()))
    assert read_csv(paths.summary) == []
    assert paths.figures == ()
    assert "Missing or unfinished, 2 of 2 runs: a, b." in Page(paths.page).text


def test_names_are_shown_as_they_are(tmp_path):
    name = "<b>&\"'"
    write_run(tmp_path / name, {"<i>x": constant(0.1), "$y_": constant(0.2)}, **ERROR | {"name": "<u>"})
    (tmp_path / name / "report.html").write_text("")
    write_study(tmp_path, "suite", [name], title="<h1>all</h1>")
    study = reading.read(tmp_path)
    for made in figures.figures(study, aggregate.scores(study)):
        drawing.draw(made).draw_without_rendering()  # no mathematics between dollars
    (tmp_path / "page.html").write_text(page.to_html(study, aggregate.scores(study), [], {}))
    shown = Page(tmp_path / "page.html")
    assert not {"b", "i", "u"} & {tag for tag, _ in shown.tags}
    for said in (name, "<i>x", "$y_", "<h1>all</h1>"):
        assert said in shown.text
    assert shown.of("a")[0]["href"] == "%3Cb%3E%26%22%27/report.html"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "is not JSON", marks=fault("studies", "study.json that isn't JSON")),
        ("[]", "the schema None"),
        ('{"schema": "gru_research.study/9"}', "'gru_research.study/9'"),
        pytest.param(
            {"kind": "other"},
            "kind 'other'; known: suite, horizon",
            marks=fault("studies", "an unknown kind of study"),
        ),
        pytest.param(
            {"runs": ["../elsewhere"]},
            "list of directory names",
            marks=fault("names", "a run's name in study.json that is a path"),
        ),
        ({"runs": "adding"}, "list of directory names"),
        ({"runs": ["/etc"]}, "list of directory names"),
        ({"runs": [".."]}, "list of directory names"),
        ({"runs": ["a\0b"]}, "list of directory names"),
        ({"runs": ["é" * 128]}, "list of directory names"),
        pytest.param(
            "[" * 100_000,
            "is not JSON .*recursion",
            marks=fault("file contents", "study.json of a hundred thousand brackets"),
        ),
        pytest.param(
            {"kind": "horizon", "runs": ["a", "b"], "values": [1]},
            "2 runs and 1 values",
            marks=fault("studies", "a horizon with too few values"),
        ),
    ],
)
def test_a_study_that_cannot_be_read_is_refused_in_one_line(tmp_path, content, message):
    if isinstance(content, dict):
        content = json.dumps({"schema": records.STUDY_SCHEMA, "kind": "suite", "title": "t", "runs": []} | content)
    (tmp_path / records.STUDY_FILE_NAME).write_text(content)
    with pytest.raises(records.RecordsError, match=message) as error:
        report.write_study(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "report.html").exists()
    seen(error)


def test_no_study_is_refused(tmp_path):
    with pytest.raises(records.RecordsError, match="No such file"):
        report.write_study(tmp_path)
