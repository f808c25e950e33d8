"""Converts CLINC150, questions to an assistant with their intents, to array_record.

Larson et al., EMNLP 2019 (arXiv 1909.02027); the authors' repository states the licence CC BY 3.0. 150 intents have
100 training, 20 validation and 30 test questions each. Questions outside their scope are a class of their own: 100,
100 and 1,000.

A split is one TFDS example, padded and compressed, so that it is read as one array.
"""

import csv
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.text_arrays import text_features, to_arrays

OUT_OF_SCOPE = 150
"""The number of the class of questions outside the scope."""
_SPLITS = {"train": "train", "validation": "val", "test": "test"}
_HEADER = ["text", "intent", "domain", "intent_name", "domain_name"]
Row = tuple[str, int, str]
"""A question, the number of its intent, and the intent's name."""


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of `text` uint8 [N, W] and `length` int32 [N], texts as `text_arrays` has them, and `label` int32 [N], the
    intents' numbers; questions outside the scope come last. The split `intents` has the intents' names.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_clinc_oos"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the CSV files."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            **text_features(),
            "label": tfds.features.Tensor(shape=(None,), dtype=np.int32),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/clinc/oos-eval",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        (url,) = self.url_infos
        path = dl_manager.download(url)
        return {split: self._generate_examples(path, split) for split in (*_SPLITS, "intents")}

    def _generate_examples(self, path: os.PathLike, split: str) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        if split == "intents":
            names = {label: name for _, label, name in read_split(path, "train")}
            texts, labels = [names[label] for label in sorted(names)], sorted(names)
        else:
            rows = read_split(path, split)
            texts, labels = [text for text, _, _ in rows], [label for _, label, _ in rows]
        text, length = to_arrays(texts)
        yield 0, {"text": text, "length": length, "label": np.array(labels, np.int32)}


def read_split(path: os.PathLike | str, split: str) -> list[Row]:
    """Returns the questions of a split, those outside the scope last.

    Raises:
      ValueError: the file isn't a zip archive, is damaged or lacks a file, or a line isn't a question with its intent.
    """
    rows = [row for part in ("", "_ood") for row in _rows(path, f"{_SPLITS[split]}{part}.csv")]
    names: dict[int, str] = {}
    for _, label, name in rows:
        if names.setdefault(label, name) != name:
            raise ValueError(f"{os.fspath(path)}: intent {label} of {split} has two names, {names[label]} and {name}")
    return rows


def _rows(path: os.PathLike | str, member: str) -> list[Row]:
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(member).decode("utf-8")
    except KeyError as e:
        raise ValueError(f"{os.fspath(path)} has no file {member}") from e
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as e:
        raise ValueError(f"{os.fspath(path)}: {member} can't be read ({type(e).__name__}: {e})") from e
    header, *lines = list(csv.reader(io.StringIO(text))) or [[]]
    if header != _HEADER:
        raise ValueError(f"{os.fspath(path)}: line 1 of {member} must be {','.join(_HEADER)}")
    found = []
    for n, cells in enumerate(lines, 2):
        where = f"{os.fspath(path)}: line {n} of {member}"
        if len(cells) != len(_HEADER) or not cells[0].strip():
            raise ValueError(f"{where}: must be a question and {', '.join(_HEADER[1:])}")
        if not (cells[1].isdecimal() and int(cells[1]) <= OUT_OF_SCOPE):
            raise ValueError(f"{where}: intent={cells[1][:20]!r} must be a number from 0 to {OUT_OF_SCOPE}")
        found.append((cells[0].strip(), int(cells[1]), cells[3]))
    if not found:
        raise ValueError(f"{os.fspath(path)}: {member} holds no questions")
    return found
