"""Piano rolls from their MATLAB files to arrays: equal to an independent parse; every fault is one line."""

import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from gru_research.config import UserError
from gru_research.data import DataDirs, load, music, prepare
from gru_research.data.music import music_dataset_builder
from tests.faults import fault, seen

FILES = {
    "music_jsb": "JSB_Chorales.mat",
    "music_musedata": "MuseData.mat",
    "music_nottingham": "Nottingham.mat",
    "music_piano_midi": "Piano_midi.mat",
}
SEQUENCES = {  # train, validation, test
    "music_jsb": (229, 76, 77),
    "music_musedata": (524, 135, 124),
    "music_nottingham": (694, 173, 170),
    "music_piano_midi": (87, 12, 25),
}
FIELDS = {"train": b"traindata", "validation": b"validdata", "test": b"testdata"}


def elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element of a MATLAB 5 file; the compressed ones are opened."""
    position = 0
    while position < len(content):
        kind, size = struct.unpack_from("<II", content, position)
        if kind >> 16:  # small: four bytes of data at most, beside the tag
            yield kind & 0xFFFF, content[position + 4 : position + 4 + (kind >> 16)]
            position += 8
            continue
        data = content[position + 8 : position + 8 + size]
        if kind == 15:
            yield from elements(zlib.decompress(data))
            position += 8 + size
        else:
            yield kind, data
            position += 8 + size + (-size % 8)


def matrix(data: bytes) -> tuple[bytes, tuple[int, ...], list[tuple[int, bytes]]]:
    """Name, shape and the elements of the content of a matrix."""
    (_, _flags), (_, dims), (_, name), *rest = elements(data)
    return name, struct.unpack(f"<{len(dims) // 4}i", dims), rest


def parse(path: str, field: bytes) -> list[np.ndarray]:
    """The piano rolls `[T, 88]` of one field."""
    for kind, data in elements(Path(path).read_bytes()[128:]):
        if kind == 14 and (found := matrix(data))[0] == field:
            rolls = []
            for _, cell in found[2]:
                _, shape, ((type_, content),) = matrix(cell)
                assert type_ == 2  # unsigned bytes
                rolls.append(np.frombuffer(content, np.uint8).reshape(shape, order="F"))
            return rolls
    raise AssertionError(f"no {field!r}")


@pytest.mark.parametrize("name", FILES)
def test_arrays_equal_an_independent_parse(name: str, music_data_dir: str, music_manual_dir: str) -> None:
    sets = load(name, DataDirs(music_data_dir))
    assert tuple(len(sets[split]["length"]) for split in ("train", "validation", "test")) == SEQUENCES[name]
    for split, field in FIELDS.items():
        rolls = parse(f"{music_manual_dir}/{FILES[name]}", field)
        frames, length = sets[split]["frames"], sets[split]["length"]
        assert (frames.dtype, length.dtype) == (np.uint8, np.int32)
        assert frames.shape == (len(rolls), max(map(len, rolls)), 11)
        assert length.tolist() == [len(roll) for roll in rolls]
        for row, roll in zip(frames, rolls, strict=True):
            np.testing.assert_array_equal(np.unpackbits(row[: len(roll)], axis=-1), roll)
            assert not row[len(roll) :].any()


def test_max_examples_counts_sequences(music_data_dir: str) -> None:
    few = load("music_jsb", DataDirs(music_data_dir), 3)["test"]
    everything = load("music_jsb", DataDirs(music_data_dir))["test"]
    assert len(few["length"]) == len(few["frames"]) == 3
    np.testing.assert_array_equal(few["frames"], everything["frames"][:3])


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_file_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], music_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    shutil.copyfile(f"{music_manual_dir}/JSB_Chorales.mat", raw / "JSB_Chorales.mat")
    damage(raw / "JSB_Chorales.mat")
    with pytest.raises(UserError) as caught:
        load("music_jsb", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == (
        f"JSB_Chorales.mat in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    )
    assert list(data_dir.iterdir()) == []


def test_only_the_file_of_that_collection_is_asked_for(music_manual_dir: str, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    with pytest.raises(UserError, match=r"lacks Piano_midi.mat: music_piano_midi needs Piano_midi.mat$"):
        prepare("music_piano_midi", DataDirs(str(tmp_path / "data"), str(raw)))
    shutil.copyfile(f"{music_manual_dir}/JSB_Chorales.mat", raw / "JSB_Chorales.mat")
    assert prepare("music_jsb", DataDirs(str(tmp_path / "data"), str(raw))).is_dir()


@fault(
    "data",
    "a MATLAB file without the field",
    "sequences of the wrong width",
    "values that aren't notes",
    "a field without sequences",
    "a file that isn't a MATLAB file",
)
def test_read_mat_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "music.mat"
    wrong, values, empty = np.empty((1, 2), object), np.empty((1, 1), object), np.empty((1, 0), object)
    wrong[0, :] = [np.zeros((5, 88), np.uint8), np.zeros((5, 87), np.uint8)]
    values[0, 0] = np.full((5, 88), 2, np.uint8)
    scipy.io.savemat(path, {"traindata": wrong, "validdata": values, "testdata": empty})
    for field, says in {
        "trainData": r"music.mat has no field trainData; it has traindata, validdata, testdata",
        "traindata": r"sequence 1 of traindata has shape \(5, 87\) and must have \[T, 88\]",
        "validdata": r"sequence 0 of validdata must hold only 0 and 1",
        "testdata": r"testdata holds no sequences",
    }.items():
        with pytest.raises(ValueError, match=says) as caught:
            music_dataset_builder.read_mat(path, field)
        seen(caught)
    for content in (b"", b"no file of MATLAB's", path.read_bytes()[:300]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"music.mat can't be read as a MATLAB file") as caught:
            music_dataset_builder.read_mat(path, "traindata")
    seen(caught)


def test_a_fault_behind_a_right_checksum_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    scipy.io.savemat(raw / "JSB_Chorales.mat", {"traindata": np.empty((1, 0), object)})
    download = "tensorflow_datasets.core.download.download_manager.DownloadManager.download"
    monkeypatch.setattr(download, lambda self, url: raw / "JSB_Chorales.mat")
    with pytest.raises(UserError, match=r"music_jsb can't be prepared in .*traindata holds no sequences") as caught:
        load("music_jsb", DataDirs(str(tmp_path / "data"), str(raw)))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_tfds_sees_the_builders_under_names_of_their_own() -> None:
    names = [builder.name for builder in (music.Jsb, music.MuseData, music.Nottingham, music.PianoMidi)]
    assert names == [f"gru_research_{name}" for name in FILES]
