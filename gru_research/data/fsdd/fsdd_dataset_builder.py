"""Converts the Free Spoken Digit Dataset, 3,000 recordings by six speakers, to array_record.

Jackson et al., under CC BY-SA 4.0. Each of six speakers says each digit 50 times, at 8 kHz.

A split is one TFDS example, so that it is read as one array.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.archives import raw_archive, read_members
from gru_research.data.checksum import checksum
from gru_research.data.own_files import parse_wav
from gru_research.data.padding import padded

FILE = "fsdd-26eb9aa-recordings.tar.gz"
ADDRESS = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.tar.gz"
)
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
RATE = 8000
"""Samples a second."""
_SUM = "a2e8a660492f28d9eed6270b290d26cbc5c81d6077ce87d3c0ad5adf4d4ee696"
"""The sha256 sum of all recordings, see `checksum`."""
_NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_SCALE = 2**15


class Recording(NamedTuple):
    """One digit, said once.

    Attributes:
      digit: 0 to 9.
      speaker: the position in `SPEAKERS`.
      take: the number of the repetition, from 0.
      samples: int16 `[N]`.
    """

    digit: int
    speaker: int
    take: int
    samples: np.ndarray


class Builder(tfds.core.GeneratorBasedBuilder):
    """A block of 3,000 recordings, sorted by speaker, digit and take: `samples` int16 [N, W], padded with 0 to the
    longest, their number `length`, `digit`, `speaker`, the position in `SPEAKERS`, and `take`, int32 [N].

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_fsdd"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Recordings by speaker, digit and take."}
    ARCHIVES: ClassVar[Mapping[str, str]] = {FILE: ADDRESS}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{FILE} from {ADDRESS}"

    def _info(self) -> tfds.core.DatasetInfo:
        column = tfds.features.Tensor(shape=(None,), dtype=np.int32)
        samples = tfds.features.Tensor(shape=(None, None), dtype=np.int16, encoding="zlib")
        features = {"samples": samples, **dict.fromkeys(("digit", "speaker", "take", "length"), column)}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/Jakobovski/free-spoken-digit-dataset",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {
            "recordings": self._generate_examples(read_recordings(raw_archive(dl_manager, ADDRESS, FILE), check=True))
        }

    def _generate_examples(self, recordings: list[Recording]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        lengths = np.array([len(one.samples) for one in recordings], np.int32)
        samples = padded([one.samples for one in recordings], np.int16)
        numbers = {
            name: np.array([getattr(one, name) for one in recordings], np.int32)
            for name in ("digit", "speaker", "take")
        }
        yield 0, {"samples": samples, "length": lengths, **numbers}


def read_recordings(path: os.PathLike | str, check: bool = False) -> list[Recording]:
    """Returns the recordings in an archive's folder recordings/, sorted by speaker, digit and take.

    Args:
      check: whether they must be those of the data set, by their names and sums.

    Raises:
      ValueError: the archive can't be read, or holds no or other recordings.
      FileError: a recording isn't a WAV file, or has another sample rate.
    """
    files = read_members(path, _key)
    if not files:
        raise ValueError(f"{os.fspath(path)} has no recordings in recordings/")
    if check and checksum(files) != _SUM:
        raise ValueError(f"{os.fspath(path)}: the {len(files):,} recordings aren't those of the data set")
    found = []
    for name, content in files.items():
        place = f"{os.fspath(path)}: {name}"
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in SPEAKERS:
            raise ValueError(f"{place}: the name must be DIGIT_SPEAKER_TAKE.wav of {', '.join(SPEAKERS)}")
        sound = parse_wav(content, place)
        if sound.rate != RATE:
            raise ValueError(f"{place}: a sample rate of {sound.rate} must be {RATE}")
        samples = np.round(sound.samples * _SCALE).astype(np.int16)
        found.append(Recording(int(match[1]), SPEAKERS.index(match[2]), int(match[3]), samples))
    return sorted(found, key=lambda one: (one.speaker, one.digit, one.take))


def _key(path: PurePosixPath) -> str:
    return path.name if path.parent.name == "recordings" and path.suffix == ".wav" else ""
