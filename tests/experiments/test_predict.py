"""`experiments.predict` as a command on small trained runs, and how it reads inputs."""

import dataclasses
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.prediction import answers, inputs, interactive, outputs
from gru_research import runs
from gru_research.config import UserError
from gru_research.data import DataDirs
from gru_research.runs import loaded_run
from gru_research.runs.predict import Prediction, Sampling, predict
from gru_research.tasks import TASKS
from tests.faults import fault, seen
from tests.launching import launch
from tests.runs.small import PARITY as SMALL
from tests.runs.small import trained


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("predict") / "parity", SMALL)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory, scan_data_dir: str) -> Path:
    model = {"kind": "encoder_decoder", "embedding_size": 4, "attention": "none"}
    folder = tmp_path_factory.mktemp("predict") / "scan"
    return trained(
        folder, {"name": "scan"}, DataDirs(scan_data_dir), model=model, only="gru", optimizer={"learning_rate": 0.1}
    )


def asked(run: Path, *flags: str) -> Any:
    return launch("predict", f"--workdir={run}", *flags)


def test_a_class_of_every_cell_side_by_side(parity: Path) -> None:
    done = asked(parity, "--input=0110")
    assert (done.returncode, done.stderr) == (0, "")
    found = predict(runs.load(parity), ["0110"])
    head, seeds, *rest = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert head == ["gru", "rnn"] and seeds == ["input", *(f"{w}" for p in found for w in ("seed", str(p.seed)))]
    assert rest[-1] == ["0110", *(w for p in found for w in answers.said(p.answer).split())]


def test_json_lines_of_a_file_are_what_the_library_gives(parity: Path, tmp_path: Path) -> None:
    texts = ["0110", "1", "000000000000"]
    (tmp_path / "strings.txt").write_text("\n".join(texts) + "\n")
    done = asked(parity, f"--input={tmp_path / 'strings.txt'}", "--json", "--seed=0,1", "--cell=rnn", "--batch_size=2")
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = predict(runs.load(parity), texts, "rnn", "all")
    assert [(line["input"], line["cell"], line["seed"]) for line in found] == [
        (p.input, p.cell, p.seed) for p in wanted
    ]
    assert [line["answer"]["class"] for line in found] == [p.answer["class"] for p in wanted]
    np.testing.assert_allclose(
        [line["answer"]["probability"] for line in found], [p.answer["probability"] for p in wanted], rtol=1e-5
    )
    together = asked(parity, f"--input={tmp_path / 'strings.txt'}", "--json", "--ensemble")
    lines = [json.loads(line) for line in together.stdout.splitlines()]
    assert [line["seed"] for line in lines] == [None] * 6
    odd = [line["answer"]["probabilities"]["odd"] for line in lines if line["cell"] == "rnn"]
    each = [line["answer"]["probabilities"]["odd"] for line in found]
    np.testing.assert_allclose(odd, np.reshape(each, (3, 2)).mean(1), rtol=1e-5)


