"""One report of several runs: labels of cells, pairs across runs, and runs that can't be combined."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gru_research import records, report, stats
from gru_research.report import combined_runs, pairwise_tests, results
from tests.faults import fault, seen
from tests.report.synthetic import Cell, Page, constant, falling, read_csv, two_cells, write_run

ADDING = {"task": {"name": "adding", "length": 20}, "updates": 1200, "optimizer": {"name": "adam", "clip": 1.0}}


def shifted(workdir: Path, by: int) -> None:
    """Shifts the seeds in a run's records by `by`."""
    path = workdir / records.FILE_NAME
    text = re.sub(r'"seed":(\d+)', lambda found: f'"seed":{int(found[1]) + by}', path.read_text())
    path.write_text(text)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> tuple[list[Path], report.ReportPaths]:
    """Two runs that both have a "GRU", and their combined report."""
    folder = tmp_path_factory.mktemp("together")
    workdirs = [folder / "2025-01" / "adding", folder / "2025-02" / "adding"]
    for workdir in workdirs:
        workdir.parent.mkdir()
    cells = two_cells(6)
    write_run(workdirs[0], cells, config=ADDING)
    other = Cell([falling(s) for s in range(6)], [0.002 * (s + 1) for s in range(6)])
    write_run(workdirs[1], {"GRU": other, "<LSTM>": other}, config=ADDING | {"updates": 2400})
    return workdirs, report.write_together(workdirs, folder / "both")


def test_cells_are_named_by_their_label_and_where_it_must_be_by_their_run(two):
    _, paths = two
    rows = read_csv(paths.summary)
    assert [(row["run"], row["cell"]) for row in rows] == [
        ("2025-01", "GRU (2025-01)"),
        ("2025-01", "RNN"),
        ("2025-02", "GRU (2025-02)"),
        ("2025-02", "<LSTM>"),
    ]
    assert float(rows[0]["iqm"]) == pytest.approx(0.0035) and float(rows[2]["iqm"]) == pytest.approx(0.007)
    with paths.seeds.open(newline="") as file:
        seeds = list(csv.DictReader(file))
    assert [(row["run"], row["cell"]) for row in seeds[::6]] == [(row["run"], row["cell"]) for row in rows]
    assert len(seeds) == 24


def test_the_page_has_one_table_the_figures_and_what_each_run_was(two):
    _, paths = two
    page = Page(paths.page)
    assert page.text.count("GRU (2025-01)") > 3 and "<LSTM>" in page.text
    assert not [attrs for tag, attrs in page.tags if tag == "lstm"]
    assert page.headings[0] == "Results" and len(page.of("img")) == len(paths.figures) == 4
    assert page.headings[-4:] == ["What was run: 2025-01", "Configuration: 2025-01", "What was run: 2025-02",
                                  "Configuration: 2025-02"]  # fmt: skip
    assert "2 runs: 2025-01, 2025-02" in page.text
    assert "for GRU (2025-01), RNN, GRU (2025-02), <LSTM>." in str(page.of("img")[0]["alt"])
    assert "2025-01 has GRU (2025-01), RNN; 2025-02 has GRU (2025-02), <LSTM>." in page.text
    assert "The runs have different settings: updates (2025-01 1200, 2025-02 2400)." in page.text
    assert "Pairs are made by common seed" in page.text
    assert "different versions" not in page.text


def test_pairs_across_runs_are_those_of_the_same_numbers_in_one_run(two, tmp_path):
    workdirs, _ = two
    (task,) = results.collect(combined_runs.merged(combined_runs.read(workdirs)))
    found = {(pair.x, pair.y): pair for pair in pairwise_tests.within(task)}
    assert len(found) == 6
    across = found["RNN", "GRU (2025-02)"]
    x, y = [0.17 + 0.01 * s for s in range(6)], [0.002 * (s + 1) for s in range(6)]
    assert across.difference == stats.paired_difference(x, y)
    assert across.test == stats.paired_permutation_test(stats.as_scores(x, "min"), stats.as_scores(y, "min"))
    assert across.tests == 6  # corrected together with all others


def test_pairs_are_of_the_seeds_that_both_have(tmp_path, capsys):
    write_run(tmp_path / "a", {"GRU": constant(*[0.1 + 0.01 * s for s in range(7)])}, config=ADDING)
    write_run(tmp_path / "b", {"RNN": constant(*[0.5 + 0.02 * s for s in range(6)])}, config=ADDING)
    shifted(tmp_path / "b", 2)  # seeds 2 to 7 against 0 to 6
    (task,) = results.collect(combined_runs.merged(combined_runs.read([tmp_path / "a", tmp_path / "b"])))
    assert [len(cell.seeds) for cell in task.complete] == [7, 6]
    (pair,) = pairwise_tests.within(task)
    assert pair.seeds == 5
    # Seed 2 is the third of a and the first of b.
    d = [(0.12 + 0.01 * i) - (0.5 + 0.02 * i) for i in range(5)]
    assert pair.difference.value == pytest.approx(stats.iqm(d))
    notes = " ".join(combined_runs.notes(combined_runs.read([tmp_path / "a", tmp_path / "b"])))
    assert "a and b have 5 common seeds." in notes and "seeds (a 7, b 6)" in notes


