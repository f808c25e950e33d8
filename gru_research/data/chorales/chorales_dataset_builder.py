"""Converts the chorales of J. S. Bach, by voice and by sixteenths, to array_record.

382 chorales in the split of Boulanger-Lewandowski, Bengio and Vincent (ICML 2012), from the JSON file in Huang's
repository JSB-Chorales-dataset. The repository states no licence.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import json
import os
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

VOICES = ("soprano", "alto", "tenor", "bass")
SILENT = -1
"""The pitch of a voice that is silent."""
_HIGHEST = 127  # the highest pitch in MIDI
_PARTS = {"train": "train", "validation": "valid", "test": "test"}


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of `pitches` int8 [N, T, 4], the MIDI pitch of soprano, alto, tenor and bass in each sixteenth, -1 where
    a voice is silent, and `length` int32 [N], the numbers of sixteenths. Padding is -1. T is the longest of the split.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_chorales"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the JSON file."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "pitches": tfds.features.Tensor(shape=(None, None, len(VOICES)), dtype=np.int8, encoding="zlib"),
            "length": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/czhuang/JSB-Chorales-dataset",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = self.url_infos
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, part) for split, part in _PARTS.items()}

    def _generate_examples(self, path: os.PathLike, part: str) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        chorales = read_chorales(path, part)
        pitches = np.full((len(chorales), max(map(len, chorales)), len(VOICES)), SILENT, np.int8)
        for row, chorale in zip(pitches, chorales, strict=True):
            row[: len(chorale)] = chorale
        yield 0, {"pitches": pitches, "length": np.array([len(chorale) for chorale in chorales], np.int32)}


def read_chorales(path: os.PathLike | str, part: str) -> list[np.ndarray]:
    """Returns the chorales of "train", "valid" or "test" in the JSON file, int8 `[T, 4]` each.

    Raises:
      ValueError: the file isn't JSON in UTF-8, lacks the part, or a chorale isn't a list of four pitches a step.
    """
    where = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except json.JSONDecodeError as e:
        raise ValueError(f"{where}:{e.lineno}: isn't JSON ({e.msg}, column {e.colno})") from e
    except UnicodeDecodeError as e:
        raise ValueError(f"{where}: isn't text in UTF-8 (byte {e.start})") from e
    if not isinstance(content, dict) or not isinstance(content.get(part), list) or not content[part]:
        raise ValueError(f"{where}: has no list of chorales named {part!r}")
    return [_chorale(f"{where}: chorale {n} of {part}", steps) for n, steps in enumerate(content[part])]


def _chorale(where: str, steps: Any) -> np.ndarray:
    if not isinstance(steps, list) or not steps:
        raise ValueError(f"{where} must be a list of steps, and is {str(steps)[:40]}")
    for n, step in enumerate(steps):
        if not isinstance(step, list) or len(step) != len(VOICES) or not all(map(_is_pitch, step)):
            raise ValueError(
                f"{where}: step {n} is {str(step)[:40]}, and must have four whole numbers from {SILENT} to {_HIGHEST}"
            )
    return np.array(steps, np.int8)


def _is_pitch(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and SILENT <= value <= _HIGHEST
