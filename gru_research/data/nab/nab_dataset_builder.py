"""Converts the Numenta Anomaly Benchmark, 58 series with labelled anomalies, to array_record.

Lavin and Ahmad 2015 (arXiv 1510.03336), from Numenta's repository, which is under the MIT licence: load of servers,
prices of online advertisements, tweets, traffic, a few series with known causes, and artificial ones.

A split is one TFDS example, so that it is read as one array.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.config import FileError
from gru_research.data.own_files import read_table

_WINDOWS = "combined_windows.json"
_HEADER = ("timestamp", "value")


def _series() -> tuple[str, ...]:
    """Returns the series, such as "realKnownCause/nyc_taxi", from the addresses beside this file."""
    lines = (Path(__file__).parent / "checksums.tsv").read_text(encoding="utf-8").splitlines()
    addresses = [line.split("\t")[0] for line in lines]
    return tuple(a.partition("/data/")[2].removesuffix(".csv") for a in addresses if a.endswith(".csv"))


SERIES = _series()
"""The 58 series, each a folder and a name, in alphabetical order."""


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A block with a row for each of 365,558 points, those of a series after each other: `series` int32, the position
    in `SERIES`; `time` int64, seconds since 1970 if the file's times are UTC; `value` float64; and `window` int32, the
    number of the window around an anomaly that the point lies in, from 1 in each series, or 0. There are 116 windows.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_nab"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "One block, in the order of SERIES."}

    def _info(self) -> tfds.core.DatasetInfo:
        types = {"series": np.int32, "time": np.int64, "value": np.float64, "window": np.int32}
        features = {
            name: tfds.features.Tensor(shape=(None,), dtype=dtype, encoding="zlib") for name, dtype in types.items()
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/numenta/NAB",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        paths = {str(info.filename): dl_manager.download(url) for url, info in self.url_infos.items()}
        return {"points": self._generate_examples(paths)}

    def _generate_examples(self, paths: Mapping[str, os.PathLike]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        windows = read_windows(paths[_WINDOWS])
        parts = []
        for number, name in enumerate(SERIES):
            times, values = read_series(paths[f"{name.rpartition('/')[2]}.csv"])
            parts.append(
                {
                    "series": np.full(len(values), number, np.int32),
                    "time": np.array([int(time.replace(tzinfo=UTC).timestamp()) for time in times]),
                    "value": values,
                    "window": _numbered(name, times, windows[name]),
                }
            )
        yield 0, {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def read_series(path: os.PathLike | str) -> tuple[list[datetime], np.ndarray]:
    """Returns the times and the values `[N]` of a series. Times may repeat or fall where clocks are set back.

    Raises:
      FileError: other columns, a time that is none, or a value that isn't a finite number, with file and line.
    """
    table = read_table(Path(path))
    if table.header != _HEADER:
        raise FileError(f"{table.path}:1: the columns are {', '.join(table.header)}, and must be {', '.join(_HEADER)}")
    times = []
    for row, cell in enumerate(table.texts(_HEADER[0])):
        try:
            times.append(datetime.fromisoformat(cell))
        except ValueError as e:
            raise FileError(
                f"{table.place(row)}: {_HEADER[0]}={cell!r} must be a time, such as 2014-04-01 00:00:00"
            ) from e
    return times, table.numbers(_HEADER[1:])[:, 0]


def read_windows(path: os.PathLike | str) -> dict[str, list[tuple[datetime, datetime]]]:
    """Returns the first and the last time of each window, by series.

    Raises:
      ValueError: the file isn't JSON, lacks a series, or has a window that isn't two times.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as e:
        raise ValueError(f"{os.fspath(path)} can't be read as JSON ({e})") from e
    found = {}
    for name in SERIES:
        given = content.get(f"{name}.csv") if isinstance(content, dict) else None
        if not isinstance(given, list):
            raise ValueError(f"{os.fspath(path)} has no list of windows for {name}.csv")
        try:
            found[name] = [(_time(first), _time(last)) for first, last in given]
        except (TypeError, ValueError) as e:
            raise ValueError(f"{os.fspath(path)}: the windows of {name}.csv must be pairs of times") from e
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _numbered(name: str, times: Sequence[datetime], windows: Sequence[tuple[datetime, datetime]]) -> np.ndarray:
    """Returns the number of each point's window, from 1, or 0. Of a time that repeats, the first point counts."""
    numbers = np.zeros(len(times), np.int32)
    for number, (first, last) in enumerate(windows, 1):
        if first not in times or last not in times:
            raise ValueError(f"{_WINDOWS}: a window of {name} from {first} to {last} isn't at the series' times")
        numbers[times.index(first) : times.index(last) + 1] = number
    return numbers
