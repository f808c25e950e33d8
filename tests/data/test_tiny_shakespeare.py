"""Tiny Shakespeare from its raw file to arrays; every fault is one line."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load
from gru_research.data.tiny_shakespeare import Builder, tiny_shakespeare_dataset_builder
from tests.faults import fault, seen


def test_the_splits_are_the_text_in_its_order(tiny_shakespeare_data_dir: str, tiny_shakespeare_manual_dir: str) -> None:
    text = Path(tiny_shakespeare_manual_dir, "input.txt").read_bytes()
    assert len(text) == 1_115_394
    sets = load("tiny_shakespeare", DataDirs(tiny_shakespeare_data_dir))
    assert list(sets) == ["train", "validation", "test"]
    sizes = [len(arrays["text"]) for arrays in sets.values()]
    assert sizes == [int(0.9 * len(text)), 55_770, 55_770]
    assert b"".join(arrays["text"].tobytes() for arrays in sets.values()) == text
    assert {arrays["text"].dtype for arrays in sets.values()} == {np.dtype(np.uint8)}


def test_wrong_and_missing_files(tiny_shakespeare_manual_dir: str, tmp_path: Path) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    with pytest.raises(UserError, match=r"lacks input.txt: tiny_shakespeare needs input.txt$"):
        load("tiny_shakespeare", DataDirs(str(data_dir), str(raw)))
    shutil.copyfile(f"{tiny_shakespeare_manual_dir}/input.txt", raw / "input.txt")
    with open(raw / "input.txt", "ab") as file:
        file.write(b"\n")
    with pytest.raises(UserError, match=r"input.txt in manual_dir=.* has a wrong checksum: get that file again"):
        load("tiny_shakespeare", DataDirs(str(data_dir), str(raw)))
    assert list(data_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "input.txt has 0 characters and must have at least 20"),
        pytest.param(
            b"too short",
            "input.txt has 9 characters and must have at least 20",
            marks=fault("data", "a text that is too short"),
        ),
        pytest.param(
            "naïve text, but long enough".encode(),
            "input.txt must be ASCII; byte 2 is 195",
            marks=fault("data", "a text with characters outside ASCII"),
        ),
    ],
)
def test_read_text_names_what_is_wrong(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "input.txt").write_bytes(content)
    with pytest.raises(ValueError, match=says) as caught:
        tiny_shakespeare_dataset_builder.read_text(tmp_path / "input.txt")
    seen(caught)


def test_tfds_sees_the_builder_under_a_name_of_its_own() -> None:
    assert Builder.name == "gru_research_tiny_shakespeare"  # "tiny_shakespeare" is the stock builder's