def test_test_examples_that_are_given_as_inputs_reach_the_test_metric(
    parity: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's own sets are left alone."""
    monkeypatch.setattr(loaded_run, "load_sets", lambda *_: pytest.fail("the sets were loaded"))
    run = runs.load(parity)
    test = run.task.data.load(DataDirs())["test"]
    inputs = ["".join(map(str, row[:length])) for row, length in zip(test["inputs"], test["lengths"], strict=True)]
    right = {}
    for n, found in enumerate(predict(run, inputs, seeds="all")):
        is_right = found.answer["class"] == ("even", "odd")[test["targets"][n // 4]]
        right[found.cell, found.seed] = right.get((found.cell, found.seed), 0) + is_right / len(inputs)
    results = run.records("result")
    recorded = dict(zip(zip(results["cell"], results["seed"], strict=True), results["test_metric"], strict=True))
    assert right == pytest.approx(recorded)


def test_a_command_is_answered_by_actions(scan: Path) -> None:
    done = asked(scan, "--input=walk twice and jump left", "--json", "--seed=all")
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = predict(runs.load(scan), ["walk twice and jump left"], seeds="all")
    assert found == [dataclasses.asdict(p) for p in wanted] and [p.seed for p in wanted] == [0, 1]


def test_an_interrupted_run_answers_with_the_cells_that_are_done(parity: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(parity, tmp_path / "run"))
    shutil.rmtree(run / "checkpoints" / "rnn")
    done = asked(run, "--input=01", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["cell"] for line in done.stdout.splitlines()] == ["gru"]


def without_parameters(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")


def of_another_version(run: Path) -> None:
    for name in ("records.jsonl", "config.json"):
        path = run / name
        path.write_text(path.read_text().replace('"parity"', '"parities"'))


@fault("predictions", "a run without parameters", "a run of an unknown task")
def test_a_run_that_can_not_be_asked_is_one_line(parity: Path, tmp_path: Path) -> None:
    ways: dict[Callable[[Path], None], str] = {
        without_parameters: "has no parameters",
        of_another_version: "'parities' is unknown",
    }
    for change, says in ways.items():
        run = Path(shutil.copytree(parity, tmp_path / change.__name__))
        change(run)
        done = asked(run, "--input=01")
        assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
        seen(done)


@fault(
    "predictions", "a word outside the vocabulary", "an unknown cell", "a seed that isn't a number", "no input",
    "a length where nothing is generated", "a nucleus where nothing is generated", "files of answers that have none",
    "an input beside --interactive",
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(parity: Path) -> None:
    for flags, says in (
        (["--input=01x"], "input 1: character='x' is unknown; choose from 0, 1"),
        (["--input=01", "--cell=lstm"], "cell='lstm' is unknown; choose from gru, rnn"),
        (["--input=01", "--seed=x"], "--seed=x must be whole numbers separated by commas, or all"),
        ([], '--input is missing: give a text, a file, or - for stdin, as --input="walk twice"'),
        (
            ["--input=01", "--length=3"],
            "--length is for answers that are generated after their inputs; parity generates none",
        ),
        (
            ["--input=01", "--top_p=0.9"],
            "--top_p is for answers that are generated after their inputs; parity generates none",
        ),
        (
            ["--input=01", "--output=DIR"],
            f"--output writes answers of {', '.join(outputs.WRITERS)}; parity has no files of answers",
        ),
        (["--input=01", "--interactive"], "--interactive reads the terminal: leave --input out"),
    ):
        done = asked(parity, *flags)
        assert (done.returncode, done.stderr) == (2, f"error: {says}\n")
        seen(done)


def test_lines_are_answered_as_they_come(
    parity: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("0110\n01x\n1\n\n01\n"))
    run = runs.load(parity)
    assert interactive.converse(run, ["gru"], None, Sampling()) == 0
    printed = capsys.readouterr()
    assert printed.err == "input 1: character='x' is unknown; choose from 0, 1\n"
    rows = [line.split() for line in printed.out.splitlines() if line.strip()[:1] in ("0", "1")]
    assert rows == [
        [text, *answers.said(p.answer).split()] for text in ("0110", "1") for p in predict(run, [text], "gru")
    ]


def test_a_conversation_answers_in_turn(
    parity: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = dataclasses.replace(runs.load(parity))
    heard: list[str] = []

    def session(*_: Any) -> interactive.Session:
        return lambda line: {"gru": f"{line}!", "rnn": str(heard.append(line) or len(heard))}

    monkeypatch.setattr(interactive, "SESSIONS", {"": session})
    monkeypatch.setattr(sys, "stdin", io.StringIO("a b\nc\n"))
    assert interactive.converse(run, None, None, Sampling()) == 0
    assert capsys.readouterr().out == "gru: a b!\nrnn: 1\ngru: c!\nrnn: 2\n"


def test_answers_are_written_by_input_cell_and_seed(tmp_path: Path) -> None:
    def write(given: Any, answer: Any, stem: Path) -> list[Path]:
        path = stem.with_suffix(".txt")
        path.write_text(f"{given} {answer}")
        return [path]

    found = [
        Prediction(text, cell, seed, text[::-1]) for text in ("ab", "cd") for cell, seed in (("gru", 3), ("rnn", None))
    ]
    paths = outputs.write_all(write, found, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [f"{n}-{of}.txt" for n in (1, 2) for of in ("gru-seed-3", "rnn-ensemble")]
    assert [path.read_text() for path in paths] == ["ab ba", "ab ba", "cd dc", "cd dc"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--output=.*/file can't be written: File exists"):
        outputs.write_all(write, found, tmp_path / "file")


PARITY = TASKS["parity"](length=8)
ADDING = TASKS["adding"](length=3)
DIGITS = TASKS["smnist"](order="rows")


def shapes(found: list[inputs.Asked]) -> list[tuple[int, ...]]:
    return [np.shape(one.raw) for one in found]


def test_lines_of_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("01\n1é\n".encode())))
    assert inputs.read("-", PARITY) == [("01", "01"), ("1é", "1é")]


def test_a_text_is_a_file_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert inputs.read("0110", PARITY) == [("0110", "0110")]
    Path("0110").write_text("1\n\n")
    assert inputs.read("0110", PARITY) == [("1", "1")]
    Path("0110").write_text("1\n\n0\n \n\n")
    assert [one.raw for one in inputs.read("0110", PARITY)] == ["1", "", "0"]
    assert inputs.read("0" * 5000, PARITY)[0].raw == "0" * 5000


def test_an_array_is_one_input_or_several(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for task, shape, found in (
        (ADDING, (3, 2), [(3, 2)]),
        (ADDING, (4, 3, 2), [(3, 2)] * 4),
        (DIGITS, (28, 28), [(28, 28)]),
        (DIGITS, (2, 28, 28), [(28, 28)] * 2),
        (DIGITS, (2, 784), [(784,)] * 2),
        (PARITY, (5,), [(5,)]),
        (PARITY, (2, 5), [(5,)] * 2),
    ):
        np.save(path, np.zeros(shape, np.uint8))
        read = inputs.read(str(path), task)
        assert shapes(read) == found
        assert read[-1].name == (str(path) if found == [shape] else f"{path}[{len(found) - 1}]")


def test_an_archive_has_inputs_and_what_is_real_of_them(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    tokens = np.array([[1, 0, 0], [1, 1, 1]])
    np.savez(path, inputs=tokens, lengths=[1, 3], targets=[1, 1])
    assert [one.raw.tolist() for one in inputs.read(str(path), PARITY)] == [[1], [1, 1, 1]]
    np.savez(path, inputs=tokens)
    assert shapes(inputs.read(str(path), PARITY)) == [(3,), (3,)]


def test_a_table_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("number,marker\n0.5,1\n0.25,0\n\n1e-1,1\n")
    (one,) = inputs.read(str(path), ADDING)
    np.testing.assert_array_equal(one.raw, [[0.5, 1], [0.25, 0], [0.1, 1]])
    path = tmp_path / "x.tsv"
    path.write_text("0\t1\t1\n1\t0\t0\n")
    assert shapes(inputs.read(str(path), PARITY)) == [(3,), (3,)]


def test_a_table_like_the_one_that_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prices = [f"2026-01-{day:02},{day}.5,{day * day}\n" for day in range(1, 31)]
    Path("prices.csv").write_text("date,open,close\n" + "".join(prices))
    series = TASKS["files"](train="prices.csv", target="close", length=3)
    Path("new.csv").write_text("open,volume,close\n1,9,2\n3,9,4\n5,9,6\n")
    (one,) = inputs.read("new.csv", series)
    assert one.raw.tolist() == [[1, 2], [3, 4], [5, 6]]
    Path("said.tsv").write_text("text\tlabel\n" + "it is good\tyes\nit is bad\tno\n" * 10)
    sentences = TASKS["files"](train="said.tsv")
    Path("new.tsv").write_text("id\ttext\n1\tis it bad?\n2\tgood\n")
    assert inputs.read("new.tsv", sentences) == [("is it bad?", "is it bad?"), ("good", "good")]
    Path("other.tsv").write_text("id\tsentence\n1\tgood\n")
    with pytest.raises(
        UserError, match=r"^other.tsv: has no column 'text', which was trained on; it has id, sentence$"
    ):
        inputs.read("other.tsv", sentences)


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_tokens_that_training_lacks_are_counted_or_refused(tmp_path: Path, unit: Any) -> None:
    path = tmp_path / "said.tsv"
    path.write_text("text\tlabel\n" + "it is good\tyes\nit is bad\tno\n" * 10)
    task = TASKS["files"](train=str(path), unit=unit)
    given = [inputs.Asked(text, text) for text in ("it is good", "it xy good")]
    wanted = {"words": "1 of 3", "characters": "2 of 10"}[unit]
    assert inputs.unknown(given, task) == [f"input 2: {wanted} tokens aren't known from training"]
    assert inputs.unknown(given[1:] * 12, task)[-1] == "2 more inputs have tokens that aren't known"
    text, shown = {"words": ("xyz uvw", "'xyz', 'uvw'"), "characters": ("xyzuvwx", "'x', 'y', 'z', 'u', 'v', ...")}[
        unit
    ]
    line = re.escape(f"no token of the input is known from training: {shown}")
    with pytest.raises(ValueError, match=f"^{line}$"):
        task.encode(text)


def test_unknown_tokens_are_warned_of_on_stderr(tmp_path: Path) -> None:
    path = tmp_path / "said.tsv"
    path.write_text("text\tlabel\n" + "it is good\tyes\nit is bad\tno\n" * 10)
    run = trained(tmp_path / "run", {"name": "files", "train": str(path)}, only="gru")
    done = asked(run, "--input=it was good", "--json")
    assert (done.returncode, done.stderr) == (0, "warning: input 1: 1 of 3 tokens aren't known from training\n")
    assert json.loads(done.stdout)["input"] == "it was good"


def test_a_rare_token_that_was_trained_may_be_all_of_an_input(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("ab" * 100 + "c" + "ab" * 100)
    assert TASKS["files"](train=str(path), min_count=2, length=5).encode("xx")["inputs"].tolist() == [2, 2]
    with pytest.raises(ValueError, match=r"^no token of the input is known from training: 'x'$"):
        TASKS["files"](train=str(path), length=5).encode("x")


FILES: dict[str, tuple[str, bytes, str]] = {
    "a file of arrays that is none": (
        "x.npy",
        b"walk",
        "x.npy: the array holds Python objects, which aren't read: store numbers or texts",
    ),
    "an archive that is none": ("x.npz", b"walk", "x.npz: is no .npz file (File is not a zip file)"),
    "a table with a word": ("x.csv", b"1,2\n3,x\n", "x.csv:2: 'x' must be a number"),
    "a table whose rows differ": ("x.csv", b"1,2\n3\n", "x.csv:2: must have 2 numbers, as line 1 has; it has 1"),
    "a table without numbers": ("x.csv", b"a,b\n", "x.csv has no line of numbers (a file of texts ends with .txt)"),
    "a table of another width": ("x.csv", b"1,2,3\n", "x.csv: an array of shape [1, 3] must have the shape [3, 2]"),
    "a file that isn't text": (
        "x.txt",
        b"a\n\xff",
        "x.txt:2: the byte 0xff isn't UTF-8: save the file in that encoding",
    ),
    "a file without a line": ("x.txt", b"", "x.txt: is empty"),
}


@fault(
    "predictions", "a file that isn't a file of arrays", "a file that isn't an archive", "a table with a word",
    "a table whose rows differ", "a table without numbers", "a table of the wrong width", "a file that isn't text",
    "a file without a line", "an archive without inputs", "lengths beyond the steps", "a missing file",
    "an empty stdin", "a file that can't be read",
)  # fmt: skip
def test_a_file_that_can_not_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def refused(given: str, says: str) -> None:
        with pytest.raises(UserError, match=f"^{re.escape(says)}$") as caught:
            inputs.read(given, ADDING)
        seen(caught)

    def no_permission(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    for name, content, says in FILES.values():
        Path(name).write_bytes(content)
        refused(name, says)
    np.save("x.npy", np.zeros((0, 10, 2)))
    with pytest.raises(UserError, match=r"^x.npy: an array of shape \[0, 10, 2\] holds no input$"):
        inputs.read("x.npy", ADDING)
    np.save("x.npy", np.zeros((2, 2, 3, 2)))
    many = r"^x.npy: an array of shape \[2, 2, 3, 2\] must be an input, of 2 axes, or several of them, of 3$"
    with pytest.raises(UserError, match=many):
        inputs.read("x.npy", ADDING)
    np.savez("y.npz", x=np.zeros(3))
    refused("y.npz", "y.npz: lacks the array 'inputs'; it has x")
    np.savez("y.npz", inputs=np.zeros((2, 3)), lengths=[2, 4])
    refused("y.npz", "y.npz: lengths[1]=4 must be a whole number from 0 to 3")
    refused("nowhere.txt", "--input=nowhere.txt: no such file")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    refused("-", "stdin is empty: it must have an input a line")
    monkeypatch.setattr(Path, "read_bytes", no_permission)
    refused("x.csv", "x.csv: can't be read: Permission denied")


@pytest.mark.parametrize(
    ("terminal", "shown"), [(True, "\r1 of 2 answers\r2 of 2 answers\n"), (False, "2 of 2 answers\n")]
)
def test_the_line_of_progress(
    terminal: bool, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(answers, "SECONDS", 100.0)
    line = answers.Line()
    line.show(1, 2)
    monkeypatch.setattr(answers, "SECONDS", 0.0)
    line.show(2, 2)
    assert capsys.readouterr().err == shown


def test_what_a_table_shows() -> None:
    given = [
        "I_WALK",
        0.123456,
        {"class": "odd", "probability": 0.98765},
        {"classes": [3, 1], "probabilities": [1, 1]},
    ]
    assert [answers.said(answer) for answer in given] == ["I_WALK", "0.1235", "odd (0.988)", "3 1"]
    assert answers.said([0.5, None]) == "0.5 null"
    assert answers.said({"keys": [[60, 64], []], "probabilities": [[0.7, 0.6], []]}) == "60+64 -"
    shown = answers.to_table([Prediction("x", "gru", None, "\x1b[31m[red]" + "a" * 900)], ["[bold]x"])
    ((name, found),) = shown.rows
    assert name == "[bold]x" and found.startswith("\\x1b[31m[red]aaa") and found.endswith("a…")
