"""Chorales by voice from their JSON file to arrays: equal to a parse by hand; every fault is one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, chorales, load
from gru_research.data.chorales.chorales_dataset_builder import read_chorales
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

FILE = "Jsb16thSeparated.json"
PARTS = {"train": "train", "validation": "valid", "test": "test"}
CHORALE = [[67, 62, 59, 43], [67, -1, 59, 43]]


def test_arrays_equal_the_file(chorales_data_dir: str, chorales_manual_dir: str) -> None:
    sets = load("chorales", DataDirs(chorales_data_dir))
    content = json.loads(Path(chorales_manual_dir, FILE).read_text())
    assert [len(sets[split]["length"]) for split in PARTS] == [229, 76, 77]
    assert [int(sets[split]["length"].sum()) for split in PARTS] == [55_228, 18_408, 18_900]
    for split, part in PARTS.items():
        pitches, length = sets[split]["pitches"], sets[split]["length"]
        assert (pitches.dtype, length.dtype) == (np.int8, np.int32)
        assert pitches.shape == (len(content[part]), max(map(len, content[part])), 4)
        for row, steps, want in zip(pitches, length.tolist(), content[part], strict=True):
            assert row[:steps].tolist() == want
            assert (row[steps:] == -1).all()


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_file_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], chorales_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    shutil.copyfile(Path(chorales_manual_dir, FILE), raw / FILE)
    damage(raw / FILE)
    with pytest.raises(UserError) as caught:
        load("chorales", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == f"{FILE} in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    assert list(data_dir.iterdir()) == []


@fault(
    "data",
    "a file of chorales that isn't JSON",
    "a file of chorales in another encoding",
    "a file of chorales without a part",
    "a chorale that isn't a list",
    "a chorale with five voices",
    "a chorale with a fraction for a pitch",
)
def test_a_fault_behind_a_right_checksum_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / FILE
    for content, says in {
        b'{"train": [\n[[67, 62, 59': rf"{path}:2: isn't JSON \(Expecting ',' delimiter, column 13\)",
        b'{"train": "\xe9"}': rf"{path}: isn't text in UTF-8 \(byte 11\)",
        b'{"train": []}': rf"{path}: has no list of chorales named 'train'",
        json.dumps({"train": [CHORALE, 5]}).encode(): rf"{path}: chorale 1 of train must be a list of steps, and is 5",
        json.dumps({"train": [[*CHORALE, [1, 2, 3, 4, 5]]]}).encode(): (
            rf"{path}: chorale 0 of train: step 2 is \[1, 2, 3, 4, 5\], and must have four whole numbers from -1 to 127"
        ),
        json.dumps({"train": [[[67.5, 62, 59, 43]]]}).encode(): rf"{path}: chorale 0 of train: step 0 is \[67.5",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"^{says}") as caught:
            read_chorales(path, "train")
        assert "\n" not in str(caught.value)
        seen(caught)


def test_tfds_sees_the_builder_under_a_name_of_its_own() -> None:
    assert chorales.Builder.name == "gru_research_chorales"
