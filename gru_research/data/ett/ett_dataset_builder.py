"""Converts ETTh1 and ETTh2, hourly loads and oil temperatures of two transformers, to array_record.

Zhou et al., AAAI 2021 (arXiv 2012.07436), from the authors' repository, which is under CC BY-ND 4.0. The files are
downloaded from there, never redistributed, and their numbers stay unchanged.

A split is one TFDS example, so that it is read as one array.
"""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.config import FileError
from gru_research.data.own_files import Table, read_table

COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
"""The 7 series: high, middle and low, useful and useless load, and the oil temperature."""
_DATE = "date"
_MONTH = 30 * 24
_PARTS = {"train": (0, 12 * _MONTH), "validation": (12 * _MONTH, 16 * _MONTH), "test": (16 * _MONTH, 20 * _MONTH)}
_STEP = timedelta(hours=1)


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of `values` float64 [N, 7], an hour a row: 8,640 hours for training and 2,880 each for validation and
    test, without gaps between the parts. These are the 12, 4 and 4 months of 30 days that the literature uses. It
    leaves out the last 3,020 hours of the files.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the file."}
    FILES: ClassVar[tuple[str, ...]]
    """The raw files in `checksums.tsv` that this builder needs."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"values": tfds.features.Tensor(shape=(None, len(COLUMNS)), dtype=np.float64, encoding="zlib")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/zhouhaoyi/ETDataset",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = (url for url, info in self.url_infos.items() if info.filename in self.FILES)
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, *part) for split, part in _PARTS.items()}

    def _generate_examples(
        self, path: os.PathLike, start: int, stop: int
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        yield 0, {"values": read_series(path)[start:stop]}


class Etth1(_Builder):
    """The first transformer."""

    name = "gru_research_etth1"
    FILES = ("ETTh1.csv",)


class Etth2(_Builder):
    """The second transformer, of another place."""

    name = "gru_research_etth2"
    FILES = ("ETTh2.csv",)


def read_series(path: os.PathLike | str) -> np.ndarray:
    """Reads the hours that the literature uses, float64 `[14400, 7]`, in the order of `COLUMNS`.

    Raises:
      FileError: other columns, fewer rows, a row that isn't one hour after the row above, or a cell that isn't a finite
        number. The message has the file and the line.
    """
    table = read_table(Path(path))
    if table.header != (_DATE, *COLUMNS):
        raise FileError(
            f"{table.path}:1: the columns are {', '.join(table.header)}, and must be {_DATE}, {', '.join(COLUMNS)}"
        )
    _check_hours(table)
    needed = _PARTS["test"][1]
    if len(table.rows) < needed:
        raise FileError(f"{table.path}: has {len(table.rows):,} rows and must have at least {needed:,}")
    return table.numbers(COLUMNS)[:needed]


def _check_hours(table: Table) -> None:
    before: datetime | None = None
    for row, cell in enumerate(table.texts(_DATE)):
        try:
            time = datetime.fromisoformat(cell)
        except ValueError as e:
            raise FileError(f"{table.place(row)}: {_DATE}={cell!r} must be a time, such as 2016-07-01 00:00:00") from e
        if before is not None and time - before != _STEP:
            raise FileError(f"{table.place(row)}: {_DATE}={cell!r} must be one hour after {before}, the row above")
        before = time
