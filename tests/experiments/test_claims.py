"""`experiments.claims` as a command on a config that runs in seconds, and the rules of its verdicts."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from experiments.claims import ablations, context, gates, gradients, overfitting, verdicts
from gru_research import records
from gru_research.config import UserError, experiment
from gru_research.data import DataDirs
from gru_research.report import results
from gru_research.report.claims import findings
from tests.experiments.claims_config import config
from tests.faults import fault, seen
from tests.launching import PYTHONPATH, ROOT, command, launch

CONFIG = f"--config={Path(__file__).with_name('claims_config.py')}"
NAMES = ["gradients", "memory", "size", "speed", "overfitting", "gates", "ablations"]


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, mnist_data_dir: str
) -> tuple[Path, list[str], subprocess.CompletedProcess[str]]:
    workdir = tmp_path_factory.mktemp("claims") / "it"
    arguments = [CONFIG, f"--workdir={workdir}", f"--data_dir={mnist_data_dir}"]
    return workdir, arguments, launch("claims", *arguments)


@pytest.fixture
def copy(done: tuple[Path, list[str], subprocess.CompletedProcess[str]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(done[0], tmp_path / "copy"))


@pytest.mark.processes
def test_every_claim_gets_a_verdict_and_the_page_shows_it(
    done: tuple[Path, list[str], subprocess.CompletedProcess[str]],
) -> None:
    workdir, _, process = done
    assert process.returncode == 0, process.stderr
    assert all(line.startswith("warning: rnn has") for line in process.stderr.splitlines()), process.stderr
    found = findings.read(workdir)
    assert [finding.name for finding in found.findings] == NAMES and found.missing == ()
    page = (workdir / "claims.html").read_text()
    for finding in found.findings:
        untaught = finding.name in ("gates", "ablations")  # of cells that have learned nothing in 4 updates
        decided = finding.verdict in ("holds", "holds when", "doesn't hold")
        assert (finding.verdict == "not shown" if untaught else decided) and finding.seconds > 0
        assert finding.ran and finding.rule and finding.says and finding.shown
        assert f'id="{finding.name}"' in page and f"{finding.name}: {finding.verdict}." in process.stdout
    drawn = {f"{shown.name}.png" for finding in found.findings for shown in finding.shown if hasattr(shown, "name")}
    assert drawn == {path.name for path in (workdir / "figures").iterdir()}
    for run in ("memory", "more_memory", "without", "few", "more", "few-weight_decay"):
        assert records.read(workdir / "runs" / run / records.FILE_NAME).finished
        assert f'href="runs/{run}/report.html"' in page


@pytest.mark.processes
def test_the_same_command_finds_only_what_is_missing(
    done: tuple[Path, list[str], subprocess.CompletedProcess[str]], copy: Path
) -> None:
    _, arguments, _ = done
    (copy / "findings" / "size.json").unlink()
    again = launch("claims", *arguments[:1], f"--workdir={copy}", *arguments[2:])
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("found already") == 6 and "updates, evaluated" not in again.stdout
    assert len(findings.read(copy).findings) == 7
    other = launch("claims", *arguments[:1], f"--workdir={copy}", "--config.claims.size.input_size=3")
    assert (
        other.returncode == 2
        and "holds another set of claims: claims.size.input_size is None there, and 3 was" in other.stderr
    )


@pytest.mark.processes
def test_the_report_makes_the_page_again_without_training(copy: Path) -> None:
    before = _words(copy)
    for path in [copy / "claims.html", copy / "claims.md", *(copy / "figures").iterdir()]:
        path.unlink()
    again = launch("report", f"--workdir={copy}")
    assert again.returncode == 0, again.stderr
    assert _words(copy) == before and (copy / "figures" / "speed.png").is_file()


def _words(workdir: Path) -> str:
    """The page without its figures, whose places differ in the last bits with what was drawn before them."""
    return re.sub(r"data:image/svg\+xml;base64,[\w+/=]+", "", (workdir / "claims.html").read_text())


@fault("data", "claims on an unavailable data set")
def test_a_claim_without_its_data_is_not_run_and_says_why(tmp_path: Path) -> None:
    blocked = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    flags = ["--config.only=overfitting,size", f"--workdir={tmp_path}/it", f"--data_dir={tmp_path}/none"]
    process = launch("claims", CONFIG, *flags, **blocked)
    assert process.returncode == 0, process.stderr
    size, without = findings.read(tmp_path / "it").findings
    assert without.verdict == "not run" and size.verdict != "not run"
    assert "experiments.prepare" in without.says and not (tmp_path / "it" / "runs").exists()
    assert "Not finished: gradients, memory, speed, gates, ablations" in (tmp_path / "it" / "claims.html").read_text()
    seen(without.says)


@pytest.mark.processes
def test_an_interrupted_command_leaves_what_it_found(tmp_path: Path) -> None:
    # More updates than anybody waits for; the signal comes in the midst of them.
    flags = ["--config.only=size,memory", f"--workdir={tmp_path}/it", "--config.runs.memory.updates=10000000"]
    env = os.environ | {"PYTHONPATH": PYTHONPATH, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command("claims", CONFIG, *flags), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r"\[ *\d+%\] \w+ \d+/10000000", line):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, (out, err)
    assert err.count("resumes from here") == 1 and f"--workdir={tmp_path}/it resumes from here" in err
    page = (tmp_path / "it" / "claims.html").read_text()
    assert "Not finished: gradients, memory, size, speed" in page


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param(
            ["--config.only=sise"],
            ["config.only='sise' is unknown", "did you mean 'size'"],
            marks=fault("config", "an unknown claim"),
        ),
        (["--config.claims.memory.run=memry"], ["config.claims.memory", "'memry'", "did you mean 'memory'"]),
        (["--config.claims.memory.gru=gruu"], ["config.claims.memory.gru='gruu' is no cell", "gru, rnn"]),
        (
            ["--config.claims.memory.also=few"],
            ["config.claims.memory: smnist-rows", "of the run 'few'", "has no error with a trivial one"],
        ),
        (["--config.claims.memory.vanilla="], ["config.claims.memory.vanilla is empty: name at least one"]),
        (["--config.claims.ablations.needed="], ["config.claims.ablations.needed is empty"]),
        (["--config.claims.overfitting.sizes=more,few"], ["sizes='more,few' must begin with the run of the smallest"]),
        (["--config.claims.overfitting.sizes="], ["config.claims.overfitting.sizes is empty"]),
        (["--config.claims.size.hiden=3"], ["config.claims.size", "'hiden'"]),
        (["--config.claims.speed.rounds=2"], ["config.claims.speed", "rounds=2 must be at least 6"]),
        (["--config.runs.memory.updates=-1"], ["config.runs.memory", "updates=-1"]),
        (["--config.runs.memory.task.name=copy"], ["config.runs.memory", "did you mean 'copy_memory'"]),
        (["--config.claims.gates.cell=rnn"], ["config.claims.gates.cell='rnn' is a vanilla RNN: it has no gates"]),
        (
            ["--config.runs.memory.model.bidirectional=true", "--config.runs.memory.probes="],
            ["config.claims.gradients.run='memory': gru is bidirectional"],
        ),
        (["--config.runs.few-weight_decay.updates=-3"], ["config.runs.few-weight_decay", "updates=-3"]),
        (["--config.runs.memory.model.layer=2"], ["config.runs.memory: config.model has no field 'layer'", "'layers'"]),
        (["--config.only.x=3"], ["config.only='' is a value: it has no field 'x'"]),
        (["--config.title=x"], ["'title'", "only, claims, runs"]),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_trained(flags: list[str], said: list[str], tmp_path: Path) -> None:
    process = launch("claims", CONFIG, *flags, f"--workdir={tmp_path}/it")
    assert process.returncode == 2, process.stdout
    (line,) = (line for line in process.stderr.splitlines() if not line.startswith("warning: rnn has"))
    assert all(part in line for part in said), line
    assert not (tmp_path / "it" / "runs").exists()
    seen(process)


def test_data_that_no_lag_can_be_counted_in_are_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = experiment(config()["runs"]["memory"] | {"probes": ""})
    sets = {"validation": {"inputs": np.zeros((12, 8, 2)), "mask": np.ones((12, 8))}}  # as a task of a user's may have
    monkeypatch.setattr(context, "load_sets", lambda plan, dirs: sets)

    def train(name: str) -> None:
        raise AssertionError(f"{name} was trained")

    claims = context.ClaimContext(tmp_path, DataDirs(), {"memory": run}, train, print)
    with pytest.raises(UserError, match=r"config\.runs\.memory: gru reads sequences with mask"):
        claims.followed("memory")


def test_another_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    process = launch("claims", CONFIG, f"--workdir={tmp_path}")
    assert process.returncode == 2 and "holds something else" in process.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_gradients_verdict_can_say_each() -> None:
    def alive(gru: str, rnn: str) -> dict[str, dict[str, bool]]:
        return {label: {"before": "b" in when, "after": "a" in when} for label, when in (("gru", gru), ("rnn", rnn))}

    def verdict(gru: str, rnn: str) -> str:
        return gradients.verdict(alive(gru, rnn), "gru", ["rnn"])

    assert verdict("ba", "") == "holds" and verdict("b", "") == "holds"
    assert verdict("a", "") == "holds when" and verdict("ba", "a") == "holds when"
    assert verdict("", "ba") == "doesn't hold" and verdict("", "") == "doesn't hold"


def test_the_other_verdicts_can_say_each() -> None:
    assert [verdicts.verdict(held) for held in ([True, True], [True, False], [False, False])] == [
        "holds", "holds when", "doesn't hold",
    ]  # fmt: skip
    assert [gates.verdict(*read) for read in ((False, False), (True, False), (True, True))] == [
        "holds", "holds when", "doesn't hold",
    ]  # fmt: skip
    assert verdicts.verdict([None, True]) == verdicts.verdict([None, True, False]) == "holds when"
    assert verdicts.verdict([None, False]) == "not shown"
    assert [ablations.needed_anywhere(worse) for worse in ([None, True], [None, False], [False, False])] == [
        True, None, False,
    ]  # fmt: skip
    assert overfitting.verdict(False, [True]) == "doesn't hold"
    assert overfitting.verdict(True, [True, True]) == "holds"
    assert overfitting.verdict(True, [True, False]) == "holds when"


def test_what_counts_as_learned() -> None:
    """A tenth of the way from a trivial answer to a solution: of an error in its logarithm."""
    error = results.Task("adding", "mse", {"mse": "min"}, "mse", threshold=0.01, trivial={"always 1": 1.0})
    at = 10**-0.2
    assert verdicts.learned(error, 0.999 * at) and not verdicts.learned(error, 1.001 * at)
    accuracy = results.Task(
        "parity", "accuracy", {"accuracy": "max"}, "accuracy", threshold=1.0, trivial={"always 0": 0.5}
    )
    assert verdicts.learned(accuracy, 0.551) and not verdicts.learned(accuracy, 0.549)
    assert not verdicts.learned(error, np.inf) and not verdicts.learned(error, np.nan)


def test_a_seed_that_diverged_has_the_largest_gap() -> None:
    gap = overfitting.Gap(np.array([1.0, 0.9, np.nan, 1.0, 1.0]), np.array([0.5, 0.5, 0.5, 0.5, 0.5]))
    assert gap.values.tolist() == [0.5, 0.4, np.inf, 0.5, 0.5]
    assert gap.iqm == pytest.approx(0.5)


@pytest.mark.processes
def test_a_finding_names_the_numbers_that_its_verdict_follows_from(
    done: tuple[Path, list[str], subprocess.CompletedProcess[str]],
) -> None:
    """The rules hold for the numbers on the page, read back from its tables."""
    workdir, _, _ = done
    found = {finding.name: finding for finding in findings.read(workdir).findings}
    table = json.loads((workdir / "findings" / "speed.json").read_text())["shown"][1]["rows"]
    below = [float(row[4].split(",")[1].rstrip("] ")) < 1 for row in table if row[0].startswith("GRU")]
    assert found["speed"].verdict == verdicts.verdict(below)
    rows = json.loads((workdir / "findings" / "size.json").read_text())["shown"][0]["rows"]
    ratios = [float(row[2]) for row in rows if row[0].startswith("GRU")]
    assert (max(abs(ratio - 0.75) for ratio in ratios) <= 0.01) == (found["size"].verdict == "holds")
