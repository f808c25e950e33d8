"""Launchers as commands: what they print, where they write, and how they end."""

import csv
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.cli.launcher import experiment_from
from experiments.cli.running import new_workdir
from gru_research import records
from gru_research.cells import CELLS
from gru_research.config import UserError, experiment
from gru_research.tasks import TASKS
from gru_research.training import make_plan, with_every_option
from tests.faults import fault, seen
from tests.launching import PYTHONPATH, ROOT, command, launch

ADDING = "--config=configs/adding.py"
TINY = [
    "--config.updates=2", "--config.eval_every=1", "--config.seeds=2", "--config.batch_size=4",
    "--config.task.length=5", "--config.task.validation_size=10", "--config.task.test_size=10",
    "--config.tune.draws", "0",  # a group that the file leaves out
]  # fmt: skip


def test_the_stand_in_for_tensorflow_would_be_noticed() -> None:
    env = os.environ | {"PYTHONPATH": PYTHONPATH}
    done = subprocess.run(
        [sys.executable, "-c", "import tensorflow"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "tensorflow was imported" in done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    workdir = tmp_path_factory.mktemp("runs") / "tiny"
    return workdir, launch("compare", ADDING, *TINY, f"--workdir={workdir}")


def test_compare_trains_reports_and_says_where(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    workdir, done = run
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "jax" in done.stdout and "cpu" in done.stdout and str(workdir) in done.stdout
    for name in ("config.json", "records.jsonl", "summary.csv", "report.html", "figures", "checkpoints/gru"):
        assert (workdir / name).exists(), name
    with (workdir / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["cell"] for row in rows] == ["gru", "lstm", "rnn"]
    assert all(row["task"] == "adding" and row["seeds"] == "2" and row["metric"] == "mse" for row in rows)
    assert all(float(row["iqm"]) > 0 and row["ci_low"] == "" and row["ci_high"] == "" for row in rows)
    for row in rows:
        assert abs(int(row["parameters"]) / int(rows[0]["parameters"]) - 1) <= 0.02
        assert row["parameters"] in done.stdout.replace(",", "")


def test_the_command_on_record_is_the_one_that_was_given(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    workdir, done = run
    given = ["python", "-m", "experiments.compare", ADDING, *TINY, f"--workdir={workdir}"]
    assert f"\ncommand: {shlex.join(given)}\n" in done.stdout
    assert records.read(workdir / "records.jsonl").header.env["command"] == given
    assert f"python -m experiments.compare {ADDING} --config.updates=2" in (workdir / "report.html").read_text()


def test_the_report_is_made_again_from_the_records_alone(
    run: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    workdir, _ = run
    (tmp_path / "records.jsonl").write_bytes((workdir / "records.jsonl").read_bytes())
    done = launch("report", f"--workdir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "summary.csv").read_text() == (workdir / "summary.csv").read_text()
    assert (tmp_path / "report.html").stat().st_size > 10_000


@fault("working directory", "a finished run of another config")
def test_a_finished_run_is_reported_again_and_another_is_refused(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    workdir, _ = run
    records = (workdir / "records.jsonl").read_bytes()
    (workdir / "report.html").unlink()
    again = launch("compare", ADDING, *TINY, f"--workdir={workdir}")
    assert again.returncode == 0 and (workdir / "report.html").exists()
    other = launch("compare", ADDING, *TINY, "--config.batch_size=5", f"--workdir={workdir}")
    assert other.returncode == 2 and str(workdir) in other.stderr
    seen(other)
    assert (workdir / "records.jsonl").read_bytes() == records


def test_print_config_fills_in_every_default_and_trains_nothing(tmp_path: Path) -> None:
    done = launch(
        "compare",
        f"--config={ROOT}/configs/adding.py",
        "--print_config",
        "--config.cells.gru.reset=before",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    assert config["cells"]["gru"]["reset"] == "before" and config["seeds"] == 5
    options = {"forget_bias": 1.0, "peepholes": False, "chrono": None, "param_dtype": "float32", "dtype": None}
    assert config["cells"]["lstm"].items() >= options.items()
    assert (config["cells"]["lstm"]["recurrent_init"], config["cells"]["rnn"]["activation"]) == ("orthogonal", "relu")
    task = inspect.signature(TASKS["adding"]).parameters
    assert config["task"] == {"name": "adding", **{name: p.default for name, p in task.items()}}
    asked = make_plan(experiment_from("x", f"{ROOT}/configs/adding.py:cells.gru.reset=before", {}))
    assert [cell.model for cell in make_plan(experiment(config)).cells] == [cell.model for cell in asked.cells]
    for label, cell in config["cells"].items():
        own = {"kind", "hidden_size", "learning_rate", "updates"}
        assert set(cell) == own | set(inspect.signature(CELLS[cell["kind"]]).parameters), label
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_one_s_own_code_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np\nimport gru_research as gr\n\n\n"
        "def mine(hidden_size: int, gain: float = 2.5, table=np.ones(2)):\n    return gr.GRU(hidden_size)\n"
    )
    shared = {"cells": {"mine": {"kind": f"{tmp_path}/own.py:mine"}}}
    plan = make_plan(experiment_from("x", f"{ROOT}/configs/adding.py", shared))
    found = with_every_option(plan.config)["cells"]["mine"]
    assert (found["gain"], found["table"]) == (2.5, "array([1., 1.])")


def test_fields_behind_the_variant_and_fields_that_the_file_leaves_out(tmp_path: Path) -> None:
    path = f"--config={ROOT}/configs/smnist.py:pixels,updates=7,optimizer.warmup=3"
    done = launch("compare", path, "--print_config", "--config.cells.lstm.peepholes=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    assert (config["task"]["order"], config["updates"], config["optimizer"]["warmup"]) == ("pixels", 7, 3)
    assert config["cells"]["lstm"]["peepholes"] is True


def test_fields_of_groups_that_the_file_leaves_out(tmp_path: Path) -> None:
    groups = ["--config.tune.draws=3", "--config.tune.clip=(0.5, 2)", "--config.horizon.values", "(5, 6)"]
    done = launch("compare", f"--config={ROOT}/configs/adding.py", "--print_config", *groups, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    assert (config["tune"]["draws"], config["tune"]["clip"], config["tune"]["seeds"]) == (3, [0.5, 2.0], 1)
    assert config["horizon"] == {"field": "task.length", "values": [5, 6], "solved": 0.5}


TASK = """
import ml_collections
def get_config(length="4"):
    return ml_collections.ConfigDict({
        "task": {"name": "adding", "length": int(length), "validation_size": 5, "test_size": 5, "threshold": 1e9},
        "cells": {"rnn": {"kind": "rnn", "hidden_size": 2}},
        "updates": 2, "eval_every": 1, "batch_size": 3, "seeds": 2,
    })
"""
SUITE = """
import ml_collections
def get_config():
    return ml_collections.ConfigDict({
        "title": "two lengths",
        "runs": {"short": "task.py", "long": "task.py:6,updates=3,task.test_size=4"},
        "shared": {"seeds": 1},
    })
"""


def test_a_named_config_may_give_several_values_to_a_field() -> None:
    spec = f"{ROOT}/configs/adding.py:tanh,tune.learning_rate=(1e-3,1e-2),seeds=2"
    made = experiment_from("x", spec, {"tune": {"draws": 3}})
    assert made.tune.learning_rate == (1e-3, 1e-2) and (made.tune.draws, made.seeds) == (3, 2)
    assert dict(made.cells[2].options)["activation"] == "tanh"


@fault("names", "a suite's run that is a path", "a suite's run of 300 characters", "a suite's run called figures")
def test_names_of_a_suite_s_runs_are_names_of_directories(tmp_path: Path) -> None:
    for name, said in (("/etc/x", "letters"), ("x" * 300, "at most 100"), ("figures", "of the report")):
        runs = {name: "task.py"}
        (tmp_path / "suite.py").write_text(
            f"import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict({{'runs': {runs!r}}})\n"
        )
        done = launch("suite", "--config=suite.py", "--workdir=it", cwd=tmp_path)
        (line,) = done.stderr.strip().splitlines()
        assert done.returncode == 2 and said in line and len(line) < 200
        seen(done)
        assert [path.name for path in tmp_path.iterdir()] == ["suite.py"]


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/../../b", "x" * 400, "é" * 200, "..", ".hidden", "a\0b"])
def test_a_new_directory_lies_right_under_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = new_workdir(name)
    made.mkdir(parents=True)
    assert made.resolve().parent == (tmp_path / "runs").resolve() and not made.name.startswith(".")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "suite.py").write_text(SUITE)
    return tmp_path


def test_a_suite_trains_its_runs_once_and_reports_on_all(suite: Path) -> None:
    arguments = ["--config=suite.py", "--workdir=it", "--config.shared.batch_size=4"]
    part = launch("suite", *arguments, "--runs=long", cwd=suite)
    assert part.returncode == 0, part.stderr
    assert not (suite / "it" / "short").exists()
    whole = launch("suite", *arguments, cwd=suite)
    assert whole.returncode == 0 and "it/long is finished" in whole.stdout, whole.stderr
    configs = {name: json.loads((suite / "it" / name / "config.json").read_text()) for name in ("short", "long")}
    assert [configs[name]["task"]["length"] for name in configs] == [4, 6]
    assert [configs[name]["updates"] for name in configs] == [2, 3]
    assert [configs[name]["task"]["test_size"] for name in configs] == [5, 4]
    assert [(c["seeds"], c["batch_size"]) for c in configs.values()] == [(1, 4)] * 2
    with (suite / "it" / "summary.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["long", "short"]  # a ConfigDict sorts its fields
    assert "two lengths" in (suite / "it" / "report.html").read_text()


def test_compare_goes_along_a_horizon(suite: Path) -> None:
    done = launch("compare", "--config=task.py", "--workdir=it", "--config.horizon.values=(5,)", cwd=suite)
    assert done.returncode == 0, done.stderr
    config = json.loads((suite / "it" / "length-5" / "config.json").read_text())
    assert config["task"]["length"] == 5 and config["only"] == "rnn"
    assert json.loads((suite / "it" / "study.json").read_text())["kind"] == "horizon"
    assert (suite / "it" / "report.html").stat().st_size > 1000


SPECS = [
    (3, "config.runs.x=3 must name a config"),
    ("nope.py", "config.runs.x='nope.py': nope.py: no such file"),
    pytest.param(
        "task.py:5,6", "config.runs.x='task.py:5,6' names 2 variants", marks=fault("command line", "two variants")
    ),
    pytest.param(
        "task.py:five",
        "config.runs.x='task.py:five': invalid literal",
        marks=fault("command line", "a variant that the config refuses"),
    ),
    ("task.py:updtes=3", "config.runs.x='task.py:updtes=3': config has no field 'updtes'"),
    ("task.py:updates=x", "config.runs.x='task.py:updates=x': config.updates='x' must be a whole number"),
    ("broken.py", "config.runs.x='broken.py': broken.py, line 1: NameError"),
]


@pytest.mark.parametrize(("spec", "said"), SPECS)
def test_a_mistake_in_a_suite_names_the_run(
    spec: object, said: str, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(suite)
    (suite / "broken.py").write_text("x = undefined_name\n")
    with pytest.raises(UserError) as caught:
        experiment_from("config.runs.x", spec, {})
    assert str(caught.value).startswith(said)
    seen(caught)


def test_shared_fields_are_put_over_a_run_s_own(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(suite)
    made = experiment_from("x", "task.py:7,seeds=9,select=best", {"seeds": 3, "tune": {"draws": 4}, "only": "rnn"})
    assert (made.task.options["length"], made.seeds, made.select, made.tune.draws) == (7, 3, "best", 4)
    with pytest.raises(UserError, match=r"x='task.py': config has no field 'sed'"):
        experiment_from("x", "task.py", {"sed": 3})


def test_a_table_that_only_counts_is_exact_and_writes_nothing(tmp_path: Path) -> None:
    done = launch("replicate", "--table=chung2014-parameters", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("exact") >= 3 and "off by" not in done.stdout and "not run" not in done.stdout
    for count in ("168,400", "168,888", "169,065"):
        assert done.stdout.count(count) == 2
    assert list(tmp_path.iterdir()) == []


MAINS = {path.stem: path for path in (ROOT / "experiments").glob("*.py")}
MAINS |= {path.parent.name: path for path in (ROOT / "experiments").glob("*/__main__.py")}
SOURCES = {name: path.read_text() for name, path in MAINS.items()}
SHARED = {path.stem: path.read_text() for path in (ROOT / "experiments" / "cli").glob("*.py")}
LAUNCHERS = sorted(name for name, text in SOURCES.items() if 'if __name__ == "__main__"' in text)


def defined_flags(name: str) -> set[str]:
    """The flags of a launcher, as its source and that of what it shares define them."""
    text = SOURCES[name]
    if "running.define_flags()" in text:
        text += SHARED["running"]
    elif "running.define_data_flags()" in text:
        text += SHARED["running"].partition("def define_data_flags")[2]
    if "distributed.define_flags()" in text:
        text += SHARED["distributed"]
    if "submitted.define_flags(" in text:
        shared = (ROOT / "experiments" / "slurm" / "submitted.py").read_text()
        text += shared if "submitted.define_flags(array=" in text else shared.replace('DEFINE_bool("array"', "")
    found = set(re.findall(r"flags\.DEFINE_\w+\(\s*\"(\w+)\"", text))
    return found | ({"config"} if "config=True" in text else set())


@pytest.mark.parametrize("name", LAUNCHERS)
def test_help_shows_every_flag_of_ours_and_none_of_the_libraries(name: str) -> None:
    done = launch(name, "--help")
    assert done.returncode == 0 and done.stderr == ""
    assert f"python -m experiments.{name}" in done.stdout
    assert set(re.findall(r"^  --(\w+)", done.stdout, re.MULTILINE)) == defined_flags(name)


def test_help_says_what_a_flag_does_and_its_default() -> None:
    done = launch("compare", "--config=nothing.py", "-h")
    assert done.returncode == 0
    for flag, said in (("workdir", "default: a new one"), ("checkpoint_seconds", "(default: 60.0)")):
        assert re.search(rf"^  --{flag} [^-]*{re.escape(said)}", done.stdout, re.MULTILINE)
    assert "tfds_debug_list_dir" in launch("compare", "--helpfull").stdout


MISTAKES = [
    pytest.param(
        ["compare", ADDING, f"--workdir={'x' * 300}"],
        ["workdir='xxx", "File name too long"],
        marks=fault("names", "a working directory of 300 characters"),
    ),
    pytest.param(
        ["report", f"--workdir={'x' * 300}"],
        ["File name too long: xxx"],
        marks=fault("names", "a directory to report on of 300 characters"),
    ),
    pytest.param(
        ["compare", "--config=configs/nope.py"],
        ["configs/nope.py", "configs/adding.py"],
        marks=fault("command line", "a missing config file"),
    ),
    pytest.param(["compare"], ["--config"], marks=fault("command line", "no config named")),
    pytest.param(
        ["compare", "--config=configs/smnist.py:colums"],
        ["'colums'", "rows, pixels, permuted"],
        marks=fault("command line", "an unknown variant"),
    ),
    pytest.param(
        ["compare", ADDING, "--config.updtes=3"],
        ["'updtes'", "did you mean 'updates'"],
        marks=fault("command line", "an unknown field"),
    ),
    (["compare", ADDING, "--config.optimizer.lr=3"], ["'lr'", "learning_rate"]),
    pytest.param(
        ["compare", ADDING, "--config.updates=x"],
        ["config.updates=x", "whole number"],
        marks=fault("command line", "a text instead of a number"),
    ),
    (["compare", ADDING, "--config.optimizer.learning_rate=x"], ["config.optimizer.learning_rate=x", "a number"]),
    (["compare", ADDING, "--config.batch_size=0"], ["config.batch_size=0", "at least 1"]),
    (["compare", ADDING, "--config.cells.gru.hidden_size=-4"], ["config.cells.gru.hidden_size=-4", "at least 1"]),
    pytest.param(
        ["compare", ADDING, "--config.cells.gru.kind=grru"],
        ["'grru'", "gru, lstm, rnn"],
        marks=fault("cells and layers", "an unknown kind of cell"),
    ),
    pytest.param(
        ["compare", ADDING, "--config.task.name=addng"],
        ["'addng'", "did you mean 'adding'", "adding, multiplication"],
        marks=fault("tasks", "an unknown task"),
    ),
    pytest.param(
        ["compare", ADDING, "--config.optimizer.name=adm"],
        ["'adm'", "adam"],
        marks=fault("config", "an unknown optimiser"),
    ),
    pytest.param(
        ["compare", ADDING, "--require_backend=gpu"],
        ["--require_backend=gpu", "cpu"],
        marks=fault("command line", "an unavailable backend"),
    ),
    pytest.param(
        ["compare", ADDING, "--workdr=x"],
        ["--workdr", "did you mean --workdir"],
        marks=fault("command line", "an unknown flag"),
    ),
    pytest.param(
        ["compare", "--updates=50"],
        ["unknown flag --updates; did you mean --config.updates?"],
        marks=fault("command line", "a field of the config as a flag"),
    ),
    (["compare", ADDING, "--learning_rate=0.1"], ["--learning_rate; did you mean --config.optimizer.learning_rate?"]),
    (["compare", ADDING, "--length=9"], ["--length; did you mean --config.task.length?"]),
    (["suite", "--config=configs/suites/generated.py", "--seds=9"], ["--seds; did you mean --config.shared.seeds?"]),
    pytest.param(["compare", ADDING, "stray"], ["'stray'"], marks=fault("command line", "a word that isn't a flag")),
    pytest.param(
        ["report", "--workdir=/nowhere/at/all"],
        ["/nowhere/at/all"],
        marks=fault("command line", "a missing directory"),
    ),
    pytest.param(["report"], ["--workdir"], marks=fault("command line", "no directory to report on")),
    pytest.param(["prepare", "--dataset=mnits"], ["'mnits'", "mnist"], marks=fault("data", "an unknown data set")),
    (["compare", ADDING, "--config.tune.drws=3"], ["config.tune has no field 'drws'", "did you mean 'draws'"]),
    pytest.param(
        ["suite", ADDING],
        ["config has no field 'batch_size'", "title, runs, shared"],
        marks=fault("command line", "a run's config instead of a suite's"),
    ),
    pytest.param(
        ["replicate", "--table=ading"],
        ["--table='ading'", "did you mean 'adding'"],
        marks=fault("command line", "an unknown published table"),
    ),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda v: " ".join(v)[:60])
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], said: list[str]) -> None:
    done = launch(*arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    assert all(part in line for part in said), line
    seen(done)


@fault("working directory", "a directory that can't be made")
def test_a_workdir_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = launch("compare", ADDING, *TINY, f"--workdir={tmp_path}/file/run")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1 and "file" in done.stderr
    seen(done)


@fault("working directory", "a directory with other content")
def test_a_workdir_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = launch("compare", ADDING, *TINY, f"--workdir={tmp_path}")
    assert done.returncode == 2 and [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    seen(done)


@fault("records", "a schema of another project")
def test_records_of_another_schema(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text('{"kind":"run","schema":"other/9"}\n')
    done = launch("report", f"--workdir={tmp_path}")
    assert done.returncode == 2 and "other/9" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    seen(done)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("def get_config(:\n", "line 1", marks=fault("command line", "a config that isn't Python")),
        pytest.param("x = undefined_name\n", "undefined_name", marks=fault("command line", "a config that fails")),
        pytest.param(
            "import ml_collections\ndef get_config():\n    return 3\n",
            "ConfigDict",
            marks=fault("command line", "a config that returns something else"),
        ),
        pytest.param("x = 1\n", "get_config", marks=fault("command line", "a config without get_config")),
    ],
)
def test_a_broken_config_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    done = launch("compare", f"--config={tmp_path}/mine.py")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2 and "mine.py" in line and said in line
    seen(done)


@fault("data", "a data set that isn't prepared, and no network")
def test_no_data_is_one_line_at_once(tmp_path: Path) -> None:
    started = time.monotonic()
    blocked = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        command(
            "compare", "--config=configs/smnist.py:rows", f"--data_dir={tmp_path}/data", f"--workdir={tmp_path}/run"
        ),
        cwd=ROOT, env=os.environ | blocked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and time.monotonic() - started < 60
    (line,) = done.stderr.strip().splitlines()
    assert "experiments.prepare" in line and "--manual_dir" in line
    seen(done)
    assert not (tmp_path / "run").exists()


@fault("data", "a raw file with a wrong checksum")
def test_a_corrupted_raw_file_leaves_nothing_half_prepared(tmp_path: Path, mnist_manual_dir: str) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for file in Path(mnist_manual_dir).glob("*.gz"):
        (raw / file.name).write_bytes(file.read_bytes())
    labels = raw / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(labels.read_bytes())
    content[1000] ^= 1
    labels.write_bytes(content)
    done = launch(
        "compare",
        "--config=configs/smnist.py:rows",
        f"--data_dir={tmp_path}/data",
        f"--manual_dir={raw}",
        f"--workdir={tmp_path}/run",
    )
    assert done.returncode == 2 and "t10k-labels-idx1-ubyte.gz" in done.stderr and "checksum" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists() and not list((tmp_path / "data").rglob("*"))
    seen(done)


@pytest.mark.parametrize("variant", ["rows", "permuted"])
def test_smnist_runs(variant: str, tmp_path: Path, mnist_data_dir: str) -> None:
    fields = ["updates=2", "eval_every=2", "seeds=1", "batch_size=4", "cells.gru.hidden_size=2", "only=gru"]
    done = launch(
        "compare", f"--config=configs/smnist.py:{variant}," + ",".join(fields),
        f"--data_dir={mnist_data_dir}", f"--workdir={tmp_path}/run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (tmp_path / "run" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["task"] for row in rows} == {f"smnist-{variant}"} and all(0 <= float(row["iqm"]) <= 1 for row in rows)


@pytest.mark.processes
@fault("signals", "SIGTERM", "SIGUSR2", "Ctrl-C")
def test_signals_leave_a_checkpoint_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Preemption's exit with 143 at once, Ctrl-C's with 130 after a report."""
    workdir = tmp_path / "run"
    arguments = [
        ADDING, *TINY, "--config.updates=1000000", "--config.eval_every=500", "--config.seeds=1",
        f"--workdir={workdir}",
    ]  # fmt: skip
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    records = workdir / "records.jsonl"
    before = 0
    for number, status in ((signal.SIGTERM, 143), (signal.SIGUSR2, 143), (signal.SIGINT, 130)):
        with subprocess.Popen(
            command("compare", *arguments), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            deadline = time.monotonic() + 120
            while not (records.exists() and records.read_text().count('"evaluation"') >= before + 2):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == status, errors
        seen(errors, ends=str(process.returncode))
        assert json.loads(records.read_text().splitlines()[-1])["status"] == "interrupted"
        assert "resumes from here" in errors and ("going on with gru, training, update" in errors) == (before > 0)
        assert (workdir / "report.html").exists() == (number == signal.SIGINT)
        before = records.read_text().count('"evaluation"')
    assert "interrupted" in (workdir / "report.html").read_text().lower()
