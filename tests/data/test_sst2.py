"""SST-2 from its three files to arrays: the files' lines; every fault is one line with its place."""

import collections
import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, prepare
from gru_research.data.sst2.sst2_dataset_builder import read_phrases
from gru_research.data.text_arrays import to_arrays, to_texts
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


def test_the_arrays_are_the_lines_of_the_files(sst2_data_dir: str, sst2_manual_dir: str) -> None:
    sets = load("sst2", DataDirs(sst2_data_dir))
    assert {split: len(arrays["label"]) for split, arrays in sets.items()} == {
        "train": 67_349,
        "validation": 872,
        "test": 1_821,
    }
    for split, arrays in sets.items():
        with open(f"{sst2_manual_dir}/{FILES[split]}", encoding="utf-8", newline="") as file:
            rows = [
                (text, int(label)) for label, text in list(csv.reader(file, "excel-tab", quoting=csv.QUOTE_NONE))[1:]
            ]
        texts = to_texts(arrays["text"], arrays["length"])
        assert list(zip(texts, arrays["label"].tolist(), strict=True)) == rows
        assert arrays["text"].dtype == np.uint8 and arrays["text"].shape[1] == arrays["length"].max()


def test_duplicates_and_leaked_phrases_are_as_documented(sst2_data_dir: str) -> None:
    sets = load("sst2", DataDirs(sst2_data_dir))
    texts = {split: to_texts(arrays["text"], arrays["length"]) for split, arrays in sets.items()}
    assert len(texts["train"]) - len(set(texts["train"])) == 371
    assert len({word for text in texts["train"] for word in text.split()}) == 14_817
    counts = collections.Counter(word for text in texts["train"] for word in text.split())
    unseen = [word not in counts for text in texts["test"] for word in text.split()]
    assert round(100 * float(np.mean(unseen)), 1) == 6.4


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_file_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], sst2_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    for file in FILES.values():
        shutil.copyfile(f"{sst2_manual_dir}/{file}", raw / file)
    damage(raw / "dev.tsv")
    with pytest.raises(UserError) as caught:
        load("sst2", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == f"dev.tsv in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    assert list(data_dir.iterdir()) == []


def test_missing_files_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("label\tsentence\n")
    with pytest.raises(UserError, match=r"lacks dev.tsv, test.tsv: sst2 needs train.tsv, dev.tsv, test.tsv$"):
        prepare("sst2", DataDirs(str(tmp_path / "data"), str(tmp_path)))


@pytest.mark.parametrize("header", ["label\tsentence", "label\tcontent"])
def test_read_phrases(header: str, tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_bytes(f'{header}\r\n1\ta gem , crème\r\n0\t "bad\r\n'.encode())
    assert read_phrases(path) == (["a gem , crème", ' "bad'], [1, 0])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            b"label\tsentence\n1\tgood\n2\tbad\n",
            ":3: '2\\\\tbad' must be 0 or 1, a tab and a phrase",
            marks=fault("data", "a line of SST-2 with another label"),
        ),
        (b"label\tsentence\n1 good\n", ":2: '1 good' must be 0 or 1, a tab and a phrase"),
        (b"label\tsentence\n1\t \n", ":2: .* must be 0 or 1, a tab and a phrase"),
        (b"label\tsentence\n1\tgood\tbad\n", ":2: .* must be 0 or 1, a tab and a phrase"),
        (b"sentence\tlabel\ngood\t1\n", ":1: the header .* must be 'label\\\\tsentence'"),
        (b"", ":1: the header '' must be"),
        (b"label\tsentence\n", ": holds no phrases"),
        (b"label\tsentence\n1\tgo", ":2: the last line has no end, so the file may be cut off"),
        (b"label\tsentence\n1\tcr\xe8me\n", ":2: isn't UTF-8"),
    ],
)
def test_read_phrases_names_what_is_wrong(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as caught:
        read_phrases(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))
    seen(caught)


def test_texts_are_their_bytes() -> None:
    texts = ["", "a", "crème brûlée", "x" * 40]
    text, length = to_arrays(texts)
    assert text.shape == (4, 40) and length.tolist() == [0, 1, 15, 40]
    assert not text[0].any() and not text[1, 1:].any()
    assert to_texts(text, length) == texts
    assert to_arrays([])[0].shape == (0, 0)
