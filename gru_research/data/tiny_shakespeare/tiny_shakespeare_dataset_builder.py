"""Converts tiny Shakespeare, the 1,115,394 characters of plays in Karpathy's char-rnn, to array_record.

The text is in the public domain; the repository states the MIT licence.
"""

import os
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

_PARTS = {"train": (0, 18), "validation": (18, 19), "test": (19, 20)}  # twentieths of the text, in its order


class Builder(tfds.core.GeneratorBasedBuilder):
    """Blocks of `text` uint8 [N], the characters' ASCII codes: the first 90 % are "train", the next 5 % "validation",
    the last 5 % "test".

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    # "tiny_shakespeare", which TFDS would take from the module's name, is the stock builder.
    name = "gru_research_tiny_shakespeare"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"text": tfds.features.Tensor(shape=(None,), dtype=np.uint8, encoding="zlib")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/karpathy/char-rnn",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = self.url_infos
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, *part) for split, part in _PARTS.items()}

    def _generate_examples(
        self, path: os.PathLike, start: int, stop: int
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        text = read_text(path)
        yield 0, {"text": text[len(text) * start // 20 : len(text) * stop // 20]}


def read_text(path: os.PathLike | str) -> np.ndarray:
    """Reads the characters of an ASCII text: `[N]` uint8.

    Raises:
      ValueError: fewer than 20 characters, which leaves a split empty, or a character outside ASCII.
    """
    with open(path, "rb") as file:
        text = np.frombuffer(file.read(), np.uint8)
    if len(text) < 20:
        raise ValueError(f"{os.fspath(path)} has {len(text)} characters and must have at least 20")
    if text.max() > 127:
        raise ValueError(f"{os.fspath(path)} must be ASCII; byte {int(np.argmax(text > 127))} is {text.max()}")
    return text
