"""Converts Multi30k, captions of pictures in German and English, to array_record.

Elliott et al., Vision and Language 2016, arXiv 1605.00459. 29,000 pairs for training, 1,014 for validation, and two
test sets of 1,000 pairs each: Flickr 2016 and 2017. No licence is stated for the texts.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.raw_lines import lines_of
from gru_research.data.text_arrays import text_features, to_arrays

LANGUAGES = ("de", "en")
_FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr", "test_2017": "test_2017_flickr"}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Blocks of `de` and `en` uint8 [N, W], UTF-8 padded with 0, with their numbers of bytes, `de_length` and
    `en_length` [N]. Blanks at the ends of lines are left out.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_multi30k"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the files."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {}
        for language in LANGUAGES:
            own = text_features()
            features |= {language: own["text"], f"{language}_length": own["length"]}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/multi30k/dataset",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
        return {
            split: self._generate_examples({language: paths[f"{file}.{language}.gz"] for language in LANGUAGES})
            for split, file in _FILES.items()
        }

    def _generate_examples(self, paths: dict[str, os.PathLike]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        block = {}
        for language, lines in zip(LANGUAGES, read_pairs(*(paths[one] for one in LANGUAGES)), strict=True):
            block[language], block[f"{language}_length"] = to_arrays(lines)
        yield 0, block


def read_pairs(first: os.PathLike | str, second: os.PathLike | str) -> tuple[list[str], list[str]]:
    """Returns the lines of two gzip files, a sentence a line, of which equal places translate each other.

    Raises:
      ValueError: a file isn't gzip or UTF-8, is cut off, or has an empty line; or the numbers of lines differ.
    """
    found = [_lines(path) for path in (first, second)]
    if len(found[0]) != len(found[1]):
        raise ValueError(
            f"{os.fspath(first)} has {len(found[0]):,} lines and {os.fspath(second)} {len(found[1]):,}: line by line "
            f"they must translate each other"
        )
    return found[0], found[1]


def _lines(path: os.PathLike | str) -> list[str]:
    try:
        with gzip.open(path) as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as e:
        raise ValueError(f"{os.fspath(path)}: isn't a whole gzip file ({e})") from e
    lines = [line.strip() for line in lines_of(content, path)]
    if "" in lines:
        raise ValueError(f"{os.fspath(path)}:{lines.index('') + 1}: is empty")
    if not lines:
        raise ValueError(f"{os.fspath(path)}: holds no sentences")
    return lines
