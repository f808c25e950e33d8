"""From a user's documents to a trained run, its report and its summaries, through the commands."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.prediction import interactive
from gru_research import records, runs
from gru_research.runs.predict import Sampling, predict
from gru_research.tasks.summarisation.metrics import score, summary
from gru_research.tasks.summarisation.words import Vocabulary
from gru_research.training.predictions import load_test
from tests.launching import launch

SMALL = (
    "--config.updates=150", "--config.batch_size=16", "--config.evaluations=1", "--config.seeds=1",
    "--config.cells.gru.hidden_size=12", "--config.model.embedding_size=8", "--config.model.attention_size=8",
    "--config.model.dropout=0.0", "--config.optimizer.learning_rate=0.03", "--config.task.document_words=9",
    "--config.task.summary_words=5", "--config.task.beams=2", "--config.only=gru", "--config.task.coverage=0.1",
    "--config.task.validation_documents=10", "--config.length_buckets=1",
)  # fmt: skip
NAMES = [f"{a}{b}{c}" for a in "bdkmt" for b in "aeiou" for c in "lnrsx"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on documents whose summary has a name of theirs, which mostly occurs once."""
    folder = tmp_path_factory.mktemp("summaries")
    rng = np.random.default_rng(0)
    rows = []
    for n in range(200):
        name = NAMES[int(rng.integers(len(NAMES)))] + str(n % 40)
        fill = rng.choice(["so", "we", "now"], int(rng.integers(1, 4))).tolist()
        rows.append({"document": f"{' '.join(fill)} see {name.title()} today .", "summary": f"Meeting {name}"})
    (folder / "mails.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = launch(
        "compare", "--config=configs/applications/summarisation.py", f"--config.task.train={folder / 'mails.jsonl'}",
        *SMALL, f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_trains_and_copies(run: Path) -> None:
    found = records.read(run / records.FILE_NAME)
    (result,) = found.results
    assert result.test_metric is not None and result.test_metric > 90
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "the first sentence" in page
    assert (run / "arrays" / "attention-gru.npz").exists()  # unlike with e-mails that nobody published


def test_the_saved_summaries_are_those_that_were_scored(run: Path) -> None:
    vocabulary = Vocabulary(**runs.load(run).task.learned["vocabulary"])
    _, arrays = load_test(run, "gru")
    given = {name: a[0] for name, a in arrays["rouge_l"].items()}
    (result,) = records.read(run / records.FILE_NAME).results
    assert score(vocabulary, "rouge_l", given) == pytest.approx(result.test_metric)
    assert summary(vocabulary, given["tokens"][0], given["names"][0]).startswith("Meeting")


def test_predict_marks_copied_words(run: Path, tmp_path: Path) -> None:
    done = launch("predict", f"--workdir={run}", "--input=we see Zorro7 today .", "--json", f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["answer"]
    assert answer["summary"] == "Meeting Zorro7"  # in the case of the document
    assert answer["words"] == ["Meeting", "Zorro7"] and answer["copied"] == [False, True]
    assert answer["generated"][0] > 0.5
    assert (tmp_path / "1-gru-seed-0.tsv").read_text().splitlines()[2].startswith("Zorro7\t1\t")
    page = (tmp_path / "1-gru-seed-0.html").read_text(encoding="utf-8")
    assert '<h1 dir="auto">Meeting <mark>Zorro7</mark></h1>' in page and "we see <mark>Zorro7</mark> today ." in page


def test_predict_reads_files_of_documents(run: Path, tmp_path: Path) -> None:
    texts = {"a.txt": "we see\n\nZorro7 today .\n", "b.jsonl": '{"document": "we see Zorro7 today ."}\n' * 2,
             "c.tsv": "id\tdocument\n1\twe see Zorro7 today .\n"}  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        done = launch("predict", f"--workdir={run}", f"--input={tmp_path / name}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Meeting [Zorro7]") == (2 if name == "b.jsonl" else 1)
    (tmp_path / "d.jsonl").write_text('{"summary": "a"}\n')
    done = launch("predict", f"--workdir={run}", f"--input={tmp_path / 'd.jsonl'}")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("d.jsonl:1: lacks 'document'; it has 'summary'")


@pytest.mark.parametrize("text", ["x", "🎉", "שלום עולם <b>", "w " * 100_000])
def test_any_text_is_summarised(run: Path, text: str) -> None:
    (found,) = predict(runs.load(run), [text])
    assert isinstance(found.answer["summary"], str)
    assert len(found.answer["words"]) == len(found.answer["copied"]) <= 6


def test_line_after_line(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("we see Zorro7 today .\n\n"))
    assert interactive.converse(runs.load(run), None, None, Sampling()) == 0
    assert "Meeting [Zorro7]" in capsys.readouterr().out
