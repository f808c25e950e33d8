"""Multi30k from its gzip files to arrays: the files' lines; every fault is one line with its place."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load
from gru_research.data.multi30k.multi30k_dataset_builder import read_pairs
from gru_research.data.text_arrays import to_texts
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

SIZES = {"train": 29_000, "validation": 1_014, "test": 1_000, "test_2017": 1_000}


def test_the_arrays_are_the_lines_of_the_files(multi30k_data_dir: str, multi30k_manual_dir: str) -> None:
    sets = load("multi30k", DataDirs(multi30k_data_dir))
    assert {split: len(arrays["de"]) for split, arrays in sets.items()} == SIZES
    for language in ("de", "en"):
        with gzip.open(f"{multi30k_manual_dir}/train.{language}.gz", "rt", encoding="utf-8") as file:
            lines = [line.strip() for line in file.read().split("\n")[:-1]]
        assert to_texts(sets["train"][language], sets["train"][f"{language}_length"]) == lines


def test_lengths_and_leaked_sentences_are_as_documented(multi30k_data_dir: str) -> None:
    sets = load("multi30k", DataDirs(multi30k_data_dir))
    german = {split: to_texts(arrays["de"], arrays["de_length"]) for split, arrays in sets.items()}
    english = to_texts(sets["train"]["en"], sets["train"]["en_length"])
    assert round(sum(len(text.split()) for text in german["train"]) / 29_000, 1) == 11.1
    assert max(len(text.split()) for text in german["train"] + english) == 39
    known = set(german["train"])
    assert sum(text in known for text in german["validation"]) == 1
    assert sum(text in known for text in german["test"]) == 0


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_file_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], multi30k_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    for path in Path(multi30k_manual_dir).glob("*.gz"):
        shutil.copyfile(path, raw / path.name)
    damage(raw / "val.en.gz")
    with pytest.raises(UserError) as caught:
        load("multi30k", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == f"val.en.gz in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    assert list(data_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        pytest.param(
            gzip.compress(b"ein Hund\neine Katze\n"),
            gzip.compress(b"a dog\n"),
            "has 2 lines and .* 1: line by line they must translate each other",
            marks=fault("data", "files of Multi30k with other numbers of lines"),
        ),
        (b"ein Hund\n", gzip.compress(b"a dog\n"), "de.gz: isn't a whole gzip file"),
        (gzip.compress(b"ein Hund\n")[:-4], gzip.compress(b"a dog\n"), "de.gz: isn't a whole gzip file"),
        (gzip.compress(b"ein Hund\n\n"), gzip.compress(b"a dog\na\n"), "de.gz:2: is empty"),
        (gzip.compress(b"ein Hund"), gzip.compress(b"a dog\n"), "de.gz:1: the last line has no end"),
        (gzip.compress(b""), gzip.compress(b"a dog\n"), "de.gz: holds no sentences"),
        (gzip.compress(b"ein Hund\n"), gzip.compress(b"caf\xe8\n"), "en.gz:1: isn't UTF-8"),
    ],
)
def test_read_pairs_names_what_is_wrong(first: bytes, second: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "de.gz").write_bytes(first)
    (tmp_path / "en.gz").write_bytes(second)
    with pytest.raises(ValueError, match=says) as caught:
        read_pairs(tmp_path / "de.gz", tmp_path / "en.gz")
    assert "\n" not in str(caught.value)
    seen(caught)


def test_blanks_at_the_ends_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "de.gz").write_bytes(gzip.compress("  ein Hund \nzwei Bäume\n".encode()))
    (tmp_path / "en.gz").write_bytes(gzip.compress(b"a dog\ntwo trees\n"))
    assert read_pairs(tmp_path / "de.gz", tmp_path / "en.gz") == (["ein Hund", "zwei Bäume"], ["a dog", "two trees"])
