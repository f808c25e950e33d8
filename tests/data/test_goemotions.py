"""GoEmotions from its three files to arrays: the files' lines; every fault is one line with its place."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, prepare
from gru_research.data.goemotions import EMOTIONS
from gru_research.data.goemotions.goemotions_dataset_builder import read_comments
from gru_research.data.text_arrays import to_texts
from tests.data.test_music import flip_byte
from tests.faults import fault, seen

FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


def test_the_arrays_are_the_lines_of_the_files(goemotions_data_dir: str, goemotions_manual_dir: str) -> None:
    sets = load("goemotions", DataDirs(goemotions_data_dir))
    assert {split: arrays["labels"].shape for split, arrays in sets.items()} == {
        "train": (43_410, 28),
        "validation": (5_426, 28),
        "test": (5_427, 28),
    }
    for split, arrays in sets.items():
        lines = Path(f"{goemotions_manual_dir}/{FILES[split]}").read_text(encoding="utf-8").split("\n")[:-1]
        texts = to_texts(arrays["text"], arrays["length"])
        numbers = [",".join(map(str, np.flatnonzero(row))) for row in arrays["labels"]]
        assert [
            [text, ",".join(sorted(found.split(","), key=int))] for text, found, _ in (s.split("\t") for s in lines)
        ] == [list(row) for row in zip(texts, numbers, strict=True)]


def test_the_labels_are_the_papers(goemotions_data_dir: str) -> None:
    train = load("goemotions", DataDirs(goemotions_data_dir))["train"]
    counts = dict(zip(EMOTIONS, train["labels"].sum(0, dtype=int).tolist(), strict=True))
    assert (counts["neutral"], counts["admiration"], counts["grief"]) == (14_219, 4_130, 77)
    assert max(EMOTIONS, key=lambda name: _share(train, name, b"thank")) == "gratitude"


def _share(train: dict[str, np.ndarray], name: str, word: bytes) -> float:
    """Returns the share of an emotion's comments that contain a word."""
    rows = train["text"][train["labels"][:, EMOTIONS.index(name)] == 1]
    return float(np.mean([word in row.tobytes().lower() for row in rows]))


def test_a_damaged_file_is_named_and_leaves_nothing(goemotions_manual_dir: str, tmp_path: Path) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    for file in FILES.values():
        shutil.copyfile(f"{goemotions_manual_dir}/{file}", raw / file)
    flip_byte(raw / "test.tsv")
    with pytest.raises(UserError) as caught:
        prepare("goemotions", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == f"test.tsv in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    assert list(data_dir.iterdir()) == []


def test_read_comments(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("I LOVE it\t18,0\tabc\n“meh”\t27\tdef\n", encoding="utf-8")
    assert read_comments(path) == (["I LOVE it", "“meh”"], [[18, 0], [27]])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            b"fine\t27\ta\nodd\t28\tb\n",
            ":2: .* must be a comment, labels from 0 to 27 and an id, separated by tabs",
            marks=fault("data", "a line of GoEmotions with an unknown label"),
        ),
        (b"fine\t27\n", ":1: .* must be a comment"),
        (b"fine\t\ta\n", ":1: .* must be a comment"),
        (b"\t27\ta\n", ":1: .* must be a comment"),
        (b"fine\t27,x\ta\n", ":1: .* must be a comment"),
        (b"", ": holds no comments"),
        (b"fine\t27\ta\nfi", ":2: the last line has no end"),
        (b"\xff\t27\ta\n", ":1: isn't UTF-8"),
    ],
)
def test_read_comments_names_what_is_wrong(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as caught:
        read_comments(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))
    seen(caught)
