"""Converts polyphonic music as piano rolls (Boulanger-Lewandowski, Bengio and Vincent, ICML 2012) to array_record.

JSB chorales, Nottingham, MuseData and Piano-midi.de in the authors' splits, from the MATLAB files in the repository of
Bai, Kolter and Koltun (arXiv 1803.01271). The repository is under the MIT licence. Neither the repository nor the
authors state a licence for the music itself.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import os
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

KEYS = 88  # from A0 to C8
_FIELDS = {"train": "traindata", "validation": "validdata", "test": "testdata"}


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of `frames` uint8 [N, T, 11], the 88 keys of each frame as bits, and `length` [N], the numbers of frames.
    Padding is 0. T is the longest sequence of the split. `numpy.unpackbits(frames, -1)` is [N, T, 88].

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the MATLAB files."}
    FILES: ClassVar[tuple[str, ...]]
    """The raw files in `checksums.tsv` that this builder needs."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "frames": tfds.features.Tensor(shape=(None, None, KEYS // 8), dtype=np.uint8, encoding="zlib"),
            "length": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="http://www-ens.iro.umontreal.ca/~boulanni/icml2012",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = (url for url, info in self.url_infos.items() if info.filename in self.FILES)
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, field) for split, field in _FIELDS.items()}

    def _generate_examples(self, path: os.PathLike, field: str) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        rolls = read_mat(path, field)
        frames = np.zeros((len(rolls), max(len(roll) for roll in rolls), KEYS // 8), np.uint8)
        for row, roll in zip(frames, rolls, strict=True):
            row[: len(roll)] = np.packbits(roll, axis=-1)
        yield 0, {"frames": frames, "length": np.array([len(roll) for roll in rolls], np.int32)}


class Jsb(_Builder):
    """382 chorales by J. S. Bach: 229, 76 and 77 sequences of 25 to 160 frames."""

    name = "gru_research_music_jsb"
    FILES = ("JSB_Chorales.mat",)


class Nottingham(_Builder):
    """Folk tunes with chords: 694, 173 and 170 sequences of 40 to 1,793 frames."""

    name = "gru_research_music_nottingham"
    FILES = ("Nottingham.mat",)


class MuseData(_Builder):
    """Orchestral and piano music: 524, 135 and 124 sequences of 9 to 4,273 frames."""

    name = "gru_research_music_musedata"
    FILES = ("MuseData.mat",)


class PianoMidi(_Builder):
    """Piano music: 87, 12 and 25 sequences of 65 to 3,857 frames."""

    name = "gru_research_music_piano_midi"
    FILES = ("Piano_midi.mat",)


def read_mat(path: os.PathLike | str, field: str) -> list[np.ndarray]:
    """Returns the binary piano rolls `[T, 88]` in one field of a MATLAB file.

    Raises:
      ValueError: the file isn't a MATLAB file, is truncated, lacks the field, or holds other data in it.
    """
    import scipy.io  # imported here because only preparation needs it, and it takes 0.2 s

    try:
        content = scipy.io.loadmat(path)
    except Exception as e:  # scipy reports damage by several unrelated types
        raise ValueError(f"{os.fspath(path)} can't be read as a MATLAB file ({type(e).__name__}: {e})") from e
    if field not in content:
        names = ", ".join(name for name in content if not name.startswith("__"))
        raise ValueError(f"{os.fspath(path)} has no field {field}; it has {names or 'none'}")
    rolls = list(content[field].ravel())
    for n, roll in enumerate(rolls):
        if not isinstance(roll, np.ndarray) or roll.ndim != 2 or roll.shape[1] != KEYS or not len(roll):
            raise ValueError(
                f"{os.fspath(path)}: sequence {n} of {field} has shape {np.shape(roll)} and must have [T, {KEYS}]"
            )
        if not np.isin(roll, (0, 1)).all():
            raise ValueError(f"{os.fspath(path)}: sequence {n} of {field} must hold only 0 and 1")
    if not rolls:
        raise ValueError(f"{os.fspath(path)}: {field} holds no sequences")
    return rolls
