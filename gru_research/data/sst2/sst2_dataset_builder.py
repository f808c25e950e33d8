"""Converts SST-2, movie reviews with a positive or negative sentiment, to array_record.

Socher et al., EMNLP 2013. Training has the 67,349 phrases of the treebank whose sentiment isn't neutral, as GLUE gives
them. Validation has 872 whole sentences. Test has 1,821 whole sentences with their labels, as Tai et al. (ACL 2015) use
them; GLUE's test set has no labels. No licence is stated for the data.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import os
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.raw_lines import raw_lines
from gru_research.data.text_arrays import text_features, to_arrays

_FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
_HEADERS = ("label\tsentence", "label\tcontent")


class Builder(tfds.core.GeneratorBasedBuilder):
    """Blocks of `text` uint8 [N, W], UTF-8 padded with 0, `length` [N], its number of bytes, and `label` [N], 1 for a
    positive sentiment. Words and punctuation marks are lower-cased and separated by blanks.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_sst2"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the files."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            **text_features(),
            "label": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://nlp.stanford.edu/sentiment/",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
        return {split: self._generate_examples(paths[file]) for split, file in _FILES.items()}

    def _generate_examples(self, path: os.PathLike) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        texts, labels = read_phrases(path)
        text, length = to_arrays(texts)
        yield 0, {"text": text, "length": length, "label": np.array(labels, np.int32)}


def read_phrases(path: os.PathLike | str) -> tuple[list[str], list[int]]:
    """Returns the phrases of one file, and their labels 0 or 1.

    Raises:
      ValueError: the file isn't UTF-8, is cut off, has another header or no phrase, or a line isn't a label, a tab and
        a phrase.
    """
    header, *lines = raw_lines(path) or [""]
    if header not in _HEADERS:
        raise ValueError(f"{os.fspath(path)}:1: the header {header[:80]!r} must be {_HEADERS[0]!r}")
    texts, labels = [], []
    for n, line in enumerate(lines, start=2):
        label, tab, text = line.partition("\t")
        if label not in ("0", "1") or not tab or "\t" in text or not text.strip():
            raise ValueError(f"{os.fspath(path)}:{n}: {line[:80]!r} must be 0 or 1, a tab and a phrase")
        texts.append(text)
        labels.append(int(label))
    if not texts:
        raise ValueError(f"{os.fspath(path)}: holds no phrases")
    return texts, labels
