"""From a user's table to a trained run, its report and its answers to sentences, through the commands."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.prediction import interactive
from gru_research import records, runs
from gru_research.config import experiment
from gru_research.data import DataDirs
from gru_research.run_files import load_examples
from gru_research.runs.comparison import run_comparison
from gru_research.runs.predict import Sampling, predict
from gru_research.tasks.sentiment import examples
from gru_research.training import make_plan
from tests.launching import launch

SMALL = (
    "--config.updates=40", "--config.batch_size=8", "--config.evaluations=1", "--config.seeds=2",
    "--config.cells.gru.hidden_size=4", "--config.model.embedding_size=4", "--config.model.attention_size=3",
    "--config.tune.draws=0", "--config.optimizer.learning_rate=0.05", "--config.task.min_count=1",
    "--config.length_buckets=2", "--config.only=gru,rnn",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on texts whose label is the only word that matters."""
    folder = tmp_path_factory.mktemp("sentiment")
    rng = np.random.default_rng(0)
    texts = []
    for n in range(120):
        words = rng.choice(["the", "film", "is", "a", "one"], rng.integers(1, 9)).tolist()
        words.insert(int(rng.integers(0, len(words) + 1)), ("awful", "great")[n % 2])
        texts.append(f"{' '.join(words)}\t{('bad', 'good')[n % 2]}")
    (folder / "films.tsv").write_text("text\tlabel\n" + "\n".join(texts) + "\n")
    done = launch(
        "compare", "--config=configs/applications/sentiment.py", f"--config.task.train={folder / 'films.tsv'}",
        *SMALL, f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_trains_and_reports(run: Path) -> None:
    found = records.read(run / records.FILE_NAME)
    assert [cell.cell for cell in found.cells] == ["gru", "rnn"]
    best = {result.cell: result.test_metric for result in found.results}
    assert best["gru"] is not None and best["gru"] > 0.9
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "naive Bayes on words and pairs of words" in page and "accuracy without" not in page


def test_each_cell_says_what_each_word_did(run: Path) -> None:
    done = launch("predict", f"--workdir={run}", "--input=Is the FILM great, zzyzx?", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["cell"] for line in lines] == ["gru", "rnn"]
    answer = lines[0]["answer"]
    assert answer["words"] == ["is", "the", "film", "great", "<unknown>", "<unknown>", "<unknown>"]
    assert answer["class"] == "good" and set(answer["probabilities"]) == {"bad", "good"}
    assert int(np.argmax(np.abs(answer["effects"]))) == 3 and answer["effects"][3] > 0
    assert "3 of 7 tokens aren't known from training" in done.stderr


def test_seeds_together_and_a_file_of_texts(run: Path, tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text('text\n"great, great"\nawful film\n')
    done = launch(
        "predict", f"--workdir={run}", f"--input={tmp_path / 'asked.csv'}", "--ensemble", "--cell=gru", "--json"
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line)["answer"] for line in done.stdout.splitlines()]
    assert [answer["class"] for answer in answers] == ["good", "bad"]
    each = [p.answer for p in predict(runs.load(run), ["awful film"], "gru", "all")]
    mean = np.mean([one["probabilities"]["bad"] for one in each])
    assert answers[1]["probabilities"]["bad"] == pytest.approx(mean, rel=1e-4)
    np.testing.assert_allclose(answers[1]["effects"], np.mean([one["effects"] for one in each], 0), rtol=1e-4)


@pytest.mark.processes
@pytest.mark.parametrize("dataset", ["sst2", "goemotions"])
def test_the_built_in_sets_train(dataset: str, sst2_data_dir: str, goemotions_data_dir: str, tmp_path: Path) -> None:
    data_dir = {"sst2": sst2_data_dir, "goemotions": goemotions_data_dir}[dataset]
    config = {
        "task": {"name": "sentiment", "dataset": dataset},
        "cells": {"gru": {"kind": "gru", "hidden_size": 2}},
        "model": {"embedding_size": 2, "readout": "attention", "attention_size": 2, "bidirectional": True},
        "updates": 2, "batch_size": 4, "eval_every": 2, "seeds": 1, "length_buckets": 2,
    }  # fmt: skip
    plan = make_plan(experiment(config), DataDirs(data_dir))
    assert run_comparison(plan, tmp_path / "run", DataDirs(data_dir))
    (result,) = records.read(tmp_path / "run" / records.FILE_NAME).results
    assert result.updates == 2 and result.test_metric is not None


def test_words_are_marked_in_the_terminal_and_in_files(run: Path, tmp_path: Path) -> None:
    done = launch(
        "predict", f"--workdir={run}", "--input=a great <b> film", "--cell=gru", "--seed=0", f"--output={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    assert "great(+" in done.stdout and "good (0." in done.stdout
    lines = [line.split("\t") for line in (tmp_path / "1-gru-seed-0.tsv").read_text().splitlines()]
    assert lines[0] == ["word", "effect"] and [word for word, _ in lines[1:3]] == ["a", "great"]
    page = (tmp_path / "1-gru-seed-0.html").read_text()
    assert f'title="{float(lines[2][1]):+.2f}">great</span>' in page and "<h1>good: " in page
    assert "&lt;unknown&gt;" in page and "<b>" not in page


def test_the_report_explains_a_few_texts(run: Path) -> None:
    arrays = load_examples(run, "gru")
    assert arrays is not None
    lengths = (arrays["words"] != "").sum(1)
    assert 1 <= len(lengths) <= examples.SHOWN and lengths.min() >= examples.SHORTEST
    assert lengths.max() <= examples.LONGEST
    loaded = runs.load(run)
    for k, words in enumerate(arrays["words"]):
        text = " ".join(word for word in words if word)
        (answer,) = [p.answer for p in predict(loaded, [text], "gru", int(arrays["seed"]))]
        sign = 1 if answer["class"] == arrays["labels"][k] else -1  # effects are on the likeliest label there
        np.testing.assert_allclose(
            arrays["effects"][k, : lengths[k]], sign * np.array(answer["effects"]), rtol=1e-3, atol=1e-5
        )
        assert arrays["probability"][k] == pytest.approx(answer["probabilities"][str(arrays["labels"][k])], rel=1e-4)
        share = arrays["map/attention"][k, : lengths[k]]
        assert share.max() == 1 and share.min() > 0
    assert {"map/z forward", "map/r backward"} <= set(arrays) and all(a.min() >= 0 for a in [arrays["map/z forward"]])
    figures = [path.name for path in (run / "figures").iterdir()]
    assert f"words-{arrays['places'][0]}.png" in figures and f"gates-{arrays['places'][0]}.png" in figures


def test_options_of_drawing_are_refused_where_nothing_is_drawn(run: Path) -> None:
    done = launch("predict", f"--workdir={run}", "--input=great", "--temperature=0.5")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "--temperature is for answers that are generated after their inputs" in done.stderr


def test_sentences_are_classified_as_they_are_typed(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a great film\nan awful one\n\n"))
    assert interactive.converse(runs.load(run), ["gru"], None, Sampling()) == 0
    printed = capsys.readouterr().out
    assert printed.index("good") < printed.index("bad")
