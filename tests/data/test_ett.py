"""ETTh1 and ETTh2 from their raw files to arrays: equal to an independent parse; every fault is one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, ett, load, prepare
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

FILES = {"etth1": "ETTh1.csv", "etth2": "ETTh2.csv"}
HEADER = "date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT"


@pytest.mark.parametrize("name", FILES)
def test_the_splits_are_the_rows_of_the_file_in_their_order(name: str, ett_data_dir: str, ett_manual_dir: str) -> None:
    lines = Path(ett_manual_dir, FILES[name]).read_text().splitlines()
    assert lines[0] == HEADER and len(lines) == 1 + 17_420
    wanted = [[float(cell) for cell in line.split(",")[1:]] for line in lines[1:14_401]]
    sets = load(name, DataDirs(ett_data_dir))
    assert {split: a["values"].shape for split, a in sets.items()} == {
        "train": (8640, 7),
        "validation": (2880, 7),
        "test": (2880, 7),
    }
    assert {a["values"].dtype for a in sets.values()} == {np.dtype(np.float64)}
    np.testing.assert_array_equal(np.concatenate([a["values"] for a in sets.values()]), wanted)
    assert ",".join(("date", *ett.COLUMNS)) == HEADER


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_file_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], ett_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    with pytest.raises(UserError, match=r"lacks ETTh2.csv: etth2 needs ETTh2.csv$"):
        prepare("etth2", DataDirs(str(data_dir), str(raw)))
    shutil.copyfile(f"{ett_manual_dir}/ETTh2.csv", raw / "ETTh2.csv")
    damage(raw / "ETTh2.csv")
    with pytest.raises(UserError) as caught:
        load("etth2", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == f"ETTh2.csv in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    assert list(data_dir.iterdir()) == []


ROW = ",1" * 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            f"{HEADER}\n2016-07-01 00:00:00{ROW}\n",
            r"ETTh1.csv: has 1 rows and must have at least 14,400$",
            marks=fault("data", "a file of ETT with fewer hours"),
        ),
        pytest.param(
            "date,load\n2016-07-01 00:00:00,1\n",
            r"ETTh1.csv:1: the columns are date, load, and must be date, HUFL, HULL",
            marks=fault("data", "a file of ETT with other columns"),
        ),
        pytest.param(
            f"{HEADER}\n2016-07-01 00:00:00{ROW}\n2016-07-01 02:00:00{ROW}\n",
            r"ETTh1.csv:3: date='2016-07-01 02:00:00' must be one hour after 2016-07-01 00:00:00, the row above$",
            marks=fault("data", "a file of ETT that lacks an hour"),
        ),
        (f"{HEADER}\nnoon{ROW}\n", r"ETTh1.csv:2: date='noon' must be a time, such as 2016-07-01 00:00:00$"),
        (f"{HEADER}\n2016-07-01 00:00:00,1,2\n", r"ETTh1.csv:2: has 3 cells, and the header has 8"),
    ],
)
def test_read_series_names_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "ETTh1.csv").write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        ett.read_series(tmp_path / "ETTh1.csv")
    assert "\n" not in str(caught.value)
    seen(caught)


def test_a_cell_that_is_no_number_is_named(ett_manual_dir: str, tmp_path: Path) -> None:
    lines = Path(ett_manual_dir, "ETTh1.csv").read_text().splitlines()
    lines[9] = lines[9].rpartition(",")[0] + ","
    (tmp_path / "ETTh1.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"ETTh1.csv:10: OT='' must be a number: fill it in"):
        ett.read_series(tmp_path / "ETTh1.csv")


def test_tfds_sees_the_builders_under_names_of_their_own() -> None:
    assert {builder.name for builder in (ett.Etth1, ett.Etth2)} == {"gru_research_etth1", "gru_research_etth2"}
