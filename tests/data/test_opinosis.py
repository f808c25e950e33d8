"""Opinosis from its archive, a zip or a tar, to JSON Lines."""

import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, prepare
from gru_research.data.opinosis import opinosis_dataset_builder as builder
from gru_research.data.opinosis import read_topics
from gru_research.tasks.summarisation import summarisation
from tests.faults import fault, seen

TOPIC = {
    "topics/food.txt.data": b" good food \r\n\r\nit\x92s fine .\r\n",
    "summaries-gold/food/food.2.gold": b"Fine.",
    "summaries-gold/food/food.1.gold": b"Good food.\r\n",
    "program.pl": b"1;",
}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_the_lines_are_the_topics_of_the_archive(opinosis_data_dir: str) -> None:
    (arrays,) = load("opinosis", DataDirs(opinosis_data_dir)).values()
    rows = [json.loads(line) for line in arrays["text"].tobytes().decode().splitlines()]
    assert len(rows) == 51 and sum(1 + len(row["others"]) for row in rows) == 238
    assert {1 + len(row["others"]) for row in rows} == {3, 4, 5}
    assert all(len(row["document"].splitlines()) > 40 for row in rows)


def test_a_zip_and_a_tar_hold_the_same(opinosis_manual_dir: str, tmp_path: Path) -> None:
    tar = Path(opinosis_manual_dir, builder.TAR)
    with tarfile.open(tar) as archive:
        files = {}
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                files[member.name] = content.read()
    zipped(tmp_path / builder.FILE, {**files, "program.pl": b"1;"})
    assert read_topics(tmp_path / builder.FILE, check=True) == read_topics(tar, check=True)
    prepare("opinosis", DataDirs(str(tmp_path / "data"), str(tmp_path)))


def test_a_topic_is_its_sentences_and_summaries(tmp_path: Path) -> None:
    assert read_topics(zipped(tmp_path / "a.zip", TOPIC)) == {
        "food": ("good food\nit\u2019s fine .", ["Good food.", "Fine."])
    }


@fault("data", "an archive with other texts than Opinosis")
def test_other_texts_are_refused(tmp_path: Path) -> None:
    zipped(tmp_path / builder.FILE, TOPIC)
    with pytest.raises(UserError, match=r"the 3 texts aren't those of Opinosis") as caught:
        load("opinosis", DataDirs(str(tmp_path / "data"), str(tmp_path)))
    seen(caught)
    assert list((tmp_path / "data").iterdir()) == []


def test_faults_of_an_archive_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"a.zip can't be read \(ReadError: ") as caught:
        read_topics(tmp_path / "a.zip")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"b.zip has no topics$"):
        read_topics(zipped(tmp_path / "b.zip", {"program.pl": b""}))
    with pytest.raises(ValueError, match=r"c.zip: the topic food must have a text and summaries$"):
        read_topics(zipped(tmp_path / "c.zip", {"topics/food.txt.data": b"x"}))
    with pytest.raises(UserError, match=rf"lacks {builder.FILE}: opinosis needs {builder.FILE}$"):
        prepare("opinosis", DataDirs(str(tmp_path / "data"), str(tmp_path)))


def test_the_topics_are_tested_without_training(opinosis_data_dir: str, tmp_path: Path) -> None:
    rows = "".join(f"see you on day {n} .\tmeeting on day {n}\n" for n in range(40))
    (tmp_path / "mails.tsv").write_text("document\tsummary\n" + rows)
    options = {"train": str(tmp_path / "mails.tsv"), "zero_shot": "opinosis"}
    task = summarisation(**options, dirs=DataDirs(opinosis_data_dir))
    test = task.data.load(DataDirs(opinosis_data_dir))["test"]
    assert len(test["inputs"]) == 4 + 51 and test["zero_shot"].sum() == 51 and test["zero_shot"][4:].all()
    assert task.application is not None
    assert task.application.trivial_metrics["the first sentence"]["opinosis_rouge_1_best"] > 20
    batch = {name: a[:6] for name, a in test.items()}
    outputs = type("Outputs", (), {"logs": np.zeros((6, 16)) - 1.0, "coverage": np.zeros((6, 16))})
    assert (np.asarray(task.loss(outputs, batch)[1]) > 0).tolist() == [True] * 4 + [False] * 2
    answers = type("Answers", (), {"tokens": np.ones((6, 3), np.int32)})
    for name, counted in (("rouge_1", [True] * 4 + [False] * 2), ("opinosis_rouge_1_best", [False] * 4 + [True] * 2)):
        assert np.asarray(task.metrics[name].statistics(answers, batch)["counted"]).tolist() == counted
