"""Converts CMU's AN4, 948 and 130 utterances of spelled words and numbers as mel cepstra, to array_record.

Acero 1990; the licence allows every use. There are 13 cepstra a frame and 100 frames a second, of speech at 16 kHz; the
archive has no waves. The 74 speakers of training and the 10 of the test are others.

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
from gru_research.data.padding import padded
from gru_research.data.text_arrays import text_features, to_arrays

FILE = "an4_sphere-mfcc13.tar.gz"
ADDRESS = (
    "https://github.com/cphazen/Machine-Learning-Project-ASR/archive/5e478f0ee6c5b060edf702acdd563948cad5545f.tar.gz"
)
CEPSTRA = 13
_FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}
_SUM = "1a0dac91915a09a50c3981f3b413266875761cdb99e0491ef5aa5a240dd28e49"
"""The sha256 sum of all features and transcripts, see `checksum`."""
_LINE = re.compile(r"(.+) \(([^() ]+)\)")


class Utterance(NamedTuple):
    """What a speaker said.

    Attributes:
      name: the file's, such as "an251-fash-b".
      speaker: such as "fash".
      transcript: words in capitals.
      frames: float32 `[T, 13]`.
    """

    name: str
    speaker: str
    transcript: str
    frames: np.ndarray


class Builder(tfds.core.GeneratorBasedBuilder):
    """Splits with `frames` float32 [N, T, 13], padded with 0 to the longest, and their numbers `frame_count` int32 [N];
    the transcripts as `text` and `length` (see `text_arrays`); and `speaker` int32 [N], the position among the split's
    speakers in alphabetical order.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_an4"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the transcripts."}
    ARCHIVES: ClassVar[Mapping[str, str]] = {FILE: ADDRESS}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{FILE} from {ADDRESS}"

    def _info(self) -> tfds.core.DatasetInfo:
        whole = tfds.features.Tensor(shape=(None,), dtype=np.int32)
        frames = tfds.features.Tensor(shape=(None, None, CEPSTRA), dtype=np.float32, encoding="zlib")
        features = {**text_features(), "frames": frames, "frame_count": whole, "speaker": whole}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="http://www.speech.cs.cmu.edu/databases/an4/",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        found = read_utterances(raw_archive(dl_manager, ADDRESS, FILE), check=True)
        return {split: self._generate_examples(utterances) for split, utterances in found.items()}

    def _generate_examples(self, utterances: list[Utterance]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        counts = np.array([len(one.frames) for one in utterances], np.int32)
        frames = padded([one.frames for one in utterances], np.float32)
        text, length = to_arrays([one.transcript for one in utterances])
        speakers = sorted({one.speaker for one in utterances})
        numbers = np.array([speakers.index(one.speaker) for one in utterances], np.int32)
        yield 0, {"frames": frames, "frame_count": counts, "text": text, "length": length, "speaker": numbers}


def read_utterances(path: os.PathLike | str, check: bool = False) -> dict[str, list[Utterance]]:
    """Returns the utterances of "train" and "test" from an archive, in the order of their transcripts.

    Args:
      check: whether they must be those of the data set, by their names and sums.

    Raises:
      ValueError: the archive can't be read, lacks files or has others; a line of transcripts or a file of frames is
        damaged.
    """
    files = read_members(path, _key)
    place = os.fspath(path)
    if check and checksum(files) != _SUM:
        raise ValueError(f"{place}: the {len(files):,} files of AN4 aren't those of the data set")
    found = {}
    for split, folder in _FOLDERS.items():
        name = f"etc/an4_{split}.transcription"
        if name not in files:
            raise ValueError(f"{place} has no an4/{name}")
        found[split] = []
        for number, line in enumerate(files[name].decode("ascii", "replace").splitlines(), 1):
            match = _LINE.fullmatch(line)
            if match is None:
                raise ValueError(f"{place}: {name}:{number}: {line[:40]!r} must be WORDS (NAME)")
            words, said = match.groups()
            speaker = said.split("-")[1] if said.count("-") == 2 else ""
            file = f"feat/{folder}/{speaker}/{said}.mfc"
            if file not in files:
                raise ValueError(f"{place}: {name}:{number}: there is no an4/{file}")
            found[split].append(Utterance(said, speaker, words, parse_frames(files[file], f"{place}: {file}")))
        if not found[split]:
            raise ValueError(f"{place}: {name} is empty")
    return found


def parse_frames(content: bytes, place: str) -> np.ndarray:
    """Returns the frames float32 `[T, 13]` of a file: a count as big-endian int32, and as many big-endian float32.

    Args:
      place: the file, for messages.

    Raises:
      ValueError: another number of values than the count, or one that 13 doesn't divide; no frame; or a value that
        isn't finite.
    """
    count = int(np.frombuffer(content[:4], ">i4")[0]) if len(content) >= 4 else -1
    if len(content) != 4 * (count + 1):
        raise ValueError(f"{place}: has {len(content):,} bytes, and its count of values is {count:,}")
    if count == 0 or count % CEPSTRA:
        raise ValueError(f"{place}: {count:,} values aren't frames of {CEPSTRA}")
    frames = np.frombuffer(content[4:], ">f4").astype(np.float32).reshape(-1, CEPSTRA)
    if not np.isfinite(frames).all():
        raise ValueError(f"{place}: has a value that isn't finite")
    return frames


def _key(path: PurePosixPath) -> str:
    """Returns the path below an4/ of a file of features or transcripts."""
    if path.suffix not in (".mfc", ".transcription") or "an4" not in path.parts:
        return ""
    below = path.parts[path.parts.index("an4") + 1 :]
    return "/".join(below) if below[:1] in (("feat",), ("etc",)) else ""
