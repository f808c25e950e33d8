"""NAB from its raw files to arrays: equal to an independent parse; every fault is one line."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, nab, prepare
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen


def test_points_and_windows_are_those_of_the_files(nab_data_dir: str, nab_manual_dir: str) -> None:
    found = load("nab", DataDirs(nab_data_dir))["points"]
    windows = json.loads(Path(nab_manual_dir, "combined_windows.json").read_text())
    assert sorted(windows) == [f"{name}.csv" for name in nab.SERIES] and len(nab.SERIES) == 58
    assert len(found["value"]) == 365_558
    for number, name in enumerate(nab.SERIES):
        with open(Path(nab_manual_dir, f"{name.split('/')[1]}.csv")) as file:
            rows = list(csv.DictReader(file))
        mine = {key: array[found["series"] == number] for key, array in found.items()}
        np.testing.assert_array_equal(mine["value"], [float(row["value"]) for row in rows])
        texts = np.array([row["timestamp"] for row in rows])
        np.testing.assert_array_equal(
            mine["time"].astype("datetime64[s]"), np.array([text.replace(" ", "T") for text in texts], "datetime64[s]")
        )
        inside = np.zeros(len(rows), int)
        for n, (first, last) in enumerate(windows[f"{name}.csv"], 1):
            inside[np.flatnonzero(texts == first[:19])[0] : np.flatnonzero(texts == last[:19])[0] + 1] = n
        np.testing.assert_array_equal(mine["window"], inside)
    assert sum(mine["window"].max() for mine in _series(found)) == 116


def _series(found: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    return [{key: array[found["series"] == n] for key, array in found.items()} for n in range(len(nab.SERIES))]


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_file_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], nab_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    shutil.copytree(nab_manual_dir, raw)
    damage(raw / "nyc_taxi.csv")
    with pytest.raises(UserError) as caught:
        prepare("nab", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == f"nyc_taxi.csv in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    assert list(data_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "time,value\n2014-04-01 00:00:00,1\n",
            r"a.csv:1: the columns are time, value, and must be timestamp, value$",
            marks=fault("data", "a file of NAB with other columns"),
        ),
        pytest.param(
            "timestamp,value\n2014-04-01 00:00:00,1\nApril,2\n",
            r"a.csv:3: timestamp='April' must be a time, such as 2014-04-01 00:00:00$",
            marks=fault("data", "a row of NAB without a time"),
        ),
        pytest.param(
            "timestamp,value\n2014-04-01 00:00:00,inf\n",
            r"a.csv:2: value='inf' must be finite$",
            marks=fault("data", "a row of NAB that isn't finite"),
        ),
    ],
)
def test_faults_of_a_series_are_one_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        nab.read_series(tmp_path / "a.csv")
    seen(caught)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "{", r"w.json can't be read as JSON \(.*\)$", marks=fault("data", "the windows of NAB aren't JSON")
        ),
        pytest.param(
            "{}",
            r"w.json has no list of windows for artificialNoAnomaly/art_daily_no_noise.csv$",
            marks=fault("data", "the windows of NAB lack a series"),
        ),
        pytest.param(
            json.dumps({f"{name}.csv": [["2014-04-01", "noon"]] for name in nab.SERIES}),
            r"w.json: the windows of artificialNoAnomaly/art_daily_no_noise.csv must be pairs of times$",
            marks=fault("data", "a window of NAB that isn't two times"),
        ),
    ],
)
def test_faults_of_the_windows_are_one_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        nab.read_windows(tmp_path / "w.json")
    seen(caught)
