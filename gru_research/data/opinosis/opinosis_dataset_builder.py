"""Converts Opinosis, 51 topics of opinions on products and hotels with summaries, to array_record.

Ganesan, Zhai and Han, COLING 2010. The licence is Apache 2.0. A topic is about a hundred sentences from reviews, with
three to five summaries by people.

The split is one TFDS example, its topics as JSON Lines, so that it is read as one array.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.archives import raw_archive, read_members
from gru_research.data.checksum import checksum

FILE = "OpinosisDataset1.0_0.zip"
ADDRESS = (
    "https://raw.githubusercontent.com/kavgan/opinosis-summarization/7e351ea7cc38402134fded1e157710e12692c978/" + FILE
)
TAR = "opinosis-topics-gold.tar.gz"
"""An archive with the same texts and without the programs beside them, which is read too."""
_ENDING = ".txt.data"
_SUM = "ebaa923a0c05c1130767daba9cc8bd1972707bd1f5e01056cc6455124a59c23e"
"""The sha256 sum of the texts, see `checksum`."""


class Builder(tfds.core.GeneratorBasedBuilder):
    """A block of `text` uint8 [N], UTF-8 bytes of JSON Lines: a topic a line, with its sentences as "document", a
    sentence a line, its first summary as "summary" and the further ones as "others".

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_opinosis"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "One block, in the order of the topics' names."}
    ARCHIVES: ClassVar[Mapping[str, str]] = {FILE: ADDRESS}
    ALTERNATIVES: ClassVar[Mapping[str, str]] = {FILE: TAR}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{FILE} from {ADDRESS}"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"text": tfds.features.Tensor(shape=(None,), dtype=np.uint8, encoding="zlib")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/kavgan/opinosis-summarization",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"test": self._generate_examples(raw_archive(dl_manager, ADDRESS, FILE, TAR))}

    def _generate_examples(self, path: os.PathLike) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        lines = [
            json.dumps({"document": text, "summary": first, "others": others}, ensure_ascii=False)
            for text, (first, *others) in read_topics(path, check=True).values()
        ]
        yield 0, {"text": np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)}


def read_topics(path: os.PathLike | str, check: bool = False) -> dict[str, tuple[str, list[str]]]:
    """Returns the text of each topic, with its summaries in the order of their files, by the topics' names.

    Args:
      check: whether the texts must be those of the data set, by their sum.

    Raises:
      ValueError: the file is neither a zip nor a tar archive, is damaged, or has a topic without text or summary.
    """
    texts = read_members(path, _key)
    if check and checksum(texts) != _SUM:
        raise ValueError(f"{os.fspath(path)}: the {len(texts)} texts aren't those of Opinosis")
    found = {}
    for name in sorted(texts):
        topic = name.removesuffix(_ENDING)
        if topic == name:
            continue
        summaries = [_text(texts[other]) for other in sorted(texts) if other.startswith(f"{topic}/")]
        text = "\n".join(line.strip() for line in _text(texts[name]).splitlines() if line.strip())
        if not text or not summaries or not all(summaries):
            raise ValueError(f"{os.fspath(path)}: the topic {topic} must have a text and summaries")
        found[topic] = text, summaries
    if not found:
        raise ValueError(f"{os.fspath(path)} has no topics")
    return found


def _text(content: bytes) -> str:
    return content.decode("cp1252", errors="replace").strip()


def _key(path: PurePosixPath) -> str:
    """Returns "TOPIC.txt.data" for the text of a topic, "TOPIC/FILE.gold" for a summary, and "" for other files."""
    if path.parent.name == "topics" and path.name.endswith(_ENDING):
        return path.name
    return f"{path.parent.name}/{path.name}" if path.suffix == ".gold" else ""
