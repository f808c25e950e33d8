"""Converts GoEmotions, Reddit comments with one or more of 27 emotions or "neutral", to array_record.

Demszky et al., ACL 2020 (arXiv 2005.00547), under CC BY 4.0. The files are the authors' training, development and test
sets. The address names a branch, not a commit; the sha256 sums fix the state of the repository.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import os
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.raw_lines import raw_lines
from gru_research.data.text_arrays import text_features, to_arrays

EMOTIONS = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief", "joy",
    "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
"""The names of the labels; a label's number is its position here."""
_FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Blocks of `text` uint8 [N, W], UTF-8 padded with 0, `length` [N], its number of bytes, and `labels` uint8
    [N, 28], 1 for each emotion of the comment, in the order of `EMOTIONS`.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_goemotions"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the files."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            **text_features(),
            "labels": tfds.features.Tensor(shape=(None, len(EMOTIONS)), dtype=np.uint8, encoding="zlib"),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/google-research/google-research/tree/master/goemotions",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
        return {split: self._generate_examples(paths[file]) for split, file in _FILES.items()}

    def _generate_examples(self, path: os.PathLike) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        texts, numbers = read_comments(path)
        text, length = to_arrays(texts)
        labels = np.zeros((len(texts), len(EMOTIONS)), np.uint8)
        for row, found in zip(labels, numbers, strict=True):
            row[found] = 1
        yield 0, {"text": text, "length": length, "labels": labels}


def read_comments(path: os.PathLike | str) -> tuple[list[str], list[list[int]]]:
    """Returns the comments of one file, and the numbers of each one's emotions.

    Raises:
      ValueError: the file isn't UTF-8, is cut off or has no comment, or a line isn't a comment, its emotions' numbers
        and its id, separated by tabs.
    """
    texts, labels = [], []
    for n, line in enumerate(raw_lines(path), start=1):
        text, *rest = line.split("\t")
        numbers = rest[0].split(",") if len(rest) == 2 else []
        if not text.strip() or not numbers or not all(_is_label(number) for number in numbers):
            raise ValueError(
                f"{os.fspath(path)}:{n}: {line[:80]!r} must be a comment, labels from 0 to {len(EMOTIONS) - 1} and an "
                f"id, separated by tabs"
            )
        texts.append(text)
        labels.append([int(number) for number in numbers])
    if not texts:
        raise ValueError(f"{os.fspath(path)}: holds no comments")
    return texts, labels


def _is_label(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < len(EMOTIONS)