def test_runs_without_a_common_seed_have_no_pairs_and_say_so(tmp_path):
    for name, by in (("a", 0), ("b", 100)):
        write_run(tmp_path / name, {name.upper(): constant(0.1, 0.2)}, config=ADDING)
        shifted(tmp_path / name, by)
    sources = combined_runs.read([tmp_path / "a", tmp_path / "b"])
    (task,) = results.collect(combined_runs.merged(sources))
    assert pairwise_tests.within(task) == [] and len(task.complete) == 2
    assert "a and b have no common seed, so that their cells have no pairs." in combined_runs.notes(sources)


def make(folder: Path, place: str, **fields) -> Path:
    fields = {"config": ADDING, "length": 20} | fields
    write_run(folder / place, {"GRU": constant(0.1, 0.2)}, **fields)
    return folder / place


OTHER_LENGTH = ADDING | {"task": {"name": "adding", "length": 50}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"config": OTHER_LENGTH, "length": 50, "trivial": {"always predicting 1": 0.2}},
            r"b isn't of the same task and data as .*a: task.length is 50 and not 20$",
            marks=fault("reports", "runs of another task or another length in one report"),
        ),
        pytest.param(
            {"config": ADDING | {"train_examples": 100}},
            "train_examples is 100 and not 0$",
            marks=fault("reports", "runs with other numbers of training examples in one report"),
        ),
        ({"name": "copying", "config": ADDING | {"task": {"name": "copying", "symbols": 8}}},
         "task.name is 'copying' and not 'adding'; task.length is unset and not 20; task.symbols is 8 and not unset$"),
        ({"direction": "max", "metric": "accuracy", "directions": {"accuracy": "max"}},
         "the task's metric is 'accuracy' and not 'MSE'; "),
        ({"trivial": {"always predicting 1": 0.2}}, "the task's trivial is .*0.2} and not .*0.167}$"),
        ({"threshold": 0.1}, "the task's threshold is 0.1 and not 0.01$"),
        pytest.param(
            {"end": "interrupted"},
            "b isn't finished: only finished runs can be put together$",
            marks=fault("reports", "an unfinished run in a report of several"),
        ),
    ],
)  # fmt: skip
def test_what_does_not_compare_is_refused_with_the_fields_that_differ(tmp_path, fields, message):
    runs = [make(tmp_path, "a"), make(tmp_path, "b", **fields)]
    with pytest.raises(records.RecordsError, match=message) as error:
        report.write_together(runs, tmp_path / "both")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "both").exists()
    seen(error)


@fault("reports", "a run twice in a report of several")
def test_a_run_is_there_once(tmp_path):
    run = make(tmp_path, "a")
    with pytest.raises(records.RecordsError, match="a is named twice") as error:
        report.write_together([run, tmp_path / "a" / ".." / "a"], tmp_path / "both")
    seen(error)


def test_an_option_at_its_default_is_no_difference_whether_it_is_named_or_not(tmp_path):
    unset = ADDING | {"task": {"name": "adding"}}
    runs = [make(tmp_path, "a"), make(tmp_path, "b", config=unset)]
    assert len(combined_runs.read(runs, lambda config: {"length": 20, **config["task"]})) == 2
    with pytest.raises(records.RecordsError, match=r"task.length is 50 and not 20$"):
        combined_runs.read(runs, lambda config: {"length": 50, **config["task"]})
    with pytest.raises(records.RecordsError, match=r"task.length is unset and not 20$"):
        combined_runs.read(runs)


def test_what_rounds_differently_on_another_machine_is_the_same(tmp_path):
    runs = [make(tmp_path, "a"), make(tmp_path, "b", trivial={"always predicting 1": 0.1670001})]
    assert len(combined_runs.read(runs)) == 2


OWN = ADDING | {"task": {"name": "mine.py:heartbeats", "train": "data.npz"}}
MOVED = ADDING | {"task": {"name": "mine.py:heartbeats", "train": "elsewhere/data.npz"}}


