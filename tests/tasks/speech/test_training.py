"""From a table of WAV files to a trained run, its report and its transcripts, through the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile

from gru_research import records
from tests.launching import launch
from tests.tasks.speech.sounds import said, table

SMALL = (
    "--config.updates=100", "--config.batch_size=16", "--config.evaluations=1", "--config.seeds=1",
    "--config.cells.gru.hidden_size=12", "--config.model.layers=1", "--config.model.dropout=0.0",
    "--config.model.input_dropout=0.0", "--config.optimizer.learning_rate=0.03", "--config.length_buckets=1",
    "--config.only=gru", "--config.task.unit=words", "--config.task.beams=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on words that are tones."""
    folder = tmp_path_factory.mktemp("speech")
    path = table(folder, 60)
    done = launch(
        "compare", "--config=configs/applications/speech.py", f"--config.task.train={path}", *SMALL,
        f"--workdir={folder / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_it_learns_the_words(run: Path) -> None:
    (result,) = records.read(run / records.FILE_NAME).results
    assert result.test_metric is not None and result.test_metric < 20
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "the empty transcript" in page and "What each cell heard in" in page


def test_predict_transcribes_a_file(run: Path, tmp_path: Path) -> None:
    high = said("HIGH LOW TOP", 44_100)
    scipy.io.wavfile.write(tmp_path / "x.wav", 44_100, np.stack([high, high], 1).astype(np.float32))
    done = launch("predict", f"--workdir={run}", f"--input={tmp_path / 'x.wav'}", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["answer"]
    assert answer["transcript"] == answer["greedy"] == "HIGH LOW TOP"
    starts = [word["start"] for word in answer["words"]]
    assert [word["word"] for word in answer["words"]] == ["HIGH", "LOW", "TOP"] and starts == sorted(starts)
    done = launch("predict", f"--workdir={run}", f"--input={tmp_path / 'x.wav'}")
    assert "HIGH LOW TOP" in done.stdout


def test_predict_refuses_what_is_no_sound(run: Path, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("LOW")
    done = launch("predict", f"--workdir={run}", f"--input={tmp_path / 'x.wav'}")
    assert done.returncode == 2 and done.stderr.strip().endswith("x.wav: isn't a WAV file")
    done = launch("predict", f"--workdir={run}", f"--input={tmp_path / 'y.wav'}")
    assert done.returncode == 2 and "y.wav (No such file or directory)" in done.stderr
