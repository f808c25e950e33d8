"""Each application, killed in the middle of training and started again, ends like a run that nothing disturbed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.crash_tests.run_difference import first_difference
from gru_research import records
from tests.launching import ROOT, command
from tests.tasks.speech.sounds import table

SMALL = (
    "--config.updates=30", "--config.evaluations=6", "--config.seeds=1", "--config.batch_size=4",
    "--config.cells.gru.hidden_size=4", "--config.only=gru,rnn", "--checkpoint_seconds=0",
)  # fmt: skip
LABELS = ("gru", "rnn")


def series(folder: Path) -> list[str]:
    steps = np.arange(200)
    rows = [f"{np.sin(n / 3):.4f},{np.cos(n / 5):.4f}" for n in steps]
    (folder / "series.csv").write_text("a,b\n" + "\n".join(rows) + "\n")
    fields = ("look_back=12", "horizon=4", "season=6")
    return [f"--config.task.train={folder / 'series.csv'}", *(f"--config.task.{f}" for f in fields),
            "--config.model.segment=4"]  # fmt: skip


def texts(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    rows = [
        f"{' '.join(rng.choice(['the', 'film', 'is', 'not'], 6))} {word}\t{label}"
        for word, label in (("awful", "bad"), ("great", "good")) * 30
    ]
    (folder / "texts.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    fields = ("task.min_count=1", "model.embedding_size=4", "model.attention_size=3", "tune.draws=2", "tune.updates=4")
    return [f"--config.task.train={folder / 'texts.tsv'}", *(f"--config.{f}" for f in fields)]


def music(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    pieces = [[[60 + k, 55, 52, 48 - k] for k in rng.integers(0, 5, 12).tolist()] for _ in range(20)]
    (folder / "music.json").write_text(json.dumps(pieces))
    fields = ("task.segment=4", "task.context=1", "model.layers=1", "model.embedding_size=4", "tune.draws=0",
              "optimizer.learning_rate=0.01")  # fmt: skip
    return [f"--config.task.train={folder / 'music.json'}", *(f"--config.{f}" for f in fields)]


def measurements(folder: Path) -> list[str]:
    rows = [f"{np.sin(n / 3) + 5 * (n == 200):.4f},{int(abs(n - 200) <= 3)}" for n in range(240)]
    (folder / "loads.csv").write_text("load,label\n" + "\n".join(rows) + "\n")
    fields = ("window=24", "learning_share=0.5")
    return [f"--config.task.train={folder / 'loads.csv'}", *(f"--config.task.{f}" for f in fields)]


def talk(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    names = rng.choice(["ann", "bob", "cy"], 40)
    (folder / "talk.txt").write_text("".join(f"1 hi\thello\n2 i am {name}\tgood day {name}\n\n" for name in names))
    fields = ("task.validation_dialogues=0", "model.embedding_size=4", "model.attention_size=3", "model.hops=1",
              "model.memory=32")  # fmt: skip
    return [f"--config.task.train={folder / 'talk.txt'}", *(f"--config.{f}" for f in fields)]


def mails(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    names = rng.choice(["ann", "bob", "cy"], 60)
    rows = [f"dear all , we meet {name} on day {n % 7} .\tmeeting with {name}" for n, name in enumerate(names)]
    (folder / "mails.tsv").write_text("document\tsummary\n" + "\n".join(rows) + "\n")
    fields = ("task.validation_documents=0", "task.document_words=12", "task.summary_words=4", "task.beams=2",
              "model.embedding_size=4", "model.attention_size=3")  # fmt: skip
    return [f"--config.task.train={folder / 'mails.tsv'}", *(f"--config.{f}" for f in fields)]


def sentences(folder: Path) -> list[str]:
    rows = np.random.default_rng(0).choice(["rot", "blau", "und", "Hund"], (60, 4))
    (folder / "a.de").write_text("\n".join(" ".join(row) for row in rows) + "\n")
    (folder / "b.en").write_text("\n".join(" ".join(row[::-1]) for row in rows) + "\n")
    fields = ("task.vocabulary=280", "task.beams=2", "model.embedding_size=4")
    return [f"--config.task.train={folder / 'a.de'},{folder / 'b.en'}", *(f"--config.{f}" for f in fields)]


def sounds(folder: Path) -> list[str]:
    fields = ("task.unit=words", "task.beams=2", "model.layers=1", "model.dropout=0.0", "length_buckets=1")
    return [f"--config.task.train={table(folder, 40)}", *(f"--config.{f}" for f in fields)]


APPLICATIONS: dict[str, Callable[[Path], list[str]]] = {
    "anomalies": measurements,
    "chorales": music,
    "dialogue": talk,
    "forecasting": series,
    "sentiment": texts,
    "speech": sounds,
    "summarisation": mails,
    "translation": sentences,
}
"""Writes the data of an application to a folder and returns the arguments of a run on it."""


def trained(workdir: Path) -> int:
    """Returns the number of evaluations after the beginning of training."""
    path = workdir / records.FILE_NAME
    lines = path.read_text().splitlines() if path.exists() else []
    return sum('"kind":"evaluation"' in line and '"step":0,' not in line for line in lines)


@pytest.mark.processes
@pytest.mark.parametrize("name", APPLICATIONS)
def test_killed_in_the_middle_it_ends_like_an_undisturbed_run(name: str, tmp_path: Path) -> None:
    called = command("compare", f"--config=configs/applications/{name}.py", *SMALL, *APPLICATIONS[name](tmp_path))
    env = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}

    def run(workdir: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*called, f"--workdir={workdir}"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = run(whole)
    assert done.returncode == 0, done.stderr
    with subprocess.Popen(
        [*called, f"--workdir={killed}"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while trained(killed) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert '"kind":"end"' not in (killed / records.FILE_NAME).read_text()
    done = run(killed)
    assert done.returncode == 0, done.stderr
    assert "going on with" in done.stderr
    assert first_difference(whole, killed, LABELS) == ""