@pytest.mark.parametrize(
    ("config", "sums", "message"),
    [
        (OWN, {"data.npz": "1", "mine.py": "2"}, None),
        (MOVED, {"elsewhere/data.npz": "1", "mine.py": "2"}, None),  # the same bytes under another path
        pytest.param(
            OWN,
            {"data.npz": "9", "mine.py": "2"},
            "task.train='data.npz' has another content$",
            marks=fault("reports", "runs of the same file with another content in one report"),
        ),
        (OWN, {"data.npz": "1", "mine.py": "9"}, "task.name='mine.py:heartbeats' has another content$"),
        (MOVED, {}, "task.train is 'elsewhere/data.npz' and not 'data.npz'"),
    ],
)
def test_files_are_compared_by_their_sums(tmp_path, config, sums, message):
    runs = [
        make(tmp_path, "a", config=OWN, files={"data.npz": "1", "mine.py": "2"}),
        make(tmp_path, "b", config=config, files=sums),
    ]
    if message is None:
        assert len(combined_runs.read(runs)) == 2
        return
    with pytest.raises(records.RecordsError, match=message) as error:
        combined_runs.read(runs)
    seen(error)


def test_another_cells_file_is_no_other_data_and_is_said(tmp_path):
    runs = [make(tmp_path, name, files={"cell.py": sum_}) for name, sum_ in (("a", "1"), ("b", "2"))]
    assert "These files have another content in each run: cell.py." in combined_runs.notes(combined_runs.read(runs))


@pytest.mark.parametrize(
    ("places", "names"),
    [
        (["x/a", "x/b"], ["a", "b"]),
        (["x/1/run", "x/2/run"], ["1", "2"]),
        (["x/a", "x/a/b"], ["a", "a/b"]),
        (["x/1/run", "x/2/run", "x/2/other"], ["1/run", "2/run", "2/other"]),
    ],
)
def test_runs_have_the_shortest_names_that_tell_them_apart(tmp_path, places, names):
    for place in places:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        write_run(tmp_path / place, {"GRU": constant(0.1)}, config=ADDING)
    sources = combined_runs.read([tmp_path / place for place in places])
    assert [source.name for source in sources] == names
    assert [source.labels["GRU"] for source in sources] == [f"GRU ({name})" for name in names]


def test_labels_stay_unique_where_one_looks_like_anothers(tmp_path):
    write_run(tmp_path / "a", {"x": constant(0.1), "x (b)": constant(0.1)}, config=ADDING)
    write_run(tmp_path / "b", {"x": constant(0.1)}, config=ADDING)
    labels = [
        label for source in combined_runs.read([tmp_path / "a", tmp_path / "b"]) for label in source.labels.values()
    ]
    assert labels == ["x (a)", "x (b) (a)", "x (b)"]


def launched(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.report", *arguments]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)


def test_the_launcher_with_all_its_flags_and_a_comma_in_a_directorys_name(tmp_path):
    # 100 is the adding problem's length where a config doesn't name it.
    whole = {"cells": {"GRU": {"kind": "gru", "hidden_size": 4}}, "reference": "GRU", "seeds": 2}
    for name, task in (("a,b=1", {"length": 100}), ("c", {})):
        config = whole | {"task": {"name": "adding", **task}}
        write_run(tmp_path / name, {"GRU": constant(0.1, 0.2)}, config=config, length=100)
    named, output = f"--workdir={tmp_path}/a,b=1,{tmp_path}/c", tmp_path / "new" / "both"
    done = launched(named, f"--output={output}", "--latex", "--formats=pdf", "--style=paper")
    assert (done.returncode, done.stderr) == (0, "")
    assert "GRU (a,b=1)" in done.stdout and f"Report: {output / 'report.html'}" in done.stdout.replace("\n", "")
    assert {path.name for path in output.iterdir()} == {"figures", "report.html", "seeds.csv", "summary.csv", "tables"}
    assert {path.suffix for path in (output / "figures").iterdir()} == {".pdf"}
    comment = (output / "tables" / "pairs.tex").read_text().splitlines()[0]
    assert comment.startswith("% Made by: python -m experiments.report --workdir=") and "--latex" in comment


@fault("reports", "a report of several runs in a run's directory", "--output for one run")
def test_the_launcher_refuses(tmp_path):
    runs = [make(tmp_path, name) for name in ("a", "b")]
    both = f"--workdir={runs[0]},{runs[1]}"
    for arguments, said in (
        ((both, f"--output={runs[0]}"), "holds records.jsonl, of which it has a report: name another directory"),
        (
            (f"--workdir={runs[0]}", "--output=x"),
            "--output='x' is for several runs; the report of one is in its directory",
        ),
    ):
        done = launched(*arguments)
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
        seen(done)
    assert not (runs[0] / "report.html").exists()
